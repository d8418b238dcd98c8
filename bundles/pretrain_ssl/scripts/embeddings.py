"""Computes an embedding of each volume with the encoder alone, and writes their table."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from monai.data.utils import dense_patch_slices
from monai.engines import IterationEvents
from monai.networks.utils import eval_mode
from torch import Tensor, nn

from .common.atomic_write import write_text
from .common.data.output_names import dataset_root


def embedding(
    encoder: nn.Module, volume: Tensor, patch_size: Sequence[int], batch_size: int = 1
) -> list[Tensor]:
    """Computes the mean-pooled output of every stage of the encoder.

    The volume is cut into windows of `patch_size` without overlap. The last window along an axis is
    moved back inside. All windows have one size, and all tokens of all windows weigh the same, so
    voxels in two windows count twice. A volume shorter than a window is cut along the other axes
    only.

    Args:
        encoder: in evaluation mode; gives for (B, C, X, Y, Z) a list of (B, F, …), as MONAI's
            `SwinTransformer` does: by default five, the last with one token per 32 voxels. They
            are what the heads and a `SwinUNETR` get, each token normalised over its F.
        volume: (C, X, Y, Z), HU scaled to [0, 1], on the encoder's device.
        patch_size: of a window, voxels.
        batch_size: windows at a time.

    Returns:
        For each stage (F,) float32, on the same device.
    """
    windows = dense_patch_slices(volume.shape[1:], patch_size, patch_size)
    totals: list[Tensor] = []
    for start in range(0, len(windows), batch_size):
        chosen = windows[start : start + batch_size]
        stages = encoder(torch.stack([volume[:, *window] for window in chosen]))
        sums = [stage.float().flatten(2).mean(dim=2).sum(dim=0) for stage in stages]
        totals = [a + b for a, b in zip(totals, sums)] if totals else sums
    return [total / len(windows) for total in totals]


class EncoderNetwork(nn.Module):
    """Holds an encoder alone, under the name by which weights of every layout have it.

    Args:
        encoder: MONAI's `SwinTransformer`.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.swinViT = encoder

    def forward(self, image: Tensor) -> list[Tensor]:
        """Returns the encoder's stages."""
        return self.swinViT(image)


class EmbeddingTable:
    """Writes one row per volume to a CSV file, at the end of the run; an evaluator's handler.

    Columns are `image`, the path relative to `dataset_dir`, and `stage<s>_<f>`, number f of stage s
    of `embedding`, six digits. Until the end the file of an earlier run stays, if there is one.

    Args:
        path: of the CSV file; an earlier one is replaced.
        network: with the encoder as `swinViT`; the bare network, on the evaluator's device.
        patch_size: of a window, voxels.
        dataset_dir: folder of the images, or the one image.
        batch_size: windows at a time.
        key: of the volume that is embedded, in the evaluator's batch: (C, X, Y, Z), decollated.
    """

    def __init__(
        self,
        path: str,
        network: nn.Module,
        patch_size: Sequence[int],
        dataset_dir: str,
        batch_size: int = 1,
        key: str = "intact",
    ) -> None:
        self.path, self.network, self.patch_size = Path(path), network, patch_size
        self.folder, self.batch_size, self.key = dataset_root(dataset_dir), batch_size, key
        self.rows: list[tuple[str, list[Tensor]]] = []

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        # inside the iteration: what fails here fails as the image does, and others go on
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self.model_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def started(self, engine: Engine) -> None:
        self.rows = []

    def model_completed(self, engine: Engine) -> None:
        device, encoder = engine.state.device, self.network.swinViT
        for case in engine.state.batch:
            name = os.path.relpath(case[self.key].meta["filename_or_obj"], self.folder)
            volume = case[self.key].as_tensor().to(device)
            # as the evaluator runs its network: "cuda" whatever the device, evaluation mode only
            # while it runs
            precision = torch.autocast("cuda", enabled=engine.amp, **engine.amp_kwargs)
            with eval_mode(encoder), precision:
                stages = embedding(encoder, volume, self.patch_size, self.batch_size)
            self.rows.append((Path(name).as_posix(), [stage.cpu() for stage in stages]))

    def completed(self, engine: Engine) -> None:
        if not self.rows:
            return
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        sizes = [len(stage) for stage in self.rows[0][1]]
        columns = [f"stage{s}_{f}" for s, size in enumerate(sizes) for f in range(size)]
        table.writerow(["image", *columns])
        for name, stages in self.rows:
            table.writerow([name, *(f"{value:.6g}" for value in torch.cat(stages).tolist())])
        write_text(self.path, text.getvalue())
