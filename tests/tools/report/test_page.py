"""The report: pages from tiny inputs, orientation and pixels of its figures, user mistakes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, write_nifti
from matplotlib.backends.backend_agg import FigureCanvasAgg

from common.errors import InputError
from common.evaluation.tables import write_and_print
from tools.report import curves, html_page, image_sections, inputs, slice_figures, slices, volumes
from tools.report import page as report

TOOL = ROOT / "tools/report"
SHAPE, SPACING_MM = (24, 20, 16), (2.0, 3.0, 4.0)
EVALUATION = [
    "case,label,name,dice,nsd_1mm,hd95_mm",
    "a,1,spleen,0.9,0.8,2.0",
    "a,6,liver,0.5,0.4,4.0",
    "b,1,spleen,0.7,0.6,3.0",
    "b,6,liver,,,",
    "b,8,aorta,0.2,0.1,9.0",
]


def body(shape=SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Draw a body with a large liver on the patient's right and a small spleen on the left.

    Returns:
        CT in HU and labels (BTCV numbers), both in RAS: x grows towards the patient's right.
    """
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    ct = np.where(x**2 + y**2 + 0.3 * z**2 < 0.8, 40.0, -1000.0).astype(np.float32)
    labels = np.zeros(shape, np.uint8)
    labels[(x - 0.4) ** 2 + y**2 + z**2 < 0.15] = 6
    labels[(x + 0.5) ** 2 + y**2 + z**2 < 0.04] = 1
    return ct, labels


def save(path: Path, values: np.ndarray, axcodes: str = "RAS") -> Path:
    """Save RAS values as NIfTI, stored in another orientation but at the same place in space."""
    image = nib.Nifti1Image(values, np.diag([*SPACING_MM, 1.0]))
    target = nib.orientations.axcodes2ornt(axcodes)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(
        image.as_reoriented(
            nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), target)
        ),
        path,
    )
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write one of every input of the report."""
    ct, labels = body()
    corrupted = ct.copy()
    corrupted[8:16, 8:14, 5:9] = -175
    save(tmp_path / "images/sub/img0001.nii.gz", ct, "LPS")
    save(tmp_path / "references/label0001.nii.gz", labels, "LPS")
    save(tmp_path / "predictions/sub/img0001_seg.nii.gz", np.roll(labels, 1, axis=0), "LPS")
    save(tmp_path / "reconstructions/sub/img0001_corrupted.nii.gz", corrupted, "LPS")
    save(tmp_path / "reconstructions/sub/img0001_reconstruction.nii.gz", ct, "LPS")
    (tmp_path / "evaluation.csv").write_text("\n".join(EVALUATION) + "\n")
    write_run(tmp_path / "bundles/swin/runs/2025_01")
    return tmp_path


def write_run(run: Path, extra: str = "") -> Path:
    """Write a run's metrics.csv."""
    run.mkdir(parents=True)
    rows = [
        f"{i},train/loss,{3 - i / 100}\n{i},train/learning_rate,1e-4" for i in range(20, 80, 20)
    ]
    rows += [
        "40,validation/loss,2.8",
        "40,validation/mean_dice,0.41",
        "60,validation/mean_dice,0.3",
    ]
    (run / "metrics.csv").write_text("iteration,name,value\n" + "\n".join(rows) + "\n" + extra)
    return run


def all_options(data: Path) -> dict[str, str | list[str]]:
    """Every section's options."""
    return {
        "runs": [str(data / "bundles/swin/runs/2025_01")],
        "images": str(data / "images"),
        "reconstructions": str(data / "reconstructions"),
        "segmented": str(data / "images"),
        "predictions": str(data / "predictions"),
        "references": str(data / "references"),
        "evaluation": str(data / "evaluation.csv"),
        "highlight": ["spleen", "liver"],
        "ct": str(data / "images/sub/img0001.nii.gz"),
        "ct_prediction": str(data / "predictions/sub/img0001_seg.nii.gz"),
        "title": "A <demo> & more",
    }


