# Shared: the original is bundles/btcv_segmentation/scripts/metrics.py (see tools/vendor.py).
"""Evaluation figures per case and organ, on the image's own grid."""

import csv
import json
import os
from pathlib import Path

import numpy as np
from ignite.engine import Engine, Events

from .files import replacing, write_text

COLUMNS = ["case", "label", "name", "dice", "volume_ml", "reference_volume_ml"]


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """2 |P ∩ R| / (|P| + |R|) of two bool masks of one shape; NaN when the reference is empty."""
    if not reference.any():
        return float("nan")
    return 2 * np.sum(prediction & reference) / (np.sum(prediction) + np.sum(reference))


class EvaluationTable:
    """Evaluator's handler: `metrics.csv` (a row per case and organ) and `summary.json`.

    Organs that a reference does not show have an empty Dice and stay out of the means.

    Args:
        folder: where the two files go.
        label_names: names by label value as text, `{"0": "background", "1": "spleen", …}`.
    """

    def __init__(self, folder: str, label_names: dict[str, str]) -> None:
        self.folder = Path(folder)
        self.names = {int(value): name for value, name in label_names.items() if int(value)}
        self.rows: list[dict] = []

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def iteration_completed(self, engine: Engine) -> None:
        for item in engine.state.output:
            prediction, label = item["pred"], item["label"]
            voxel_ml = abs(np.linalg.det(label.affine[:3, :3].cpu().numpy())) / 1000
            case = item["image"].meta["filename_or_obj"].removesuffix(".gz").removesuffix(".nii")
            self.add(case, prediction[0].cpu().numpy(), label[0].cpu().numpy(), voxel_ml)

    def add(self, case: str, prediction: np.ndarray, reference: np.ndarray, voxel_ml: float):
        """Rows of one case: its path, label maps of one shape, volume of a voxel in millilitres."""
        for value, name in self.names.items():
            found, truth = prediction == value, reference == value
            volumes = [round(np.sum(mask) * voxel_ml, 3) for mask in (found, truth)]
            row = [case, value, name, round(dice(found, truth), 4), *volumes]
            self.rows.append(dict(zip(COLUMNS, row)))

    def completed(self, engine: Engine) -> None:
        with replacing(self.folder / "metrics.csv") as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            names = self.case_names()
            for row in self.rows:
                value = "" if np.isnan(row["dice"]) else row["dice"]
                writer.writerow(row | {"case": names[row["case"]], "dice": value})
        summary = self.summary()
        write_text(self.folder / "summary.json", json.dumps(summary, indent=2) + "\n")
        for name, value in [*summary["dice"].items(), ("mean of the organs", summary["mean_dice"])]:
            print(f"{name:28} Dice {'-' if value is None else format(value, '.3f')}")

    def case_names(self) -> dict[str, str]:
        """A name per path: the file's, or the path below what all share where files' names do."""
        paths = list(dict.fromkeys(row["case"] for row in self.rows))
        names = [Path(path).name for path in paths]
        if len(set(names)) < len(names):
            names = [os.path.relpath(path, os.path.commonpath(paths)) for path in paths]
        return dict(zip(paths, names))

    def summary(self) -> dict:
        """Mean Dice per organ over the cases that show it (None: no case does), and their mean."""
        means = {}
        for name in self.names.values():
            values = [row["dice"] for row in self.rows if row["name"] == name]
            shown = [value for value in values if not np.isnan(value)]
            means[name] = round(float(np.mean(shown)), 4) if shown else None
        defined = [value for value in means.values() if value is not None]
        cases = len({row["case"] for row in self.rows})
        mean = round(float(np.mean(defined)), 4) if defined else None
        return {"cases": cases, "mean_dice": mean, "dice": means}
