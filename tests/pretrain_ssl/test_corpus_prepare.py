"""`python -m scripts corpus prepare`: what becomes of an archive, restarts, lost workers."""

import configparser
import csv
import errno
import fcntl
import hashlib
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import spoiled_archive
from bundle_runs import last_line, python, python_here
from dicom_series import body
from helpers import BUNDLES, ROOT, write_nifti

from tools.phantom.dicom import write_series

BUNDLE = BUNDLES / "pretrain_ssl"
COMMAND = ["-m", "scripts", "corpus", "prepare"]


def prepare(source, destination, *options):
    return python_here(BUNDLE, *COMMAND, source, destination, *options)


def rows(destination: Path, name: str) -> list[dict]:
    with (destination / "private" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def content(folder: Path) -> dict[str, str]:
    """Hashes of all files of a corpus but the locks, by relative path."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def times(folder: Path) -> dict[str, int]:
    """When volumes and records were written."""
    paths = [*folder.glob("volumes/*"), *folder.glob("private/records/**/*.json")]
    return {str(path): path.stat().st_mtime_ns for path in paths}


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    return spoiled_archive.build(tmp_path_factory.mktemp("archive") / "source")


@pytest.fixture(scope="module")
def corpus(archive) -> Path:
    """The spoiled archive, prepared by two workers."""
    before = {path: path.lstat().st_mtime_ns for path in archive.rglob("*")}
    destination = archive.parent / "corpus"
    done = prepare(archive, destination, "--workers", 2)
    assert "32 volumes of 2 patients accepted" in done.stdout
    assert {path: path.lstat().st_mtime_ns for path in archive.rglob("*")} == before
    return destination


@pytest.fixture(scope="module")
def table_rows(corpus) -> dict[str, list[dict]]:
    """Rows of both tables by source."""
    by_source = {}
    for row in [*rows(corpus, "accepted"), *rows(corpus, "rejected")]:
        by_source.setdefault(row["source"], []).append(row)
    return by_source


@pytest.mark.parametrize(("source", "expected"), spoiled_archive.EXPECTED.items())
def test_every_spoiled_image_is_repaired_or_rejected_in_words(source, expected, table_rows):
    (row,) = table_rows[source]
    if isinstance(expected, spoiled_archive.Reason):
        assert row.get("reason", "accepted").startswith(expected)
    else:
        assert "repairs" in row, row
        assert row["repairs"].startswith(expected) and bool(row["repairs"]) == bool(expected)


def test_what_lies_together_in_one_folder_is_told_apart(table_rows):
    folder = spoiled_archive.IN_ONE_FOLDER
    together = table_rows[folder]
    assert sorted(row.get("reason", "accepted") for row in together) == [
        "accepted",
        "accepted",
        "localizer",
    ]
    assert table_rows[f"{folder}/broken.dcm"][0]["reason"] == "empty file"
    known = {*spoiled_archive.EXPECTED, folder, f"{folder}/broken.dcm"}
    assert set(table_rows) == known


def test_every_file_is_accounted_for(archive, corpus, table_rows):
    files = sum(len(names) for _, _, names in os.walk(archive))
    links = sum(Path(path, n).is_symlink() for path, names, _ in os.walk(archive) for n in names)
    assert links == 3  # to folders: no files
    in_tables = sum(int(row["files"]) for same_source in table_rows.values() for row in same_source)
    assert in_tables + spoiled_archive.OTHERS == files + 1  # `around`, a link, has its row


def test_volumes_are_what_training_reads_crop_by_crop(corpus):
    accepted = rows(corpus, "accepted")
    assert {path.stem for path in (corpus / "volumes").iterdir()} == {r["id"] for r in accepted}
    for row in accepted:
        image = nib.load(corpus / "volumes" / f"{row['id']}.nii")
        assert image.get_data_dtype() == np.int16
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        np.testing.assert_allclose(nib.affines.voxel_sizes(image.affine), 1.5, atol=1e-3)
        values = np.asarray(image.dataobj)
        assert " x ".join(map(str, values.shape)) == row["prepared_shape"]
        assert (values.min(), values.max()) == (int(row["hu_min"]), int(row["hu_max"]))
        for axis in range(3):  # cropped: there is body on every face
            ends = values.take([0, -1], axis)
            assert (ends > -500).any(axis=tuple(i for i in range(3) if i != axis)).all()


def test_compressed_series_keep_their_voxels(table_rows, tmp_path, corpus_module):
    """Each is the body of its seed: its id is the one that it gets uncompressed."""
    settings = corpus_module("records").Settings(str(tmp_path), 1.5, -500.0)
    prepare_volume = corpus_module("prepare_volume")
    for seed, name in enumerate(("jpeg_2000", "jpeg_lossless", "jpeg_ls", "rle", "deflated"), 23):
        paths = write_series(tmp_path / name, body(seed=seed))
        names = [path.name for path in paths]
        scan = prepare_volume.scan(str(tmp_path / "corpus"), settings, name, names)
        (image,) = corpus_module("prepare").group_images([scan], "", settings)
        record = prepare_volume.prepare(str(tmp_path / "corpus"), settings, image)
        assert record["id"] == table_rows[f"dicom/{name}"][0]["id"]


def test_only_private_names_sources_and_patients(archive, corpus):
    (corpus / "datalist.json").read_text()
    for path in (corpus / "datalist.json", corpus / "report.html"):
        text = path.read_text()
        words = ["pseudonym", "patient_", str(archive), "nifti/", "dicom/", "jpeg_2000", ".gz"]
        assert [word for word in words if word in text] == []
    for path in (corpus / "volumes").iterdir():
        assert nib.load(path).header["descrip"].item() == b""


def test_report_shows_reasons_repairs_and_a_picture_of_every_volume(corpus):
    text = (corpus / "report.html").read_text()
    rejected = rows(corpus, "rejected")
    assert text.count("data:image/png") == 1 + len(rows(corpus, "accepted"))
    for kind in {row["reason"].split(":")[0] for row in rejected}:
        assert f"<td>{kind}</td>" in text
    assert "<td>gantry tilt</td><td class=n>2</td>" in text


def test_split_is_by_patient(corpus):
    parts = json.loads((corpus / "datalist.json").read_text())
    patient = {f"volumes/{row['id']}.nii": row["patient"] for row in rows(corpus, "accepted")}
    sides = [{patient[item["image"]] for item in parts[name]} for name in parts]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert sum(map(len, parts.values())) == len(patient)


def test_started_again_it_does_nothing_twice(archive, corpus):
    before, files = times(corpus), content(corpus)
    prepare(archive, corpus, "--workers", 1)
    assert times(corpus) == before and content(corpus) == files


@pytest.mark.slow  # the next test has plain volumes among the fast tests
def test_number_of_workers_changes_no_byte_of_a_spoiled_archive(archive, corpus, tmp_path):
    prepare(archive, tmp_path / "other", "--workers", 1)
    assert content(tmp_path / "other") == content(corpus)


def test_number_of_workers_changes_no_byte(many, undisturbed, tmp_path):
    prepare(many, tmp_path / "other", "--workers", 1)
    assert content(tmp_path / "other") == undisturbed


# ---- killed, or left by a worker ----


MANY = 16


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """A source of patients with a volume each."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(MANY):
        write_nifti(folder / "source" / f"p{number}/ct.nii.gz", body(seed=number), (3, 3, 3))
    return folder / "source"


@pytest.fixture(scope="module")
def undisturbed(many) -> dict[str, str]:
    """Files of the corpus of `many` when nothing happens to it."""
    prepare(many, many.parent / "undisturbed", "--workers", 2)
    return content(many.parent / "undisturbed")


def started(source: Path, destination: Path, *options) -> subprocess.Popen:
    """The command in a process of its own, once it has written some volumes."""
    process = subprocess.Popen(
        [sys.executable, *COMMAND, source, destination, *map(str, options)],
        cwd=BUNDLE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: len(list(destination.glob("volumes/[!.]*.nii"))) >= 5)
    return process


def wait_for(condition, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_killed_it_goes_on_and_the_result_is_the_same(many, undisturbed, tmp_path):
    process = started(many, tmp_path / "corpus", "--workers", 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = times(tmp_path / "corpus")
    records = [path for path in before if "records" in path and "/." not in path]
    assert 5 <= len(records) < 2 * MANY  # in the middle of the work
    python(BUNDLE, *COMMAND, many, tmp_path / "corpus", "--workers", 2)
    after = times(tmp_path / "corpus")
    assert {path: after[path] for path in records} == {path: before[path] for path in records}
    assert content(tmp_path / "corpus") == undisturbed


@pytest.mark.slow
def test_a_killed_local_worker_loses_no_volume(many, undisturbed, tmp_path):
    process = started(many, tmp_path / "corpus", "--workers", 2)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    assert content(tmp_path / "corpus") == undisturbed


def workers_of(pid: int) -> list[int]:
    """Processes of a local cluster's workers: those that multiprocessing has spawned."""
    import psutil

    children = psutil.Process(pid).children(recursive=True)
    return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_a_cluster_of_ones_own_survives_the_loss_of_a_worker(many, undisturbed, tmp_path):
    file, processes = tmp_path / "scheduler.json", []

    def dask(*arguments) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *map(str, arguments), "--scheduler-file", file]
        processes.append(subprocess.Popen(command, cwd=BUNDLE, stderr=subprocess.DEVNULL))
        return processes[-1]

    try:
        dask("scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard")
        worker = ("worker", "--nthreads", 1, "--no-dashboard", "--local-directory", tmp_path)
        victim, _ = dask(*worker, "--no-nanny"), dask(*worker)
        run = started(many, tmp_path / "corpus", "--scheduler", file)
        victim.kill()
        output = run.communicate()[0]
        assert run.returncode == 0, output
    finally:
        for process in processes:
            process.kill()
    assert content(tmp_path / "corpus") == undisturbed


# ---- what a user may get wrong ----


def test_mistakes_end_in_one_sentence_and_nothing_is_written(tmp_path, corpus_module, monkeypatch):
    monkeypatch.setattr(corpus_module("dask_cluster"), "TIMEOUT_S", 1)
    prepare_here = corpus_module("prepare").prepare
    source, out = tmp_path / "source", tmp_path / "out"
    write_nifti(source / "a.nii.gz", body(), (3, 3, 3))
    (tmp_path / "patients.csv").write_text("path,patient\n")
    write_nifti(tmp_path / "full/volumes/other.nii", body())
    for arguments, options, words in [
        ((tmp_path / "nowhere", out), {}, "is not a folder; give SOURCE"),
        ((source, source / "corpus"), {}, "which is never written to; choose another"),
        ((source, tmp_path / "full"), {}, "holds volumes of something else"),
        ((source, tmp_path / "patients.csv"), {}, "patients.csv cannot be written (Not a dir"),
        ((source, tmp_path / "patients.csv/corpus"), {}, "cannot be written (Not a directory)"),
        ((source, "/proc/corpus"), {}, "/proc/corpus cannot be written (No such file"),
        ((source, out), {"patients": str(tmp_path / "patients.csv")}, "the columns source"),
        ((source, out), {"scheduler": "tcp://127.0.0.1:1"}, "no scheduler answers"),
    ]:
        with pytest.raises(ValueError, match=re.escape(words)):
            prepare_here(*map(str, arguments), **options)
        assert not list(out.glob("volumes/*")) and not (source / "corpus").exists()


def test_the_command_line_shows_the_sentence_alone(tmp_path):
    (tmp_path / "empty").mkdir()
    places = tmp_path / "empty", tmp_path / "out"
    for flag, value, kind in [
        ("workers", 0, "whole number of 1 or more"),
        ("spacing_mm", -1.0, "number above 0"),
        ("validation_fraction", 1.5, "number above 0 to below 1"),
        ("seed", -1, "whole number from 0 up to 4294967295"),
    ]:
        done = python_here(BUNDLE, *COMMAND, *places, f"--{flag}", value, check=False)
        assert done.returncode == 1 and f"takes a {kind}, not {value}" in last_line(done.stderr)
    done = python_here(BUNDLE, *COMMAND, *places, "--wrokers", 1, check=False)
    assert done.returncode != 0 and "; did you mean --workers?" in last_line(done.stderr)
    assert not (tmp_path / "out").exists()
    done = python(BUNDLE, *COMMAND, *places, check=False)
    assert done.returncode != 0
    assert re.fullmatch("error: .* holds no file; give SOURCE .*", last_line(done.stderr))
    assert "Traceback" not in done.stderr


def test_a_package_that_is_missing_is_named_with_all_that_are_needed(tmp_path):
    (tmp_path / "pydicom.py").write_text("raise ModuleNotFoundError('no', name='pydicom')\n")
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['', 'corpus']\n"
    start += "import runpy; runpy.run_module('scripts', run_name='__main__')"
    done = python(BUNDLE, "-c", start, check=False)
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    extra = settings["options.extras_require"]["corpus"].split()
    sentence = f"error: pydicom is not installed; pip install {' '.join(extra)}"
    assert last_line(done.stderr) == sentence and done.returncode != 0
    page = (ROOT / "docs/corpus.md").read_text()
    assert 'pip install -c constraints.txt ".[corpus]"\n' in page  # the same packages


def test_another_setting_or_source_needs_another_destination(
    many, undisturbed, tmp_path, corpus_module
):
    destination = many.parent / "undisturbed"
    write_nifti(tmp_path / "source/a.nii.gz", body(), (3, 3, 3))
    prepare_here = corpus_module("prepare").prepare
    for source, options in ((many, {"spacing_mm": 2.0}), (tmp_path / "source", {})):
        with pytest.raises(ValueError, match="was prepared with .* repeat that, or choose another"):
            prepare_here(str(source), str(destination), **options)
    assert content(destination) == undisturbed


def test_patients_are_named_by_a_table_a_withdrawn_one_disappears(tmp_path, caplog):
    source, destination = tmp_path / "source", tmp_path / "corpus"
    for number, name in enumerate(("a/1.nii.gz", "a/2.nii.gz", "b.nii", "c/d/e.nii")):
        write_nifti(source / name, body(seed=number), (3, 3, 3))
    write_series(source / "dicom", body(seed=9), PatientID=None)
    prepare(source, destination, "--workers", 1)
    named = {row["source"]: row["patient"] for row in rows(destination, "accepted")}
    assert named == {
        "a/1.nii.gz": "a",
        "a/2.nii.gz": "a",
        "b.nii": "b",
        "c/d/e.nii": "c",
        "dicom": "dicom",
    }
    table = tmp_path / "patients.csv"
    table.write_text("source,patient\na/2.nii.gz,second\nc,third\nelsewhere,x\n")
    (source / "b.nii").unlink()
    prepare(source, destination, "--workers", 1, "--patients", table)
    assert "--patients names what is no image or folder of one: elsewhere" in caplog.text
    named = {row["source"]: row["patient"] for row in rows(destination, "accepted")}
    assert named == {
        "a/1.nii.gz": "a",
        "a/2.nii.gz": "second",
        "c/d/e.nii": "third",
        "dicom": "dicom",
    }
    assert len(list((destination / "volumes").iterdir())) == 4


@pytest.mark.slow
def test_real_cts_and_the_same_as_dicom(tmp_path):
    """Both prepared alike: the DICOM series are copies of the NIfTI files."""
    data = Path(os.environ.get("REAL_DATA_DIR", ""), "real_ct")
    if not data.is_dir():
        pytest.skip("REAL_DATA_DIR holds no real CTs")
    source = tmp_path / "source"
    for name in ("abdomen_3mm", "thorax_cta_1p5mm_lps", "torso_3mm"):
        image = nib.as_closest_canonical(nib.load(data / f"{name}.nii.gz"))
        hu = np.rint(np.asarray(image.dataobj)).astype(np.int16)
        clipped = nib.Nifti1Image(np.maximum(hu, -1024), image.affine)
        (source / name).mkdir(parents=True)
        nib.save(clipped, source / name / "a.nii.gz")
        write_series(source / name / "b", hu, nib.affines.voxel_sizes(image.affine))
    prepare(source, tmp_path / "corpus", "--workers", 2)
    assert {row["source"].split("/")[1] for row in rows(tmp_path / "corpus", "accepted")} == {
        "a.nii.gz"
    }
    assert [row["reason"] for row in rows(tmp_path / "corpus", "rejected")] == [
        f"copy: of {name}/a.nii.gz" for name in ("abdomen_3mm", "thorax_cta_1p5mm_lps", "torso_3mm")
    ]


def test_what_a_killed_process_left_is_removed_and_hidden_files_of_the_user_stay(
    load_scripts, tmp_path
):
    load_scripts("pretrain_ssl")
    destination = importlib.import_module("scripts.corpus.destination")
    (tmp_path / "volumes").mkdir()
    for name in (".half_written_node_12_a.nii", ".DS_Store"):
        (tmp_path / "volumes" / name).touch()
    destination.remove_leftovers(tmp_path)
    assert [path.name for path in (tmp_path / "volumes").iterdir()] == [".DS_Store"]


def test_a_file_system_without_locks_is_warned_of_and_takes_no_living_file_away(
    corpus_module, tmp_path, monkeypatch, caplog
):
    destination = corpus_module("destination")

    def refuse(*_) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    (tmp_path / "volumes").mkdir()
    other = tmp_path / "volumes/.half_written_node_12_a.nii"
    other.touch()  # of another machine
    with destination.lock(tmp_path) as is_locked:
        destination.remove_leftovers(tmp_path, is_locked)
    assert not is_locked and other.is_file()
    assert f"{tmp_path} cannot be locked: do not start the same preparation twice" in caplog.text


def test_a_destination_that_another_process_prepares_is_refused(corpus_module, tmp_path, refusal):
    destination = corpus_module("destination")
    code = f"""
import fcntl, time
file = open({str(tmp_path / "private/.lock")!r}, "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""
    (tmp_path / "private").mkdir()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with refusal("is being prepared already; wait"), destination.lock(tmp_path):
            pass
        other.kill()
    with destination.lock(tmp_path) as is_locked:
        assert is_locked
