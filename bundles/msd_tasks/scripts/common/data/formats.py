# generated from common/data/formats.py, do not edit: `make copies`
"""Tells a file's format by its name, whatever the case of the letters."""

import os

NIFTI_ENDINGS = (".nii", ".nii.gz")
ITK_ENDINGS = (".mha", ".mhd", ".nrrd", ".nhdr")  # MetaImage and NRRD, see `open_image`
IMAGE_ENDINGS = NIFTI_ENDINGS + ITK_ENDINGS
PAIR_ENDING = ".hdr"  # of NIfTI in two files, whose voxels are in `.img`; or of Analyze
PACKED_ENDINGS = (
    *(".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".7z", ".rar"),
    *(".dcm.gz", ".nii.bz2", ".nii.xz", ".nii.zst", ".mha.gz", ".nrrd.gz"),
)
# Volumes in formats that are not read: the format, and what makes NIfTI of it.
FREESURFER = "FreeSurfer image: convert it by mri_convert"
PHILIPS = "Philips PAR/REC: convert it by dcm2niix"
AFNI = "AFNI image: convert it by 3dAFNItoNIFTI"
ANALYZE = (
    "Analyze image, which has no orientation: convert the original to NIfTI, DICOM by dcm2niix"
)
OTHER_FORMATS = {
    ".mgz": FREESURFER,
    ".mgh": FREESURFER,
    ".par": PHILIPS,
    ".rec": PHILIPS,
    ".head": AFNI,
    ".brik": AFNI,
    ".brik.gz": AFNI,
    ".mnc": "MINC image: convert it by mnc2nii",
    ".gipl": "GIPL image: convert it to NIfTI by ITK-SNAP",
    ".hdr": ANALYZE,
    ".img": ANALYZE,
    ".npy": "array without spacing: write it as NIfTI with its affine",
    ".npz": "array without spacing: write it as NIfTI with its affine",
}
KNOWN_ENDINGS = {*IMAGE_ENDINGS, *PACKED_ENDINGS, *OTHER_FORMATS}
SEGMENTATION_ENDINGS = (".seg.nrrd",)  # 3D Slicer's own ending for its segmentations


def has_known_ending(name: str) -> bool:
    """Tells whether a name has the ending of an image or of packed files, read or not."""
    return ending_of(name) in KNOWN_ENDINGS


def ending_of(name: str) -> str:
    """Returns the ending of a name in small letters: of `A.NII.GZ` `.nii.gz`; "" without one."""
    lower = os.path.basename(name).lower()
    fitting = [ending for ending in KNOWN_ENDINGS if lower.endswith(ending)]
    return max(fitting, key=len) if fitting else os.path.splitext(lower)[1]


def is_image_name(name: str) -> bool:
    """Tells whether a name has the ending of an image that is read; DICOM files may have any."""
    return ending_of(name) in IMAGE_ENDINGS


def stem_of(name: str) -> str:
    """Returns a name without the ending of an image; any other name stays whole."""
    ending = ending_of(name)
    return name[: -len(ending)] if ending in (*IMAGE_ENDINGS, PAIR_ENDING) else name


def is_hidden(path: str) -> bool:
    """Tells whether a file or a folder around it is hidden; `path` is relative to the root."""
    return any(part.startswith(".") and part != "." for part in path.split(os.sep))
