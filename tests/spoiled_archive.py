"""An archive of CTs spoiled in every way that `corpus prepare` must meet, and what it says.

`EXPECTED` is by source: for an accepted volume what its `repairs` begin with, for others
`Reason(…)`, what the reason begins with.
"""

import gzip
import os
import random
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import SimpleITK
from dicom_series import body, compress
from helpers import write_nifti
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from common.data.open_image import MADE_BY_US
from tools.phantom.dicom import write_series

SPACING_MM = (3.0, 3.0, 3.0)
AFFINE = np.diag([*SPACING_MM, 1.0])


class Reason(str):
    """The beginning of a rejection."""


EXPECTED = {
    # NIfTI
    "nifti/plain.nii": "",
    "nifti/packed.nii.gz": "",
    "nifti/pair.hdr": "",
    "nifti/no_unicode_\\udcff.nii.gz": "",
    "nifti/oblique.nii.gz": "",
    "nifti/inside_the_body.nii.gz": "",
    "nifti/4d_one.nii.gz": "4D with one volume",
    "nifti/outliers.nii.gz": "outliers beyond int16: 3",
    "nifti/few_nan.nii.gz": "voxels not finite: 2",
    "nifti/padded.nii.gz": "padding set to air: 864 voxels",
    "nifti/sheared.nii.gz": "gantry tilt: 10.0 degrees",
    "nifti/no_codes.nii.gz": "no orientation in its header",
    "nifti/4d_many.nii.gz": Reason("several volumes in one: has shape ("),
    "nifti/many_nan.nii.gz": Reason("voxels that are not finite: 50.0%"),
    "nifti/all_nan.nii.gz": Reason("voxels that are not finite: 100.0%"),
    "nifti/label_map.nii.gz": Reason("label map: 14 different values"),
    "nifti/grey_8bit.nii.gz": Reason("grey levels instead of HU"),
    "nifti/grey_16bit.nii.gz": Reason("grey levels instead of HU"),
    "nifti/z_scored.nii.gz": Reason("no air near -1000 HU"),
    "nifti/windowed.nii.gz": Reason("no air near -1000 HU"),
    "nifti/scaled.nii.gz": Reason("grey levels instead of HU"),
    "nifti/air.nii.gz": Reason("no body"),
    "nifti/constant.nii.gz": Reason("constant image"),
    "nifti/singular.nii.gz": Reason("singular affine"),
    "nifti/thin.nii.gz": Reason("too small: 12 slices, at least 16 are needed"),
    "nifti/short.nii.gz": Reason("too small: 120 x 108 x 24 mm, at least 40 are needed"),
    "nifti/metres.nii.gz": Reason("impossible size"),
    "nifti/flat.nii.gz": Reason("not a volume: has shape (40, 36)"),
    "nifti/colour.nii.gz": Reason("not a volume"),
    "nifti/cut.nii": Reason("damaged file"),
    "nifti/cut.nii.gz": Reason("damaged file"),
    "nifti/empty.nii.gz": Reason("empty file"),
    "nifti/text.nii": Reason("damaged file"),
    "nifti/plain_again.nii.gz": Reason("copy: of nifti/plain.nii"),
    "nifti/lost.nii.gz": Reason("link that leads nowhere"),
    "nifti/itself.nii.gz": Reason("link that leads nowhere"),
    "nifti/meta_image.MHA": "",
    "nifti/nrrd.nrrd": "",
    "nifti/UPPER.NII.GZ": "",
    "nifti/no_direction.mha": "no orientation in its header",
    "nifti/cut.mha": Reason("damaged file"),
    "nifti/other_format.mgz": Reason("format that is not read: FreeSurfer image: convert it by"),
    "nifti/analyze.hdr": Reason("format that is not read: Analyze image, which has no orientation"),
    "nifti/analyze.img": Reason("format that is not read: Analyze image, which has no orientation"),
    "nifti/made_by_us_reconstruction.nii.gz": Reason("output of an inference"),
    "nifti/second_link.nii": Reason("link to a file listed by another name: nifti/plain.nii"),
    "nifti/pipe.nii.gz": Reason("no regular file: named pipe"),
    "around": Reason("link to a folder around it"),
    "nifti/packed_dicom.zip": Reason("packed files: unpack them"),
    # DICOM
    "dicom/plain": "",
    "dicom/no_extension/deep/er": "",
    "dicom/old_export": "",
    "dicom/jpeg_2000": "",
    "dicom/jpeg_lossless": "",
    "dicom/jpeg_ls": "",
    "dicom/rle": "",
    "dicom/deflated": "",
    "dicom/part_1 + dicom/part_2": "",
    "dicom/padding_tag": "padding set to air: ",
    "dicom/upside_down": "",
    "dicom/slope_of_each_slice": "",
    "dicom/tilted": "gantry tilt: 15.0 degrees",
    "dicom/repeated_slices": "repeated slices left out: 4",
    "dicom/missing_slices": Reason("missing slices: 2 of 3.00 mm"),
    "dicom/uneven": Reason("uneven spacing: 1.50 to 6.00 mm between slices"),
    "dicom/shifted": Reason("uneven spacing: slices lie up to"),
    "dicom/two_phases": Reason("several volumes in one: up to 2 slices at one position"),
    "dicom/no_rescale": Reason("no rescale tags"),
    "dicom/no_intercept": Reason("no rescale tags"),
    "dicom/intercept_0": Reason("grey levels instead of HU"),
    "dicom/intercept_twice": Reason("wrong rescale tags"),
    "dicom/slope_0": Reason("wrong rescale tags: the slope is 0"),
    "dicom/slope_2": Reason("wrong rescale tags"),
    "dicom/slope_half": Reason("wrong rescale tags"),
    "dicom/mr": Reason("not CT: modality MR"),
    "dicom/structures": Reason("not CT: modality RTSTRUCT"),
    "dicom/label_map": Reason("label map"),
    "dicom/colour": Reason("pictures instead of HU: RGB"),
    "dicom/few_slices": Reason("too small: 12 slices, at least 16 are needed"),
    "dicom/no_position": Reason("no position in the patient"),
    "dicom/multi_frame": Reason("multi-frame DICOM"),
    "dicom/cut_slice": Reason("damaged slice: 0007.dcm"),
    "dicom/cut_compressed_slice": Reason("damaged slice: 0007.dcm"),
    "dicom/cut_header": Reason("damaged slice: 1 of 24: damaged file"),
    "dicom/empty_slice": Reason("damaged slice: 1 of 24: empty file"),
    "dicom/plain_again": Reason("copy: of dicom/plain"),
    "dicom/renamed_copy": Reason("copy: of dicom/plain"),
}
IN_ONE_FOLDER = "dicom/several"  # two accepted series, a localizer, and a file that is broken
OTHERS = 8  # files that are no images


