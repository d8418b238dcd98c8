"""Exports the encoder of a pre-training to the file that a fine-tuning starts from."""

from pathlib import Path

from .common.atomic_write import check_writable, save_atomically
from .common.errors import InputError
from .common.network.patch_merging import AUTO, check_kind
from .common.weights.find_merging import decide, in_words
from .common.weights.layouts import read_weights
from .common.weights.matching import encoder_of
from .common.weights.preprocessing_note import with_metadata


def export_encoder(ckpt_path: str, encoder_path: str, merging: str = AUTO) -> None:
    """Exports the encoder of a pre-training checkpoint as `swinViT.*`, SwinUNETR's key layout.

    Spacing and intensity range are exported too where the checkpoint has them, and the patch
    merging always.

    Args:
        ckpt_path: of this bundle's training, or any layout that `layouts` knows.
        encoder_path: of the file to write.
        merging: how the checkpoint was trained, where it does not tell; see `patch_merging`.

    Raises:
        InputError: see `layouts.read_weights` and `find_merging.decide`; or `encoder_path` is the
            checkpoint itself, or cannot be written.
    """
    if Path(encoder_path).resolve() == Path(ckpt_path).resolve():
        raise InputError(
            f"{encoder_path} is the checkpoint to export from, which stays as it is; give another "
            "--encoder_path."
        )
    check_writable(files=[encoder_path])
    remedy = "pre-train first (configs/train.json), or give a checkpoint by --ckpt_path."
    weights = read_weights(ckpt_path, remedy)
    encoder = encoder_of(weights.tensors)
    kind = decide(check_kind(merging), weights.evidence, ckpt_path)
    save_atomically(with_metadata(encoder, weights.trained_with, kind), encoder_path)
    print(
        f"encoder: {len(encoder)} tensors of {ckpt_path} in {encoder_path} "
        f"({in_words(weights.evidence, kind)})"
    )