def test_command_writes_one_self_contained_page(data):
    lists = {"highlight": "spleen, liver"}  # as a person may type it
    options = [
        f"--{name}={lists.get(name, value[0]) if isinstance(value, list) else value}"
        for name, value in all_options(data).items()
    ]
    output = data / "out/report.html"
    command = [sys.executable, str(TOOL), "page", str(output), *options, "--open_browser=false"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"report: {output} (5 figures)\n"
    page = output.read_text(encoding="utf-8")
    assert "http://" not in page and "https://" not in page and "<script" not in page
    sources = re.findall(r'(?:src|href)="([^"]{12})', page)
    assert all(s.startswith(("data:image/p", "#section-")) for s in sources)
    assert page.count("<img") == page.count("data:image/png") == 5
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings == [
        "Training curves",
        "Inpainting",
        "Segmentations",
        "Dice per organ",
        "A scan without reference",
    ]
    assert "<h1>A &lt;demo&gt; &amp; more</h1>" in page
    assert "swin: 2025_01" in page and "sub/img0001" in page
    assert f"Stamped: {report.PHANTOM_STAMP}" in page
    assert [p.name for p in output.parent.iterdir()] == ["report.html"]


def test_means_equal_those_computed_by_hand(data):
    output = data / "report.html"
    report.page(str(output), evaluation=str(data / "evaluation.csv"), highlight=["spleen", "liver"])
    page = output.read_text(encoding="utf-8")
    cells = "".join(
        f"<td>{c}</td>" for c in ("spleen", "0.800", "0.700", "0.900", "0.700", "2.5", 2)
    )
    assert cells in page
    # Means over organs: Dice (0.8 + 0.5 + 0.2) / 3; NSD (0.7 + 0.4 + 0.1) / 3; HD95 in mm.
    assert "<td>Mean</td><td>0.500</td>" in page and "<td>0.400</td><td>5.2</td><td>2</td>" in page
    assert "<b>0.650</b>Mean Dice of spleen, liver" in page
    assert "<b>0.500</b>Mean Dice of 3 organs, 2 cases" in page


def test_means_equal_those_of_the_evaluations_own_summary(data):
    random = np.random.default_rng(0)
    rows = [
        {"case": str(case), "label": label, "name": name}
        | dict(zip(("dice", "nsd_1mm", "nsd_2mm"), random.random(3).round(4)))
        | {"hd95_mm": round(20 * random.random(), 3), "volume_ml": 1.0, "reference_volume_ml": 1.0}
        for case in range(7)
        for label, name in ((1, "spleen"), (6, "liver"), (256, "both"))  # a region: in no mean
    ]
    rows[0] |= {"dice": 0.0, "nsd_1mm": 0.0, "nsd_2mm": 0.0, "hd95_mm": np.nan, "volume_ml": 0.0}
    write_and_print(data / "evaluation", pd.DataFrame(rows))
    summary = json.loads((data / "evaluation/summary.json").read_text())
    report.page(str(data / "r.html"), evaluation=str(data / "evaluation/metrics.csv"))
    page = (data / "r.html").read_text(encoding="utf-8")
    for name, own in [*summary["organs"].items(), ("Mean", summary["over_organs"])]:
        (line,) = re.findall(rf"<tr><td>{name}</td>(.*?)</tr>", page)
        dice, _, _, *others = re.findall("<td>(.*?)</td>", line)
        assert dice == f"{own['dice']['mean']:.3f}"
        expected = [f"{own[column]['mean']:.3f}" for column in ("nsd_1mm", "nsd_2mm")]
        assert others[:3] == [*expected, f"{own['hd95_mm']['mean']:.1f}"]
    assert "of each column, without unions of labels." in page
    assert "Mean Dice of 2 organs, 7 cases" in page


def test_an_organ_that_is_nowhere_defined_has_a_dash(tmp_path):
    path = tmp_path / "evaluation.csv"
    path.write_text("label,dice,case,name\n2,,a,<kidney>\n1,0.5,a,spleen\n")
    report.page(str(tmp_path / "r.html"), evaluation=str(path))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<td>&lt;kidney&gt;</td><td>–</td><td>–</td><td>–</td><td>0</td>" in page
    assert "<td>Mean</td><td>0.500</td>" in page


def test_only_runs(data, capsys):
    run = data / "bundles/swin/runs/2025_01"
    second = write_run(data / "mine", extra="80,train/lo")  # a training still writing
    report.page(str(data / "r.html"), runs=[str(run), str(second)])
    assert capsys.readouterr().out.endswith("r.html (2 figures)\n")
    page = (data / "r.html").read_text(encoding="utf-8")
    assert "<h3>mine</h3>" in page and "up to iteration 60" in page
    assert "<b>0.41</b>Best validation mean Dice, iteration 40, mine" in page


def test_only_predictions_of_one_image(data):
    _, labels = body()
    image = save(data / "lone.nii.gz", body()[0])
    save(data / "predictions/lone_seg.nii.gz", labels * 0)
    report.page(str(data / "r.html"), segmented=str(image), predictions=str(data / "predictions"))
    page = (data / "r.html").read_text(encoding="utf-8")
    assert "The prediction is empty" in page and "reference;" not in page


def test_resumed_and_diverged_runs(tmp_path):
    run = write_run(tmp_path / "run", extra="60,train/loss,1.5\n80,train/loss,nan\n")
    curves = inputs.read_metrics(run)
    assert curves["loss"]["train"][60] == 1.5
    assert curves["loss"]["validation"] == {40: 2.8}
    assert "1 values are not finite" in report.runs_section([str(run)]).body


def test_curves_have_a_panel_for_each_quantity(tmp_path):
    figure = curves.curves_figure(inputs.read_metrics(write_run(tmp_path / "run")))
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [a.get_title("left") for a in shown] == ["loss", "mean Dice", "learning rate"]
    assert [len(a.lines) for a in shown] == [2, 1, 1]


@pytest.mark.parametrize("axcodes", ["LPS", "PIR", "RAS"])
def test_picture_does_not_depend_on_storage(tmp_path, axcodes):
    _, labels = body()
    stored = volumes.load_label_map(save(tmp_path / "a.nii.gz", labels, axcodes))
    np.testing.assert_array_equal(stored.values, labels)
    np.testing.assert_allclose(stored.spacing_mm, SPACING_MM)


def test_picture_sides():
    values = np.zeros(SHAPE)
    values[-1, -1, -1] = 1  # the patient's right, front and head
    assert slices.picture(values, "axial", 15)[0, 0] == 1  # right on the left, anterior up
    assert slices.picture(values, "coronal", 19)[0, 0] == 1  # right on the left, superior up
    assert slices.picture(values, "sagittal", 23)[0, 0] == 1  # anterior on the left
    assert slices.picture(values, "axial", 15).shape == (20, 24)


def test_liver_is_on_the_left_of_the_picture():
    _, labels = body()
    axial = slices.picture(labels, "axial", 8)
    assert np.nonzero(axial == 6)[1].mean() < 12 < np.nonzero(axial == 1)[1].mean()


def test_panels_have_true_proportions():
    volume = volumes.Volume(np.zeros(SHAPE), np.diag([*SPACING_MM, 1.0]), Path("a.nii.gz"))
    assert slices.picture_size_mm(volume, "axial") == (48.0, 60.0)
    assert slices.picture_size_mm(volume, "coronal") == (48.0, 64.0)
    assert slices.picture_size_mm(volume, "sagittal") == (60.0, 64.0)


def test_slices_cut_most_organs_then_most_voxels():
    labels = np.zeros(SHAPE, int)
    labels[2, :, 3] = 1  # one large organ
    labels[5, 4, 7], labels[6, 4, 7] = 1, 2  # two organs in one axial and one coronal slice
    labels[6, 5, 7] = 2
    assert slices.organ_slices(labels) == {"axial": 7, "coronal": 4, "sagittal": 2}


def test_changed_slice_ignores_what_the_window_hides():
    original = np.full(SHAPE, -1000.0)
    original[:, :, 5] = 0
    corrupted = original.copy()
    corrupted[:, :, 2] = -500  # both are black
    corrupted[0, 0, 5] = 100
    assert slices.changed_slice(original, corrupted, "axial", volumes.CT_WINDOW_HU) == 5


def pixels(figure) -> np.ndarray:
    """Render a figure: (rows, columns, 4)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def test_stamp_is_in_every_panel():
    ct, labels = body()
    affine = np.diag([*SPACING_MM, 1.0])
    image = volumes.Volume(ct, affine, Path("a.nii.gz"))
    maps = {"prediction": volumes.Volume(labels.astype(int), affine, Path("a_seg.nii.gz"))}
    plain = slice_figures.overlay_figure(image, maps, {6: "liver"})
    stamped = slice_figures.overlay_figure(image, maps, {6: "liver"}, "not to be used")
    assert [t.get_text() for t in stamped.legends[0].get_texts()] == ["label 1", "liver"]
    for axes in stamped.axes:
        assert "not to be used" in [" ".join(t.get_text().split()) for t in axes.texts]
    difference = np.abs(pixels(plain).astype(int) - pixels(stamped)).sum(axis=2) > 0
    for axes in stamped.axes:
        box = axes.get_window_extent().extents.round().astype(int)
        rows = slice(len(difference) - box[3], len(difference) - box[1])
        assert difference[rows, box[0] : box[2]].mean() > 0.02


def test_intensity_window():
    assert volumes.intensity_window(body()[0]) == (-175.0, 250.0)
    mr = np.random.default_rng(0).permutation(np.linspace(0, 1000, 8000)).reshape(20, 20, 20)
    low, high = volumes.intensity_window(mr)
    assert 0 < low < 30 and 970 < high < 1000


def test_label_names_come_from_metadata_first(data):
    channels = {"0": "background", "1": "Milz"}
    content = {"network_data_format": {"outputs": {"pred": {"channel_def": channels}}}}
    (data / "metadata.json").write_text(json.dumps(content))
    assert inputs.read_label_names(data / "metadata.json") == {0: "background", 1: "Milz"}
    (data / "other.json").write_text("{}")
    with pytest.raises(InputError, match="other.json has no network_data_format"):
        inputs.read_label_names(data / "other.json")


def test_image_is_not_its_own_reference(data):
    options = all_options(data)
    both = data / "images/sub"
    case = inputs.find_cases(options["images"], options["predictions"], ("", ""), ("_seg",))[0]
    assert inputs.find_reference(case, both) is None
    assert inputs.find_reference(case, data / "references").name == "label0001.nii.gz"


def mistakes(data: Path) -> dict[str, tuple[dict, str]]:
    """A user's mistakes: the options, and what the message must say."""
    o = all_options(data)
    (data / "empty").mkdir()
    save(data / "small_seg.nii.gz", body((12, 20, 16))[1])
    (data / "odd.csv").write_text("case,organ\n")
    (data / "binary").mkdir()
    (data / "binary/metrics.csv").write_bytes(b"iteration,name,value\n\xff\xfe\n")
    return {
        "nothing": ({}, "Nothing to report"),
        "half": ({"images": o["images"]}, "--images and --reconstructions go together"),
        "missing": ({"runs": [str(data / "none")]}, "none is not an existing folder"),
        "no metrics": ({"runs": [str(data / "empty")]}, "empty has no metrics.csv"),
        "no match": (
            {"segmented": o["segmented"], "predictions": str(data / "empty")},
            "empty holds no STEM_seg.nii.gz for any image",
        ),
        "grid": (
            {"ct": o["ct"], "ct_prediction": str(data / "small_seg.nii.gz")},
            r"img0001.nii.gz and .*small_seg.nii.gz are not on the same voxel grid",
        ),
        "columns": ({"evaluation": str(data / "odd.csv")}, "odd.csv has no column label, name"),
        "binary metrics": ({"runs": [str(data / "binary")]}, "metrics.csv cannot be read as a ta"),
        "binary evaluation": (
            {"evaluation": str(data / "binary/metrics.csv")},
            "metrics.csv cannot be read as a table .*; give a CSV file in UTF-8",
        ),
        "highlight": (
            {"evaluation": o["evaluation"], "highlight": ["lung"]},
            "--highlight names lung.*spleen, liver, aorta",
        ),
        "references": (
            {k: o[k] for k in ("segmented", "predictions")} | {"references": str(data / "empty")},
            "empty holds no reference for img0001.nii.gz",
        ),
        "not an image": (
            {"ct": o["ct"], "ct_prediction": str(data / "odd.csv")},
            "odd.csv cannot be read",
        ),
    }


def test_mistakes_stop_with_one_sentence_and_write_nothing(data):
    for name, (options, message) in mistakes(data).items():
        with pytest.raises(InputError, match=message) as stop:
            report.page(str(data / "r.html"), **options)
        assert "\n" not in str(stop.value), name
        assert not list(data.glob("*r.html*")), name


def test_where_the_page_cannot_be_written_nothing_is_read(data):
    output = str(data / "evaluation.csv/r.html")
    with pytest.raises(InputError, match="r.html cannot be written .*; give another place"):
        report.page(output, runs=[str(data / "none")])
    with pytest.raises(InputError, match="r.html cannot be written"):
        html_page.write_page(Path(output), "text")


def test_output_must_be_a_page(data):
    with pytest.raises(InputError, match="evaluation.csv does not end in .html"):
        report.page(str(data / "evaluation.csv"), runs=all_options(data)["runs"])
    assert (data / "evaluation.csv").read_text().splitlines() == EVALUATION


def test_images_of_every_format_are_paired_once_though_links_loop(tmp_path):
    (tmp_path / "ct").mkdir()
    for name in ("a.nii.gz", "B.NII", "c.mha"):
        (tmp_path / "ct" / name).touch()
        write_nifti(
            tmp_path / f"out/{name.split('.')[0]}_seg.nii.gz", np.zeros((4, 5, 6), np.uint8)
        )
    (tmp_path / "ct/loop").symlink_to(tmp_path / "ct")
    os.mkfifo(tmp_path / "ct/pipe.nii")
    write_nifti(tmp_path / "labels/c.nii.gz", np.zeros((4, 5, 6), np.uint8))
    folders = str(tmp_path / "ct"), str(tmp_path / "out")
    cases = inputs.find_cases(*folders, ("--images", "--predictions"), ("_seg",))
    assert [case.name for case in cases] == ["B", "a", "c"]
    assert inputs.find_reference(cases[2], tmp_path / "labels") == tmp_path / "labels/c.nii.gz"


def test_of_several_channels_the_first_is_shown_and_label_maps_have_one(tmp_path):
    values = np.arange(4 * 5 * 6 * 2, dtype=np.float32).reshape(4, 5, 6, 2)
    path = tmp_path / "mr.nii.gz"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    np.testing.assert_array_equal(volumes.load_volume(path).values, values[..., 0])
    ones = np.ones((4, 5, 6), np.uint8)
    labels = {"prediction": Path(write_nifti(tmp_path / "labels.nii.gz", ones))}
    told = "Of 2 channels the first is shown."
    assert told in image_sections.overlay_html(path, labels, {1: "edema"})
    plain = Path(write_nifti(tmp_path / "plain.nii.gz", values[..., 0]))
    assert "is shown" not in image_sections.overlay_html(plain, labels, {1: "edema"})
    with pytest.raises(InputError, match=r"mr.nii.gz has shape \(4, 5, 6, 2\); give a 3D image"):
        volumes.load_label_map(path)
