"""Makes Markdown tables for tools/monai_versions: differences by case, and changed arguments."""

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
    versions = report["versions"]
    unusable = [f"MONAI {v}: {each['error']}." for v, each in versions.items() if "error" in each]
    return "\n\n".join([heading, *unusable, differences(versions), changed_arguments(versions)])


def differences(versions: dict) -> str:
    """Returns the table of all cases, in the order in which the versions ran them."""
    usable = {version: each["cases"] for version, each in versions.items() if "error" not in each}
    lines = [row(["case", "runs → reference", "versions", *COLUMNS])]
    lines.append(row([*["---"] * 3, *["--:"] * len(COLUMNS)]))
    for name in dict.fromkeys(name for cases in usable.values() for name in cases):
        shown = f"`{name}`" if "=" in name else name
        for merging in dict.fromkeys(m for cases in usable.values() for m in cases[name]):
            rows = [(version, cells(cases[name][merging])) for version, cases in usable.items()]
            for values, group in groupby(rows, key=lambda item: item[1]):
                lines.append(row([shown, merging, span([each[0] for each in group]), *values]))
                shown = ""
    return "\n".join(lines)


def cells(found: dict) -> list[str]:
    """Returns the cells of one comparison: figures, or the reason why there are none."""
    if "error" in found:
        return [found["error"].replace("|", "\\|"), *("" for _ in COLUMNS[1:])]
    states = [figure(value) for value in found["states"]]
    states += ["" for _ in range(6 - len(states))]
    return states + [figure(found[name]) for name in COLUMNS[6:]]


def figure(value: float | None) -> str:
    if value is None:
        return ""
    return "0" if value == 0 else f"{value:.2g}"


def span(versions: list[str]) -> str:
    return versions[0] if len(versions) == 1 else f"{versions[0]} – {versions[-1]}"


def row(values: list[str]) -> str:
    return f"| {' | '.join(values)} |"


def changed_arguments(versions: dict) -> str:
    """Returns a table of the constructors' arguments that are not as in the version before."""
    lines = [row(["version", "class", "arguments removed", "other defaults", "arguments added"])]
    lines.append(row(["---"] * 5))
    known = [(v, each["arguments"]) for v, each in versions.items() if "error" not in each]
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
