"""Runs every case in one version of MONAI, as a process of tools/monai_versions.

    PYTHONPATH=PARENT:. python -m tools.monai_versions.worker FOLDER PARENT REPORT CASES [reference]

PARENT is the folder that holds the package `monai`. The reference writes weights, inputs and its
own results to FOLDER; every other version reads them and writes how far its results are from them
to REPORT, a JSON file. CASES are names, separated by semicolons.
"""

import inspect
import json
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from .cases import CASES, NEW_TO_OWN, OWN, OWN_TO_OLD, Case
from .network import UnavailableError, build, forward, gradients

# What runs and what it is compared with, by the comparison's name.
MERGINGS = {
    OWN: ("own", "own"),
    OWN_TO_OLD: ("own", "old order"),
    NEW_TO_OWN: ("new order", "own"),
}


def main(folder: str, parent: str, report: str, names: str, role: str = "") -> None:
    """Runs the cases and writes the report; see the module's docstring."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    monai = import_module("monai")
    if Path(parent).resolve() not in Path(monai.__file__).resolve().parents:
        raise SystemExit(f"monai was imported from {monai.__file__}, not from {parent}")
    module = swin_unetr()
    if not hasattr(module, "SwinUNETR"):
        raise SystemExit("has no SwinUNETR")
    found: dict = {"version": monai.__version__, "arguments": arguments(module), "cases": {}}
    for name in names.split(";"):
        case, stem = CASES[name], Path(folder) / f"case{list(CASES).index(name)}"
        if role == "reference":
            prepare(module, case, stem)
        else:
            found["cases"][name] = compare_case(module, case, stem)
    Path(report).write_text(json.dumps(found))


def swin_unetr() -> ModuleType:
    """Returns the version's module of Swin UNETR; an empty one if there is none."""
    try:
        return import_module("monai.networks.nets.swin_unetr")
    except ModuleNotFoundError as error:
        if error.name != "monai.networks.nets.swin_unetr":
            raise
        return ModuleType("empty")


def arguments(module: ModuleType) -> dict[str, dict[str, str]]:
    """Returns the constructors' arguments and their defaults, as text."""
    found = {}
    for name in ("SwinUNETR", "SwinTransformer"):
        if hasattr(module, name):
            parameters = inspect.signature(getattr(module, name)).parameters.values()
            found[name] = {each.name: default(each) for each in parameters}
    return found


def default(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return "required"
    return getattr(parameter.default, "__name__", repr(parameter.default))


def prepare(module: ModuleType, case: Case, stem: Path) -> None:
    """Writes the case's weights, input and target, and the outputs of the reference."""
    network = build(module, case, "own")
    generator = torch.Generator().manual_seed(2)
    shake(network, generator)
    image = torch.randn(1, case.channels, *case.size, generator=generator)
    with torch.no_grad():
        shape = forward(network.eval(), image, case.precision)[-1].shape
    target = torch.randn(shape, generator=generator)
    given = {"weights": network.float().state_dict(), "image": image, "target": target}
    torch.save(given, stem.with_suffix(".pt"))
    for merging in sorted({MERGINGS[name][1] for name in case.mergings}):
        torch.save(measure(module, case, merging, given), result_path(stem, merging))


def shake(network: nn.Module, generator: torch.Generator) -> None:
    """Moves biases, norms and position tables off the zeros and ones that they begin with."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("relative_position_bias_table"):
                parameter.copy_(0.5 * noise)
            elif parameter.dim() == 1:
                parameter.add_(0.1 * noise)


def result_path(stem: Path, merging: str) -> Path:
    return stem.with_suffix(f".{merging.replace(' ', '_')}.pt")


def measure(module: ModuleType, case: Case, merging: str, given: dict) -> dict:
    """Returns hidden states, output and gradients of the given weights; keys must be the same."""
    network = build(module, case, merging)
    initial = {key: value.clone() for key, value in network.state_dict().items()}
    keys = network.load_state_dict(given["weights"], strict=False)
    if keys.missing_keys or keys.unexpected_keys:
        raise UnavailableError(f"misses {keys.missing_keys}, does not know {keys.unexpected_keys}")
    with torch.no_grad():
        states = forward(network.eval(), given["image"], case.precision)
    slopes = {}
    if case.precision == "float32":  # torch's bfloat16 gradients on a CPU wander between two runs
        slopes = gradients(network, case, given["image"], given["target"])
    return {"states": states, "gradients": slopes, "initial": initial}


def compare_case(module: ModuleType, case: Case, stem: Path) -> dict[str, dict]:
    """Returns the differences by the comparison's name, or why the version cannot run the case."""
    given, runs, found = torch.load(stem.with_suffix(".pt")), {}, {}
    for name in case.mergings:
        merging, other = MERGINGS[name]
        try:
            if merging not in runs:
                runs[merging] = measure(module, case, merging, given)
            found[name] = differences(runs[merging], torch.load(result_path(stem, other)))
        except Exception as error:  # whatever an old version raises is a result
            found[name] = {"error": sentence(error)}
    return found


def sentence(error: Exception) -> str:
    """Returns an error's first two lines, after its class unless it is an UnavailableError."""
    line = " ".join(str(error).split("\n")[:2]).replace("\t", "")[:200]
    return line if isinstance(error, UnavailableError) else f"{type(error).__name__}: {line}"


def differences(ours: dict, reference: dict) -> dict:
    """Returns relative L2 differences of a run from the reference's run; None without gradients."""
    slopes = [(each, reference["gradients"][name]) for name, each in ours["gradients"].items()]
    initial = [(each, reference["initial"][name]) for name, each in ours["initial"].items()]
    return {
        "states": [relative([pair]) for pair in zip(ours["states"], reference["states"])],
        "gradient": relative(slopes) if slopes else None,
        "worst gradient": max((relative([pair]) for pair in slopes), default=None),
        "initial weights": relative(initial),
    }


def relative(pairs: list[tuple[Tensor, Tensor]]) -> float:
    """Returns ||ours - reference|| / ||reference|| over all pairs of tensors, in float64."""
    apart = sum(float((a.double() - b.double()).square().sum()) for a, b in pairs)
    whole = sum(float(b.double().square().sum()) for _, b in pairs)
    return (apart / whole) ** 0.5 if whole else (0.0 if apart == 0 else float("inf"))


if __name__ == "__main__":
    main(*sys.argv[1:])