def build(root: Path) -> Path:
    """Write the archive below a folder and return the folder."""
    _niftis(root / "nifti")
    _dicoms(root / "dicom")
    _spoiled_dicoms(root / "dicom")
    _others(root)
    return root


def _niftis(folder: Path) -> None:
    def save(name: str, hu: np.ndarray, affine: np.ndarray = AFFINE, **_) -> Path:
        return Path(write_nifti(folder / name, hu, affine=affine))

    hu = body(seed=1)
    save("plain.nii", hu)
    save("plain_again.nii.gz", hu)
    save("packed.nii.gz", body(seed=2))
    save(os.fsdecode(b"no_unicode_\xff.nii.gz"), body(seed=12))
    nib.save(nib.Nifti1Pair(body(seed=3), AFFINE), folder / "pair.hdr")
    turn = nib.eulerangles.euler2mat(0.1, 0.15, 0.2)
    save("oblique.nii.gz", body(seed=4), nib.affines.from_matvec(turn * 3, [5, 6, 7]))
    save("inside_the_body.nii.gz", _inside_the_body())
    save("4d_one.nii.gz", body(seed=5)[..., None])
    outliers = body(seed=6).astype(np.int32)
    outliers[:3, 0, 0] = 70000
    save("outliers.nii.gz", outliers)
    few = body(seed=7).astype(np.float32)
    few[0, 0, :2] = np.nan, np.inf
    save("few_nan.nii.gz", few)
    padded = body(seed=8)
    padded[:1] = -2000
    save("padded.nii.gz", padded)
    shear = AFFINE.copy()
    shear[1, 2] = 3 * np.tan(np.radians(10))
    save("sheared.nii.gz", body(seed=9), shear)
    image = nib.Nifti1Image(body(seed=10), None)
    image.header.set_zooms(SPACING_MM)
    nib.save(image, folder / "no_codes.nii.gz")
    save("upper.nii.gz", body(seed=14)).rename(folder / "UPPER.NII.GZ")
    _other_formats(folder, save)
    _spoiled_niftis(folder, save)


