"""Markdown tables of tools/monai_versions.py: differences by case, and changed arguments."""

from itertools import groupby

COLUMNS = ("h0", "h1", "h2", "h3", "h4", "output", "gradient", "worst gradient", "initial weights")


def markdown(report: dict) -> str:
    """Returns the tables of a report; versions in a row that give the same cells share a row.

    Args:
        report: reference, torch and versions, as `run` writes them.
    """
    heading = (
        f"Relative L2 differences from MONAI {report['reference']} with torch {report['torch']}; "
        "0 is the same to the last bit."
    )
    return "\n\n".join([heading, *(differences(report)), changed_arguments(report)])


def differences(report: dict) -> list[str]:
    """Returns one table for each case, in the order in which the versions ran them."""
    versions = report["versions"]
    names = list(
        dict.fromkeys(name for each in versions.values() for name in each.get("cases", {}))
    )
    unusable = [f"MONAI {v}: {each['error']}" for v, each in versions.items() if "error" in each]
    return [*unusable, *(case_table(name, versions) for name in names)]


def case_table(name: str, versions: dict) -> str:
    """Returns the table of one case."""
    usable = {v: each["cases"][name] for v, each in versions.items() if "error" not in each}
    lines = [f"**{name}**", "", row(["merging", "versions", *COLUMNS])]
    lines.append(row(["---", "---", *("--:" for _ in COLUMNS)]))
    mergings = dict.fromkeys(merging for each in usable.values() for merging in each)
    for merging in mergings:
        rows = [(version, cells(each[merging])) for version, each in usable.items()]
        for values, group in groupby(rows, key=lambda item: item[1]):
            lines.append(row([merging, span([version for version, _ in group]), *values]))
    return "\n".join(lines)


def cells(found: dict) -> list[str]:
    """Returns the cells of one comparison: figures, or the reason why there are none."""
    if "error" in found:
        return [found["error"].replace("|", "\\|"), *("" for _ in COLUMNS[1:])]
    states = [figure(value) for value in found["states"]]
    states += ["" for _ in range(6 - len(states))]
    return states + [figure(found[name]) for name in COLUMNS[6:]]


def figure(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}"


def span(versions: list[str]) -> str:
    return versions[0] if len(versions) == 1 else f"{versions[0]} – {versions[-1]}"


def row(values: list[str]) -> str:
    return f"| {' | '.join(values)} |"


def changed_arguments(report: dict) -> str:
    """Returns a table of the constructors' arguments that are not as in the version before."""
    lines = ["**Arguments**", "", row(["version", "class", "removed", "changed", "added"])]
    lines.append(row(["---"] * 5))
    versions = report["versions"].items()
    known = [(version, each["arguments"]) for version, each in versions if each.get("arguments")]
    for (_, before), (version, after) in zip(known, known[1:]):
        for kind in after:
            changes = changed(before.get(kind, {}), after[kind])
            if any(changes):
                lines.append(row([version, kind, *changes]))
    return "\n".join(lines)


def changed(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Returns the arguments that were removed, got another default, and were added, as text."""
    removed = [f"`{name}`" for name in old if name not in new]
    moved = [f"`{n}` {old[n]} → {new[n]}" for n in old if n in new and old[n] != new[n]]
    added = [f"`{name}={new[name]}`" for name in new if name not in old]
    return [", ".join(removed), ", ".join(moved), ", ".join(added)]
