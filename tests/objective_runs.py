"""Short trainings of an objective that are resumed, and what they must agree in."""

from pathlib import Path

import torch

SHORT = ["--iterations", 4, "--iterations_per_epoch", 2, "--batch_size", 2, "--num_workers", 0]
SHORT += ["--checkpoint_interval", 1, "--log_interval", 1, "--train::handlers::1::n_saved", 9]


def tensors(state, prefix: str = "") -> dict[str, torch.Tensor]:
    """All tensors of nested dictionaries and lists, by their path."""
    if isinstance(state, torch.Tensor):
        return {prefix: state}
    items = state.items() if isinstance(state, dict) else enumerate(state)
    parts = [(key, part) for key, part in items if isinstance(part, (dict, list, torch.Tensor))]
    return {k: v for key, part in parts for k, v in tensors(part, f"{prefix}/{key}").items()}


def final(bundle: Path) -> tuple[dict[str, torch.Tensor], str]:
    """Tensors of the last state and of the deployed model, and the curves."""
    paths = ["runs/demo/checkpoints/iteration_4.pt", "models/model.pt"]
    states = [torch.load(bundle / path, weights_only=True) for path in paths]
    states[0].pop("random")
    return tensors(states), (bundle / "runs/demo/metrics.csv").read_text()


def assert_equal(found: tuple, expected: tuple) -> None:
    assert found[0].keys() == expected[0].keys() and found[1] == expected[1]
    assert all(torch.equal(found[0][name], expected[0][name]) for name in expected[0])


def leave_only(bundle: Path, iteration: int) -> None:
    """As if a run had been killed after this iteration, an epoch's last before it validated best.

    Later rows of the curves stay, as those of a kill between a state and the next one would.
    """
    for path in (bundle / "runs/demo/checkpoints").glob("*.pt"):
        if path.name != f"iteration_{iteration}.pt":
            path.unlink()
    (bundle / "models/model.pt").unlink()
