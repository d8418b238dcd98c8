"""Selects public CTs, and prepares a corpus for pre-training from any archive of CTs.

python -m scripts corpus select paper.s5cmd --preset paper
python -m scripts corpus prepare dicom corpus

Needs the packages of the extra `corpus`: pydicom, python-gdcm, SimpleITK, dask, distributed,
idc-index and matplotlib.
"""

try:
    from .idc.select import select
    from .prepare import prepare
except ModuleNotFoundError as error:
    packages = "pydicom python-gdcm SimpleITK dask distributed idc-index matplotlib"
    raise SystemExit(f"error: {error.name} is not installed; pip install {packages}") from None

COMMANDS = {"select": select, "prepare": prepare}
