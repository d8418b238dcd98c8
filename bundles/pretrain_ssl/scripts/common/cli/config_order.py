# generated from common/cli/config_order.py, do not edit: `make copies`
"""Checks the order of config files: a later file takes keys of earlier ones back in silence."""

from collections.abc import Iterator, Sequence

from ..errors import InputError
from .command_line import Layer
from .knobs import node_at

OBJECTIVE = "objective"  # each overlay of a pre-training's objective sets it
WORKFLOW_KEYS = {"imports", "bundle_root", "run"}  # of a config that runs without another


def is_workflow(layer: Layer) -> bool:
    """Tells whether a config file is a whole workflow, as `train.json` is, and no overlay."""
    return layer.values.keys() >= WORKFLOW_KEYS


def check_order(files: Sequence[Layer]) -> None:
    """Checks that no config file takes back what an earlier one has set.

    That is any key for a workflow, which therefore stands first, and for the overlay of an
    objective behind one that is of none, such as a user's settings. For any other overlay it is a
    part of a node that the overlay replaces whole; a part that the new node lacks is no setting.

    Args:
        files: config files in order.

    Raises:
        InputError: a file does, or there are two workflows.
    """
    for position, layer in enumerate(files):
        for earlier in files[:position]:
            _check_pair(earlier, layer)


def _check_pair(earlier: Layer, layer: Layer) -> None:
    if is_workflow(earlier) and is_workflow(layer):
        raise InputError(
            f"{earlier.source} and {layer.source} are both whole workflows; give one of them in "
            "--config_file."
        )
    is_of_objective = OBJECTIVE in layer.values and OBJECTIVE not in earlier.values
    is_first = is_workflow(layer) or is_of_objective and not is_workflow(earlier)
    for part, node in _taken_back(earlier, layer):
        if part == node and not is_first:
            continue
        what = f"{node}, which {earlier.source} before it sets"
        if part != node:
            what = f"{node}, of which {earlier.source} before it sets {part}"
        raise InputError(
            f"{layer.source} replaces {what}; give {layer.source} before {earlier.source} in "
            "--config_file."
        )


def _taken_back(earlier: Layer, layer: Layer) -> Iterator[tuple[str, str]]:
    """Yields each key of the earlier file whose value the later one changes, and the later's key.

    A list that the earlier file adds to (`+imports`) is a part of the node.
    """
    for key, value in earlier.values.items():
        name, is_added = key.lstrip("+").replace("#", "::"), key.startswith("+")
        for node, content in layer.values.items():
            node = node.replace("#", "::")
            if node.startswith(("+", "_")) or not f"{name}::".startswith(f"{node}::"):
                continue
            rest = name.removeprefix(node).removeprefix("::")
            new = node_at(content, rest) if rest else content
            is_lacking = bool(rest) and new is None
            if is_added or not is_lacking and new != value:
                yield key, node
