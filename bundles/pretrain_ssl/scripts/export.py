"""Exports what a pre-training has taught, in the files that a fine-tuning starts from."""

from pathlib import Path

from torch import Tensor

from .common.atomic_write import check_writable, save_atomically
from .common.errors import InputError
from .common.network.patch_merging import AUTO, check_kind
from .common.weights.find_merging import decide, in_words
from .common.weights.layouts import read_weights
from .common.weights.matching import encoder_of, part
from .common.weights.objective import KEY, describe_other_objective, describe_training
from .common.weights.preprocessing_note import with_metadata

NETWORK_NAME = "network.pt"
# Blocks of SwinUNETR between encoder and output layer; a decoder that lacks one is no decoder.
BLOCKS = {*(f"decoder{i}" for i in range(1, 6)), *(f"encoder{i}" for i in (1, 2, 3, 4, 10))}


def export_encoder(
    ckpt_path: str, encoder_path: str, merging: str = AUTO, objective: str | None = None
) -> None:
    """Exports a checkpoint's encoder and, where it has one, encoder and decoder together.

    Both files have SwinUNETR's key layout. The encoder's has `swinViT.*`; `network.pt`, beside it,
    has the decoder too, without the output layer, whose classes are the objective's own. The note
    of the checkpoint is exported too: its objective, spacing and so on, and the patch merging
    always.

    Args:
        ckpt_path: of this bundle's training, or any layout that `layouts` knows.
        encoder_path: of the encoder's file.
        merging: how the checkpoint was trained, where it does not tell; see `patch_merging`.
        objective: that of the overlay in the command; None takes a checkpoint of any.

    Raises:
        InputError: see `layouts.read_weights` and `find_merging.decide`; the checkpoint is of
            another objective; or a file to write is the checkpoint itself, or cannot be written.
    """
    network_path = Path(encoder_path).with_name(NETWORK_NAME)
    _check_paths(ckpt_path, encoder_path, network_path)
    remedy = "pre-train first (configs/train.json), or give a checkpoint by --ckpt_path."
    weights = read_weights(ckpt_path, remedy)
    note = weights.trained_with or {}
    other = describe_other_objective(note, {KEY: objective})
    if other:
        raise InputError(f"{ckpt_path} was pre-trained {other}.")
    kind = decide(check_kind(merging), weights.evidence, ckpt_path)
    encoder = encoder_of(weights.tensors)
    files = {Path(encoder_path): encoder}
    decoder = decoder_of(weights.tensors)
    if decoder:
        files[network_path] = encoder | decoder
    for path, tensors in files.items():
        save_atomically(with_metadata(tensors, weights.trained_with, kind), path)
    training = describe_training(note)
    words = f"{training}; " if training else ""
    print(
        f"encoder: {len(encoder)} tensors of {ckpt_path} in {encoder_path} "
        f"({words}{in_words(weights.evidence, kind)})"
    )
    if decoder:
        print(
            f"encoder and decoder: {len(files[network_path])} tensors in {network_path}, without "
            "the output layer; --pretrained takes either file"
        )
    elif network_path.exists():
        print(f"{network_path} is of another export: this checkpoint has no decoder")


def decoder_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Selects the decoder without its output layer; nothing where a block of it is missing."""
    decoder = {
        name: value
        for name, value in tensors.items()
        if part(name) == "decoder" and not name.startswith("out.")
    }
    return decoder if {name.partition(".")[0] for name in decoder} >= BLOCKS else {}


def _check_paths(ckpt_path: str, encoder_path: str, network_path: Path) -> None:
    """Refuses to write over the checkpoint, or both files to one."""
    if Path(ckpt_path).resolve() in (Path(encoder_path).resolve(), network_path.resolve()):
        raise InputError(
            f"{ckpt_path} is the checkpoint to export from, which stays as it is; give another "
            "--encoder_path, in another folder."
        )
    if Path(encoder_path).name == NETWORK_NAME:
        raise InputError(
            f"{encoder_path} is the name of the file with the decoder; give another --encoder_path."
        )
    check_writable(files=[encoder_path, network_path])
