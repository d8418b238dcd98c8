"""Lists the images of an inference."""

from pathlib import Path

from ..data.datalist import listed_images, search_folder, usable_images
from ..data.dicom.series_names import series_below
from ..data.output_names import OutputNames, check_distinct

__all__ = ["OutputNames", "list_images"]


def list_images(dataset_dir: str, datalist: str | None = None) -> list[dict]:
    """Lists the images of an inference, `{"image": path}`, each once; reads no voxels.

    What is left out of a folder is logged in one line.

    Args:
        dataset_dir: an image file, a folder of one DICOM series, or a folder with images and
            DICOM series in it and its sub-folders; see `image_folder`, `image_reader`.
        datalist: Decathlon JSON; all its sections, paths relative to `dataset_dir`.

    Raises:
        InputError: there is no image, or two would be written to one file.
    """
    if datalist:
        paths = listed_images(datalist, dataset_dir)
    elif Path(dataset_dir).is_file():
        paths = [str(dataset_dir)]
    else:
        found = search_folder(dataset_dir)
        paths = usable_images(found, series_below(found))
    return [{"image": path} for path in check_distinct(paths, dataset_dir)]
