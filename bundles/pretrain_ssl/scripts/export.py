"""The encoder of a pre-training, as the file that a fine-tuning starts from."""

from .agreement import noted
from .coverage import encoder_of
from .files import save_atomically
from .layouts import read_weights


def export_encoder(ckpt_path: str, encoder_path: str) -> None:
    """Write the encoder of a pre-training checkpoint as `swinViT.*`, SwinUNETR's key layout.

    Spacing and intensity range go along where the checkpoint carries them.

    Raises:
        InputError: see `layouts.read_weights`.
    """
    remedy = "pre-train first (configs/train.json), or give a checkpoint by --ckpt_path."
    weights = read_weights(ckpt_path, remedy)
    encoder = encoder_of(weights.tensors)
    save_atomically(noted(encoder, weights.trained_with), encoder_path)
    print(f"encoder: {len(encoder)} tensors of {ckpt_path} in {encoder_path}")
