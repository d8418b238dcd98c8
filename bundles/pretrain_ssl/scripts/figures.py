"""The figures that tell how each of the three tasks goes."""

import json
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from torch import Tensor
from torch.nn.functional import normalize

from .handlers import scalars
from .losses import SSLLoss
from .run_folder import write_text


def rotation_accuracy(logits: Tensor, turns: Tensor) -> Tensor:
    """Share of the views whose rotation was recognised; chance is 0.25."""
    return (logits.argmax(dim=1) == turns).float().mean()


def contrastive_top1(embedding: Tensor) -> Tensor:
    """Share of the views whose nearest other view (cosine) is their partner; chance 1 / (2B - 1).

    Args:
        embedding: (2B, D), the first B are the first views.
    """
    unit = normalize(embedding.float(), dim=1)
    similarity = (unit @ unit.T).fill_diagonal_(-2.0)  # below any cosine: a view is not its partner
    partner = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return (similarity.argmax(dim=1) == partner).float().mean()


class SSLFigures(Metric):
    """Means over an epoch of the three losses, rotation accuracy and contrastive top-1.

    Reads `pred` and `label` of the engine's output; gathered over ranks.
    """

    def __init__(self, loss: SSLLoss) -> None:
        self.loss = loss
        super().__init__(output_transform=lambda output: (output["pred"], output["label"]))

    @reinit__is_reduced
    def reset(self) -> None:
        self.names: list[str] = []
        self.sums = torch.zeros(5, dtype=torch.float64)
        self.batches = 0

    @reinit__is_reduced
    @torch.no_grad()
    def update(self, output) -> None:
        pred, target = output
        figures = self.loss.terms(pred, target)
        figures["rotation_accuracy"] = rotation_accuracy(pred["rotation"], target["rotation"])
        figures["contrastive_top1"] = contrastive_top1(pred["embedding"])
        self.names = list(figures)
        self.sums += torch.stack(list(figures.values())).cpu().double()
        self.batches += 1

    @sync_all_reduce("sums", "batches")
    def compute(self) -> dict[str, float]:
        return {name: float(total) / self.batches for name, total in zip(self.names, self.sums)}


class FiguresFile:
    """Evaluator's handler: at the end its figures go to a JSON file and to standard output."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def completed(self, engine: Engine) -> None:
        write_text(self.path, json.dumps(scalars(engine), indent=2) + "\n")
        print("\n".join(f"{name}: {value:.4f}" for name, value in scalars(engine).items()))
