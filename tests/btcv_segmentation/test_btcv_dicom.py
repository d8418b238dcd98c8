"""Inference of a hospital's folders: series in two folders, two people under one UID."""

import anonymous_archive
import nibabel as nib
import numpy as np
from bundle_runs import last_line, run_here
from dicom_series import body
from spoiled_archive import without_preamble

from tools.phantom.dicom import write_series


def test_each_prediction_is_of_one_person(finetuned, tmp_path):
    root, made = tmp_path / "ct", tmp_path / "o"
    anonymous_archive.build(tmp_path / "archive")
    for name in ("spread", "stacked", "one_folder/patients"):
        root.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "archive" / name).rename(root / name)
    without_preamble(write_series(root / "old", body(seed=1)))
    flags = ["--dataset_dir", root, "--output_dir", made]
    done = run_here(finetuned[0], "inference demo", *flags, check=False)
    assert last_line(done.stderr) == (
        f"error: 1 of 5 images could not be segmented: {root}/one_folder/patients; the lines above "
        "say why, mend or remove them."
    )
    output = done.stdout + done.stderr
    assert "patients is no usable CT series (slices that contradict each other: Patient" in output
    assert "are not put together: InstanceNumber repeats" in output
    paths = sorted(str(path.relative_to(made)) for path in made.rglob("*.nii.gz"))
    (spread,) = [path for path in paths if path.startswith("spread/")]
    assert spread.endswith("_in_2_folders_seg.nii.gz")
    assert paths == ["old_seg.nii.gz", spread, "stacked/a_seg.nii.gz", "stacked/b_seg.nii.gz"]
    for path in paths:
        image = nib.load(made / path)
        assert image.shape == (40, 36, 24)
        np.testing.assert_allclose(image.header.get_zooms(), 3)
