"""Writes one self-contained HTML page about a training, its pictures and its scores.

    python tools/report page report.html --runs bundles/NAME/runs/RUN --evaluation evaluation.csv

Each section appears only when its input is given, so partial results make a shorter page. The
pictures are embedded: the page can be moved, mailed and opened without a network.
"""

import contextlib
import webbrowser
from pathlib import Path

from common.atomic_write import check_writable
from common.cli.kinds import Count
from common.errors import InputError

from .html_page import page_html, write_page
from .image_sections import ct_section, inpainting_section, segmentation_section
from .inputs import existing, read_evaluation, read_label_names
from .score_sections import evaluation_section, runs_section

PHANTOM_STAMP = "trained on phantoms, not a segmentation to use"


def check_options(output: str, pairs: dict[str, tuple[str, str]], others: list[str]) -> None:
    """Stops when no input was named, or only half of a pair, or no page to write."""
    if not output.endswith(".html"):
        raise InputError(f"{output} does not end in .html; name the page to write first.")
    for options, (first, second) in pairs.items():
        if bool(first) != bool(second):
            raise InputError(f"{options} go together; give both or neither.")
    if not any(others) and not any(first for first, _ in pairs.values()):
        raise InputError(
            "Nothing to report: give at least one of --runs, --images, --segmented, --evaluation "
            "and --ct."
        )


def page(
    output: str,
    *,
    runs: list[str] | None = None,
    images: str = "",
    reconstructions: str = "",
    segmented: str = "",
    predictions: str = "",
    references: str = "",
    evaluation: str = "",
    highlight: list[str] | None = None,
    ct: str = "",
    ct_prediction: str = "",
    stamp: str = PHANTOM_STAMP,
    labels_from: str = "",
    title: str = "Swin UNETR: report",
    max_cases: Count = 3,
    open_browser: bool = False,
) -> None:
    """Writes a self-contained HTML page; each section appears only when its input is given.

    Args:
        output: the page to write, a name that ends in .html.
        runs: run folders with a metrics.csv, separated by commas.
        images: image, or folder of images, that were reconstructed.
        reconstructions: folder with STEM_corrupted.nii.gz and STEM_reconstruction.nii.gz, in HU.
        segmented: image, or folder of images, that were segmented.
        predictions: folder with STEM_seg.nii.gz.
        references: folder with reference label maps: the image's name, or label0001 for img0001.
        evaluation: CSV file with at least the columns case,label,name,dice.
        highlight: organ names, separated by commas, whose mean Dice is shown at the top.
        ct: an image without a reference.
        ct_prediction: the prediction for it.
        stamp: text written across the picture of that prediction; empty for none.
        labels_from: metadata.json of a bundle, for the organ names.
        title: heading of the page.
        max_cases: pictures in each section, at most.
        open_browser: show the page in the browser.
    """
    pairs = {
        "--images and --reconstructions": (images, reconstructions),
        "--segmented and --predictions": (segmented, predictions),
        "--ct and --ct_prediction": (ct, ct_prediction),
    }
    check_options(output, pairs, [runs, evaluation])
    if (references and not segmented) or (highlight and not evaluation):
        raise InputError("--references needs --segmented, and --highlight needs --evaluation.")
    check_writable(files=[output])
    names = {}
    if evaluation:
        table = read_evaluation(existing(evaluation, "--evaluation", "file"))
        names = dict(zip(table["label"].tolist(), table["name"]))
    if labels_from:
        names |= read_label_names(existing(labels_from, "--labels_from", "file"))
    sections = []
    if runs:
        sections.append(runs_section(runs))
    if images:
        sections.append(inpainting_section(images, reconstructions, max_cases))
    if segmented:
        sections.append(segmentation_section(segmented, predictions, references, names, max_cases))
    if evaluation:
        sections.append(evaluation_section(Path(evaluation), table, highlight or []))
    if ct:
        sections.append(ct_section(ct, ct_prediction, names, stamp))
    write_page(Path(output), content := page_html(title, sections))
    print(f"report: {output} ({content.count('<figure>')} figures)")
    if open_browser:  # a machine without a browser is no reason to fail
        with contextlib.suppress(webbrowser.Error, OSError):
            webbrowser.open(Path(output).resolve().as_uri())