def _other_formats(folder: Path, save) -> None:
    for seed, name in ((15, "meta_image.MHA"), (16, "nrrd.nrrd"), (17, "cut.mha")):
        source = save("source.nii", body(seed=seed))
        small = folder / name.lower()
        SimpleITK.WriteImage(SimpleITK.ReadImage(str(source)), str(small), True)
        small.rename(folder / name)
        source.unlink()
    cut = folder / "cut.mha"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    hu = body(seed=18).astype(np.int16)
    size = " ".join(map(str, hu.shape))
    head = f"ObjectType = Image\nNDims = 3\nElementSpacing = 3 3 3\nDimSize = {size}\n"
    head += "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    (folder / "no_direction.mha").write_bytes(head.encode() + hu.tobytes(order="F"))


def _spoiled_niftis(folder: Path, save) -> None:
    hu = body(seed=11)
    rng = np.random.default_rng(0)
    save("4d_many.nii.gz", np.stack([hu] * 3, axis=-1))
    many = hu.astype(np.float32)
    many[:20] = np.nan
    save("many_nan.nii.gz", many)
    save("all_nan.nii.gz", np.full(hu.shape, np.nan, np.float32))
    labels = np.repeat(np.arange(14), 3)[:40, None, None] * np.ones(hu.shape)
    save("label_map.nii.gz", labels.astype(np.uint8))
    save("grey_8bit.nii.gz", np.clip((hu + 1000) / 8, 0, 255).astype(np.uint8))
    save("grey_16bit.nii.gz", (np.maximum(hu, -1024) + 1024).astype(np.uint16))
    save("z_scored.nii.gz", ((hu - hu.mean()) / hu.std()).astype(np.float32))
    save("windowed.nii.gz", np.clip(hu, -160, 240))
    save("scaled.nii.gz", np.clip((hu + 1000) / 2000, 0, 1).astype(np.float32))
    save("air.nii.gz", rng.normal(-1000, 10, hu.shape).astype(np.int16))
    save("constant.nii.gz", np.zeros_like(hu))
    singular = nib.Nifti1Image(hu, None)
    singular.header.set_sform(np.diag([3.0, 0.0, 3.0, 1.0]), code=1)
    nib.save(singular, folder / "singular.nii.gz")
    save("thin.nii.gz", hu[:, :, :12])
    save("short.nii.gz", hu, np.diag([3.0, 3.0, 1.0, 1.0]))
    save("metres.nii.gz", hu, np.diag([300.0, 300.0, 300.0, 1.0]))
    save("flat.nii.gz", hu[:, :, 0])
    colour = np.zeros(hu.shape, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    save("colour.nii.gz", colour)
    for name in ("cut.nii", "cut.nii.gz"):
        path = save(name, hu)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (folder / "empty.nii.gz").touch()
    (folder / "text.nii").write_text("not an image\n" * 50)
    (folder / "lost.nii.gz").symlink_to(folder / "gone.nii.gz")
    (folder / "itself.nii.gz").symlink_to("itself.nii.gz")
    (folder / "other_format.mgz").write_text("an image of FreeSurfer\n")
    nib.save(nib.AnalyzeImage(hu.astype(np.int16), AFFINE), folder / "analyze.hdr")
    ours = nib.Nifti1Image(body(seed=13), AFFINE)
    ours.header["descrip"] = MADE_BY_US
    nib.save(ours, folder / "made_by_us_reconstruction.nii.gz")
    (folder / "second_link.nii").symlink_to("plain.nii")
    os.mkfifo(folder / "pipe.nii.gz")
    (folder / "packed_dicom.zip").write_bytes(b"PK\3\4")


def _inside_the_body() -> np.ndarray:
    """Soft tissue and fat with nothing of the air around a patient."""
    rng = np.random.default_rng(5)
    hu = rng.normal(45, 30, (40, 36, 24))
    hu[:8] = rng.normal(-100, 20, (8, 36, 24))
    return np.rint(hu).astype(np.int16)


def _dicoms(folder: Path) -> None:
    hu = body(seed=20)
    uid = generate_uid()
    plain = write_series(folder / "plain", hu, SeriesInstanceUID=uid)
    (folder / "plain_again").mkdir()
    for path in plain:
        (folder / "plain_again" / path.name).write_bytes(path.read_bytes())
    write_series(folder / "renamed_copy", hu, PatientID="pseudonym")
    shuffled = random.Random(0).sample(range(100), 24)
    names = {"name": lambda n: f"IM{shuffled[n]}"}
    write_series(folder / "no_extension/deep/er", body(seed=21), **names)
    without_preamble(write_series(folder / "old_export", body(seed=22)))
    syntaxes = {
        "jpeg_2000": JPEG2000Lossless,
        "jpeg_lossless": JPEGLosslessSV1,
        "jpeg_ls": JPEGLSLossless,
        "rle": RLELossless,
        "deflated": DeflatedExplicitVRLittleEndian,
    }
    for seed, (name, syntax) in enumerate(syntaxes.items(), start=23):
        for path in write_series(folder / name, body(seed=seed)):
            compress(path, syntax)
    for path in write_series(folder / "part_1", body(seed=28))[10:]:
        path.rename(_made(folder / "part_2") / path.name)
    write_series(folder / "upside_down", body(seed=29), change=_upside_down)
    write_series(folder / "slope_of_each_slice", body(seed=30), change=_slope_of_each_slice)
    write_series(folder / "padding_tag", body(seed=31), change=_padding)
    write_series(folder / "tilted", body(seed=32), tilt_degrees=15)
    paths = write_series(folder / "repeated_slices", body(seed=33))
    write_series(
        folder / "repeated_slices", body(seed=33), **_series_of(paths[0]), name="b{}".format
    )
    for path in sorted((folder / "repeated_slices").glob("b*"))[4:]:
        path.unlink()
    several = folder.parent / IN_ONE_FOLDER
    write_series(several, body(seed=34), name="a{}".format)
    write_series(several, body(seed=35), name="b{}".format)
    write_series(several, body(seed=36)[:, :, :1], name="scout".format, ImageType=["LOCALIZER"])
    (several / "broken.dcm").touch()


def _spoiled_dicoms(folder: Path) -> None:
    hu = body(seed=40)

    def spoil(name: str, change=None, **tags) -> list[Path]:
        return write_series(folder / name, hu, change=change, **tags)

    paths = spoil("missing_slices")
    paths[7].unlink()
    paths[12].unlink()
    spoil("uneven", _uneven)
    spoil("shifted", _shifted)
    first = spoil("two_phases")
    write_series(folder / "two_phases", body(seed=41), **_series_of(first[0]), name="b{}".format)
    spoil("no_rescale", RescaleSlope=None, RescaleIntercept=None)
    spoil("no_intercept", RescaleIntercept=None)
    spoil("intercept_0", RescaleIntercept=0)
    spoil("intercept_twice", RescaleIntercept=-2048)
    spoil("slope_0", RescaleSlope=0)
    spoil("slope_2", RescaleSlope=2)
    spoil("slope_half", RescaleSlope=0.5)
    spoil("mr", Modality="MR")
    write_series(folder / "structures", hu[:, :, :1], change=_no_image, Modality="RTSTRUCT")
    labels = np.repeat(np.arange(14), 3)[:40, None, None] * np.ones(hu.shape, np.int16)
    write_series(folder / "label_map", (labels - 1024).astype(np.int16), RescaleIntercept=0)
    spoil("colour", SamplesPerPixel=3, PhotometricInterpretation="RGB")
    write_series(folder / "few_slices", hu[:, :, :12])
    spoil("no_position", ImagePositionPatient=None)
    spoil("multi_frame", NumberOfFrames=2)
    for name, share, syntax in (
        ("cut_slice", 0.6, None),
        ("cut_compressed_slice", 0.6, JPEGLosslessSV1),
        ("cut_header", 0.01, None),
        ("empty_slice", 0, None),
    ):
        date = {"StudyDate": "20000101"}  # GDCM, which compresses, would add one to its slice
        path = write_series(folder / name, hu, **date)[7]
        if syntax:
            compress(path, syntax)
        size = 150 if name == "cut_header" else int(share * path.stat().st_size)
        path.write_bytes(path.read_bytes()[:size])


def _others(root: Path) -> None:
    """Files that are no images, hidden ones, and links to folders, one of them a loop."""
    (root / "README.txt").write_text("exported\n")
    (root / "dicom/plain/DICOMDIR").write_bytes(bytes(200))
    (root / "nifti/._plain.nii").write_bytes(b"\0\5\26\7")
    (root / "nifti/.DS_Store").touch()
    (root / "nifti/_SUCCESS").touch()
    (root / "dicom/plain/VERSION").touch()
    with gzip.open(_made(root / ".hidden/deeper") / "x.nii.gz", "wb") as file:
        file.write(bytes(400))
    (root / "numbers.csv").write_text("a,b\n")
    (root / "nifti/loop").symlink_to(root, target_is_directory=True)
    (root / "around").symlink_to(root.parent, target_is_directory=True)
    (root / "same_again").symlink_to(root / "dicom/plain", target_is_directory=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _series_of(path: Path) -> dict[str, str]:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    return {name: header[name].value for name in ("SeriesInstanceUID", "StudyInstanceUID")}


def without_preamble(paths: list[Path]) -> None:
    """As exports of the nineties are: no preamble, no file meta information."""
    for path in paths:
        dataset = pydicom.dcmread(path)
        del dataset.file_meta
        dataset.preamble = None
        pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True)


def _upside_down(dataset, number: int) -> None:
    """The patient lies with the feet first on the belly: rows and columns run the other way."""
    dataset.ImageOrientationPatient = [-1, 0, 0, 0, -1, 0]


def _uneven(dataset, number: int) -> None:
    z_mm = 3.0 * number - 1.5 * (number > 9) + 3.0 * (number > 12)
    dataset.ImagePositionPatient = [0, 0, z_mm]


def _shifted(dataset, number: int) -> None:
    dataset.ImagePositionPatient = [4.0 * (number == 9), 0, 3.0 * number]


def _slope_of_each_slice(dataset, number: int) -> None:
    """PET/CT consoles write such: the same HU by another scale in every slice."""
    stored = np.frombuffer(dataset.PixelData, np.uint16).astype(float)
    slope = 0.5 + number / 100
    dataset.PixelData = np.rint(stored / slope).astype(np.uint16).tobytes()
    dataset.RescaleSlope = f"{slope:.2f}"


def _padding(dataset, number: int) -> None:
    stored = np.frombuffer(dataset.PixelData, np.uint16).astype(np.int16).copy()
    stored[:5] = -2000
    dataset.PixelRepresentation, dataset.PixelData = 1, stored.tobytes()
    dataset.add_new("PixelPaddingValue", "SS", -2000)


def _no_image(dataset, number: int) -> None:
    for name in ("Rows", "Columns", "PixelData", "ImagePositionPatient"):
        delattr(dataset, name)
