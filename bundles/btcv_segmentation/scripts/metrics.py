# Shared: the original is bundles/btcv_segmentation/scripts/metrics.py (see tools/vendor.py).
"""Evaluation figures per case and organ, on the image's own grid."""

import csv
import json
from pathlib import Path

import numpy as np
from ignite.engine import Engine, Events

from .run_folder import replacing, write_text

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
            voxel_ml = abs(np.linalg.det(np.asarray(label.affine)[:3, :3])) / 1000
            case = Path(item["image"].meta["filename_or_obj"]).name.split(".nii")[0]
            self.add(case, np.asarray(prediction[0]), np.asarray(label[0]), voxel_ml)

    def add(self, case: str, prediction: np.ndarray, reference: np.ndarray, voxel_ml: float):
        """Rows of one case: label maps of one shape, volume of a voxel in millilitres."""
        for value, name in self.names.items():
            found, truth = prediction == value, reference == value
            volumes = [round(np.sum(mask) * voxel_ml, 3) for mask in (found, truth)]
            row = [case, value, name, round(dice(found, truth), 4), *volumes]
            self.rows.append(dict(zip(COLUMNS, row)))

    def completed(self, engine: Engine) -> None:
        with replacing(self.folder / "metrics.csv") as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for row in self.rows:
                writer.writerow(row | {"dice": "" if np.isnan(row["dice"]) else row["dice"]})
        summary = self.summary()
        write_text(self.folder / "summary.json", json.dumps(summary, indent=2) + "\n")
        for name, value in summary["dice"].items():
            print(f"{name:28} Dice {'-' if value is None else format(value, '.3f')}")
        print(f"{'mean of the organs':28} Dice {summary['mean_dice']:.3f}")

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
