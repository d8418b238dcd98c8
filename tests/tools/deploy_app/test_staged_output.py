import pytest

from tools.deploy_app.staged_output import staged


def test_results_appear_only_where_all_went_well(tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(RuntimeError), staged(folder) as temporary:
        (temporary / "half.dcm").touch()
        raise RuntimeError
    assert [*folder.iterdir()] == []
    (folder / "pred.nii.gz").write_text("old")
    with staged(folder) as temporary:
        (temporary / "pred.nii.gz").write_text("new")
    assert [path.read_text() for path in folder.iterdir()] == ["new"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, refusal):
    (tmp_path / "file").touch()
    with (
        refusal("file/out cannot be written .*; give -o another folder"),
        staged(tmp_path / "file/out"),
    ):
        pass
