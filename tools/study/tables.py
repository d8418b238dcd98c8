"""Formats a study's results as text: a row for each level of x and line, with paired gains."""

from .grid import Study, line_factors
from .results import Panels, Spread, gain, levels_of, number

NO_GAIN = "-"  # the base itself, or no pair


def tables(study: Study, found: Panels) -> str:
    """Formats a table for each panel, under the panel's name where there are several.

    Columns: x, the line, the mean Dice with its spread, the gain over the panel's first line
    (without lines: over the first level of x), from the second panel on the gain over the same
    line and level of the first panel, and the number of runs. Gains are of pairs, runs that differ
    in nothing else.
    """
    first, *others = found
    texts = [table(study, found, first)]
    texts += [table(study, found, name, compared=first) for name in others]
    if others:
        texts = [f"{name}\n{text}" for name, text in zip(found, texts)]
    return "\n\n".join(texts)


def table(study: Study, found: Panels, name: str, compared: str | None = None) -> str:
    """Formats the table of the panel `name`, with gains over the panel `compared` if any."""
    scores, figure = found[name], study.content["figure"]
    lines, levels = line_factors(figure), levels_of(scores)
    base = next(iter(scores)) if lines else levels[0]
    head = [figure["x"], *([", ".join(lines)] if lines else []), "mean Dice"]
    head.append(f"gain over {base if lines else shown(study, base)}")
    rows = [[*head, *([f"gain over {compared}"] if compared else []), "runs"]]
    for level in levels:
        for line, by_level in scores.items():
            if level not in by_level:
                continue
            runs = by_level[level]
            beside = scores[base].get(level, {}) if lines else by_level[base]
            is_base = (line if lines else level) == base
            cells = [shown(study, level), *([line] if lines else [])]
            cells += [
                Spread(tuple(runs.values())).text(),
                NO_GAIN if is_base else gain_text(runs, beside),
            ]
            if compared:
                cells.append(gain_text(runs, found[compared].get(line, {}).get(level, {})))
            rows.append([*cells, str(len(runs))])
    return aligned(rows)


def gain_text(better: dict[str, float], base: dict[str, float]) -> str:
    """Formats a paired gain, `-` where there are no pairs."""
    found = gain(better, base)
    return found.text("+") if found else NO_GAIN


def aligned(lines: list[list[str]]) -> str:
    """Aligns the columns of a table of texts."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)) for line in lines]
    return "\n".join(line.rstrip() for line in text)


def shown(study: Study, level: str) -> str:
    """Writes a level of x as the figure does: 0.1 as 10%, for instance."""
    form = study.content["figure"].get("x_format")
    value = number(level)
    return form.format(x=value) if form and value is not None else level
