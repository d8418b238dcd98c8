"""Finds, for each row of the pre-training recipe, the largest chunk that its memory holds."""

from collections.abc import Callable
from time import perf_counter

from tools import ROOT

from .process import say, tried
from .sizes import CUDA, TINY

# The table "Which settings for which machine" of pretrain_ssl's training.md, one process each.
# Smaller cards are tried on a larger one by a limit to what PyTorch may allocate.
ROWS = [
    {"machine": "one GPU, 16 GB", "batch_size": 32, "memory_gb": 16.0, "config": CUDA},
    {"machine": "one GPU, 24 GB", "batch_size": 64, "memory_gb": 24.0, "config": CUDA},
    {"machine": "one GPU, 80 GB", "batch_size": 128, "memory_gb": 80.0, "config": CUDA},
]
TINY_ROWS = [{"machine": "tiny", "batch_size": 4, "memory_gb": 64.0, "config": TINY}]


def largest(
    chunks: list[int], fits: Callable[[int], dict | None]
) -> tuple[int | None, dict[int, dict]]:
    """Finds by bisection the largest chunk that fits; a smaller one than that fits too.

    Args:
        chunks: in rising order.
        fits: measures a chunk; None where it does not fit.

    Returns:
        The chunk, None where none fits, and the measurements by chunk.
    """
    measured, low, high = {}, 0, len(chunks)
    while low < high:
        middle = (low + high) // 2
        found = fits(chunks[middle])
        if found is None:
            high = middle
        else:
            measured[chunks[middle]] = found
            low = middle + 1
    return (chunks[low - 1] if low else None), measured


def recipe_row(row: dict, device: str, limit_s: float) -> dict:
    """Measures a row: the largest chunk, peak memory, and crops a second of training.

    Args:
        row: one of `ROWS`.
        device: cuda or cpu.
        limit_s: seconds for all tries together.
    """
    end = perf_counter() + limit_s
    chunks = [2**n for n in range(row["batch_size"].bit_length()) if 2**n <= row["batch_size"]]

    def fits(chunk: int) -> dict | None:
        config = row["config"] | {"batch_size": row["batch_size"], "chunk_size": chunk}
        found = tried(recipe_order(row, config, device), max(0.0, end - perf_counter()))
        say(f"{row['machine']}, chunk {chunk}: {found}")
        return None if "out_of_memory" in found else found

    chunk, measured = largest(chunks, fits)
    line = {key: row[key] for key in ("machine", "batch_size", "memory_gb")}
    if chunk is None:
        return line | {"chunk_size": None}
    seconds = measured[chunk]["seconds"]
    return line | {
        "chunk_size": chunk,
        "crops_a_second": row["batch_size"] / seconds,
        "seconds_a_step": seconds,
        "peak_gib": measured[chunk]["peak_bytes"] / 2**30,
    }


def recipe_order(row: dict, config: dict, device: str) -> dict:
    """Makes the order of steps of pre-training under a row's limit of memory."""
    return {
        "task": "recipe",
        "side": "ours",
        "device": device,
        "bundles": str(ROOT / "bundles"),
        "config": config,
        "memory_gb": row["memory_gb"],
    }
