"""Makes the page's sections of images: restored, segmented, and without a reference."""

import html
from pathlib import Path

from common.errors import InputError

from .html_page import Section, figure_html, paragraph
from .inputs import Case, existing, find_cases, find_reference, stem
from .slice_figures import inpainting_figure, overlay_figure
from .volumes import (
    Volume,
    check_same_grid,
    intensity_window,
    is_mr,
    load_label_map,
    load_volume,
)

SIDES_CAPTION = (
    "Axial and coronal slices are seen as radiologists do: R, the patient's right, is on the left "
    "of the picture. In the sagittal slice A is the front (anterior) and P the back (posterior)."
)


def shown_of(cases: list[Case], max_cases: int) -> str:
    """Says so if not every case is shown."""
    return f" The first {max_cases} of {len(cases)} cases." if len(cases) > max_cases else ""


def inpainting_section(images: str, reconstructions: str, max_cases: int) -> Section:
    """Shows the network's fill of the holes cut out of an image."""
    suffixes = ("_corrupted", "_reconstruction")
    cases = find_cases(images, reconstructions, ("--images", "--reconstructions"), suffixes)
    body = paragraph(
        "Self-supervised pre-training hides parts of an image and asks the network to fill them "
        "in. Left: the original; middle: what the network was given; right: what it made of it. "
        f"A good reconstruction continues organs and bones.{shown_of(cases, max_cases)}"
    )
    for case in cases[:max_cases]:
        image, *others = map(load_volume, [case.image, *case.outputs])
        for other in others:
            check_same_grid(image, other)
        body += f"<h3>{html.escape(case.name)}</h3>\n"
        caption = f"The axial and the coronal slice of {case.name} in which most was hidden. "
        caption += window_caption(image)
        figure = inpainting_figure(image, *others)
        body += figure_html(figure, f"Original, corrupted, reconstructed: {case.name}", caption)
    return Section("Inpainting", body)


def window_caption(image: Volume) -> str:
    """Describes how intensities became grey."""
    low, high = intensity_window(image.values)
    if is_mr(image.values):
        return "Grey runs from the 1st to the 99th percentile of the intensities."
    return f"Grey runs from {low:.0f} HU (black) to {high:.0f} HU (white)."


def overlay_html(image_path: Path, maps: dict[str, Path], names: dict, stamp: str = "") -> str:
    """Draws one image with its label maps, and describes the picture."""
    image = load_volume(image_path)
    volumes = {title: load_label_map(path) for title, path in maps.items()}
    for volume in volumes.values():
        check_same_grid(image, volume)
    caption = f"{stem(image_path)}: the slices that cut the most organs. {window_caption(image)}"
    if len(maps) > 1:
        caption += " Top: the reference; bottom: the prediction."
    if image.channels > 1:
        caption += f" Of {image.channels} channels the first is shown."
    if not volumes["prediction"].values.any():
        caption += " The prediction is empty: every voxel is background."
    if stamp:
        caption += f" Stamped: {stamp}."
    figure = overlay_figure(image, volumes, names, stamp)
    return figure_html(figure, f"{' and '.join(maps)} over {stem(image_path)}", caption)


def segmentation_section(
    segmented: str, predictions: str, references: str, names: dict[int, str], max_cases: int
) -> Section:
    """Shows predictions over their images, below the reference where there is one."""
    cases = find_cases(segmented, predictions, ("--segmented", "--predictions"), ("_seg",))
    truths = [None] * len(cases)
    if references:
        folder = existing(references, "--references", kind="folder")
        truths = [find_reference(case, folder) for case in cases]
        if not any(truths):
            raise InputError(
                f"{folder} holds no reference for {cases[0].image.name} or any other image; a "
                "reference has the image's name, or is label0001.nii.gz for img0001.nii.gz."
            )
    body = paragraph(f"Each colour is one organ. {SIDES_CAPTION}{shown_of(cases, max_cases)}")
    for case, truth in list(zip(cases, truths, strict=True))[:max_cases]:
        maps = {"reference": truth} if truth else {}
        body += f"<h3>{html.escape(case.name)}</h3>\n"
        body += overlay_html(case.image, {**maps, "prediction": case.outputs[0]}, names)
        if references and not truth:
            body += paragraph("There is no reference for this case.")
    return Section("Segmentations", body)


def ct_section(ct: str, prediction: str, names: dict[int, str], stamp: str) -> Section:
    """Shows a prediction for which there is no reference, stamped across the picture."""
    body = paragraph(
        "A scan without a reference: nothing here measures how right the prediction is. "
        f"{SIDES_CAPTION}"
    )
    maps = {"prediction": existing(prediction, "--ct_prediction", "file")}
    body += overlay_html(existing(ct, "--ct", "file"), maps, names, stamp)
    return Section("A scan without reference", body)
