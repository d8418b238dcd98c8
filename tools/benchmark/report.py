"""Makes the rows, targets and table of tools/benchmark, and compares two sides' labels."""

from pathlib import Path
from statistics import median

import nibabel as nib
import numpy as np
from scipy.ndimage import binary_fill_holes

TITLES = {
    "crops": "reading a crop",
    "encoder": "encoder forward",
    "pretrain": "pre-training step",
    "finetune": "fine-tuning step",
    "volume": "whole CT",
}
REFERENCES = {
    "reference": "as published",
    "reference_allocator": "published, with our allocator setting",
    "ours_compressed": "ours, from the compressed originals",
    "reference_light": "published loop on our heads, no anomaly detection",
}
BODY_ABOVE_HU = -500
PAPER_ITERATIONS = 450_000
# At full size, against the reference as published
TARGETS = {
    "cpu": {
        "crops": {"speedup": 60.0},
        "encoder": {"speedup": 3.5},
        "pretrain": {"speedup": 2.0},
        "finetune": {"speedup": 1.3},
        "volume": {"speedup": 3.0, "agreement_in_body": 0.999, "memory_ratio": 0.5},
    },
    "cuda": {
        "crops": {"speedup": 60.0},  # read by the CPU
        "encoder": {"speedup": 3.0},
        "pretrain": {"speedup": 4.0, "gpu_hours": 60.0},
        "finetune": {"speedup": 1.8},
        "volume": {"speedup": 5.0, "ours_s": 2.0, "memory_ratio": 0.5},
    },
}
AT_LEAST = ("speedup", "agreement_in_body")


def agreement(folder: Path, side: str) -> dict[str, float]:
    """Computes the Dice (0 to 1) of our labels and a side's, and of each against the truth.

    The body is all voxels above -500 HU, with the holes of each axial slice filled.
    """
    hu = np.asanyarray(nib.load(folder / "ct.nii").dataobj)
    body = np.stack(
        [binary_fill_holes(plane > BODY_ABOVE_HU) for plane in np.moveaxis(hu, 2, 0)], 2
    )
    ours, reference, truth = (np.load(folder / f"{name}.npy") for name in ("ours", side, "truth"))
    same = ours == reference
    return {
        "agreement_in_body": float(same[body].mean()),
        "agreement": float(same.mean()),
        "ours_dice": mean_dice(ours, truth),
        "reference_dice": mean_dice(reference, truth),
    }


def mean_dice(labels: np.ndarray, truth: np.ndarray) -> float:
    """Averages the Dice over the organs that the truth shows."""
    size = int(max(labels.max(), truth.max())) + 1
    pairs = np.bincount(truth.ravel().astype(int) * size + labels.ravel(), minlength=size**2)
    pairs = pairs.reshape(size, size)
    sums = pairs.sum(0) + pairs.sum(1)
    return float(np.mean([2 * pairs[n, n] / sums[n] for n in range(1, size) if pairs[n].any()]))


def row(task: str, side: str, found: dict, same: dict, judged_on: str | None) -> dict:
    """Makes one line of the table.

    Args:
        task, side: the timed task, and the reference.
        found: times and peak memory by side.
        same: of a volume, see `agreement`.
        judged_on: device whose targets apply; None at a size without targets.
    """
    times = {name: median(found[name]["seconds"]) for name in ("ours", side)}
    gib = {name: found[name]["peak_bytes"] / 2**30 for name in ("ours", side)}
    line = {
        "name": TITLES[task],
        "reference": REFERENCES[side],
        "ours_s": times["ours"],
        "reference_s": times[side],
        "speedup": times[side] / times["ours"],
        "ours_gib": gib["ours"],
        "reference_gib": gib[side],
        "memory_ratio": gib["ours"] / gib[side],
        **same,
    }
    if task == "pretrain" and judged_on == "cuda":
        line["gpu_hours"] = times["ours"] * PAPER_ITERATIONS / 3600
    if judged_on and side == "reference":
        line["target"] = TARGETS[judged_on][task]
        line["is_met"] = all(
            line[name] >= value if name in AT_LEAST else line[name] <= value
            for name, value in line["target"].items()
        )
    return line


def table(result: dict) -> str:
    """Formats the result as Markdown."""
    hardware, versions = result["hardware"], result["versions"]
    header = "| | reference | ours s | reference s | faster | ours GiB | reference GiB | memory"
    lines = [
        f"{header} | same labels | target | met |",
        "|---|---|" + "--:|" * 7 + "---|---|",
        *map(markdown, result["rows"]),
        "",
        *(sentence for line in result["rows"] for sentence in remarks(line)),
        f"{result['date']}, {result['device']}, size {result['size']}: medians; memory is the "
        "largest resident set on a CPU, the largest allocation on CUDA.",
        f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['threads']} threads; "
        f"GPU: {hardware['gpu'] or 'none'}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + ".",
        "",
    ]
    return "\n".join(lines)


def markdown(line: dict) -> str:
    """Formats the cells of a row."""
    same = f"{line['agreement_in_body']:.3%}" if "agreement_in_body" in line else ""
    signs = {name: "≥" if name in AT_LEAST else "≤" for name in line.get("target", {})}
    target = ", ".join(
        f"{name.replace('_', ' ')} {signs[name]} {value:g}"
        for name, value in line.get("target", {}).items()
    )
    met = {True: "yes", False: "no", None: ""}[line.get("is_met")]
    cells = [
        line["name"],
        line["reference"],
        f"{line['ours_s']:.3g}",
        f"{line['reference_s']:.3g}",
        f"{line['speedup']:.2f}x",
        f"{line['ours_gib']:.2f}",
        f"{line['reference_gib']:.2f}",
        f"{line['memory_ratio']:.2f}",
        same,
        target,
        met,
    ]
    return "| " + " | ".join(cells) + " |"


def remarks(line: dict) -> list[str]:
    """Lists remarks on a row that its cells do not show."""
    found = []
    if "agreement" in line:
        found.append(
            "Labels of the whole CT: the same for "
            f"{line['agreement_in_body']:.3%} of the body's voxels, for {line['agreement']:.3%} of "
            "all; both with Gaussian blending; mean Dice against the phantom's truth "
            f"{line['ours_dice']:.3f} (ours), {line['reference_dice']:.3f} (reference)."
        )
    if line["name"] == TITLES["crops"]:
        found.append(
            f"Crops a second on one core: {1 / line['ours_s']:.3g} (ours), "
            f"{1 / line['reference_s']:.3g} ({line['reference']})."
        )
    if "gpu_hours" in line:
        found.append(f"{PAPER_ITERATIONS} iterations: {line['gpu_hours']:.0f} GPU-hours (ours).")
    return found
