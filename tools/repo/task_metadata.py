"""Writes the metadata of a task's own bundle, from the task and the metadata of `msd_tasks`."""

import math
from typing import Any

FORMATS = {"CT": ("hounsfield", "CT"), "MRI": ("magnitude", "MR")}  # in the schema's words


def metadata(of_msd_tasks: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """Makes the metadata of one task's bundle.

    Args:
        of_msd_tasks: parsed `metadata.json`; versions, authors and references stay.
        task: parsed file of `configs/tasks/`.
    """
    name, labels, channels = task["name"], task["labels"], channel_names(task)
    foreground = [words for number, words in labels.items() if number != "0"]
    image_format, modality = FORMATS[task["modality"]]
    shared = {"type": "image", "spatial_shape": task["patch_size"], "dtype": "float32"}
    image = shared | {
        "format": image_format,
        "modality": modality,
        "num_channels": task["channels"],
        "value_range": value_range(task),
        "is_patch_data": True,
        "channel_def": {str(number): words for number, words in enumerate(channels)},
    }
    scores = shared | {
        "format": "segmentation",
        "num_channels": len(labels),
        "value_range": [0, 1],
        "is_patch_data": True,
        "channel_def": labels,
    }
    numbered = ", ".join(f"{number} {words}" for number, words in labels.items())
    start = "an encoder that was pre-trained by self-supervision"
    start = f"starting from {start}" if task["modality"] == "CT" else "from scratch"
    return of_msd_tasks | {
        "name": title(task),
        "task": f"segmentation of {', '.join(foreground)} ({name} of the Medical Segmentation "
        "Decathlon)",
        "description": f"Swin UNETR fine-tuned on {name}, {start}",
        "image_classes": f"single channel {task['modality']}"
        if task["channels"] == 1
        else f"{task['channels']} channels of {task['modality']}: {', '.join(channels)}",
        "label_classes": f"single channel, {numbered}",
        "pred_classes": f"{len(labels)} channels, background, {', '.join(foreground)}",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": scores}},
    }


def title(task: dict[str, Any]) -> str:
    """Returns the name in the metadata; an existing bundle is recognised by it."""
    return f"{task['name']} with Swin UNETR"


def channel_names(task: dict[str, Any]) -> list[str]:
    """Lists the content of each channel of an image."""
    return task.get("channel_names") or ["image"] * task["channels"]


def value_range(task: dict[str, Any]) -> list[float]:
    """Computes the range of a network's input, to a tenth outwards; empty where none is known."""
    low, high = -math.inf, math.inf
    for transform in task["intensity_transforms"]:
        if transform["_target_"] == "ScaleIntensityRanged" and transform.get("clip"):
            low, high = transform["b_min"], transform["b_max"]
        elif transform["_target_"] == "NormalizeIntensityd" and "divisor" in transform:
            mean, sd = transform["subtrahend"], transform["divisor"]
            low, high = (low - mean) / sd, (high - mean) / sd
    if not math.isfinite(low + high):
        return []
    return [math.floor(low * 10) / 10, math.ceil(high * 10) / 10]
