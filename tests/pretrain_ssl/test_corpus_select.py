"""Choosing public CT series: the presets' rules on IDC's real index, which needs no internet."""

import csv
import importlib
import logging
import re
import shlex
import sys

import pytest
from bundle_runs import python_here
from helpers import BUNDLES, import_scripts

from common.cli.commands import run

pytest.importorskip("idc_index_data")
PAPER = {"lidc_idri", "ct_colonography", "covid_19_ar", "covid_19_ny_sbu"}


@pytest.fixture(scope="module")
def whole_index():
    """The index as the package ships it, every modality included, by URL."""
    import idc_index_data
    import pandas as pd

    columns = [
        *("series_aws_url", "Modality", "collection_id", "PatientID", "StudyInstanceUID"),
        *("instanceCount", "license_short_name", "series_size_MB", "sop_class_name"),
    ]
    path = idc_index_data.IDC_INDEX_PARQUET_FILEPATH
    return pd.read_parquet(path, columns=columns).set_index("series_aws_url")


@pytest.fixture(scope="module")
def ct_series():
    path = sys.path.copy()
    import_scripts("pretrain_ssl")
    series = importlib.import_module("scripts.corpus.idc.select").read_index()
    sys.path[:] = path  # no test's fixture sees what a module's has changed
    return series


@pytest.fixture
def select(scripts, ct_series, whole_index, tmp_path, monkeypatch):
    """`select(preset="taste")` gives the chosen rows of the index, looked up by the manifest."""
    idc = importlib.import_module("scripts.corpus.idc.select")
    monkeypatch.setattr(idc, "read_index", lambda: ct_series)

    def run(name: str = "a.s5cmd", **flags):
        run.report = idc.select(str(tmp_path / name), **flags)
        urls = re.findall(r"^cp (s3://\S+) \.$", (tmp_path / name).read_text(), re.M)
        assert len(set(urls)) == len(urls)
        return whole_index.loc[urls]

    return run


def gb(rows) -> float:
    return rows["series_size_MB"].sum() / 1000


def patients(rows) -> int:
    return rows.groupby(["collection_id", "PatientID"]).ngroups


def test_paper_is_what_idc_holds_of_its_sources(select):
    rows = select(preset="paper")
    assert set(rows["collection_id"]) == PAPER
    assert (rows["instanceCount"] >= 30).all() and (rows["Modality"] == "CT").all()
    assert rows.groupby(["collection_id", "StudyInstanceUID"]).size().max() == 2
    assert (rows["collection_id"] == "lidc_idri").sum() == 1018  # LUNA16's 888 are among them
    last = select.report.split("\n\n")[2].split()
    assert last == ["all", f"{len(rows):,}", f"{patients(rows):,}", last[3], f"{gb(rows):,.1f}"]


def test_commercial_is_all_that_may_be_used(select, whole_index):
    rows = select(preset="commercial")
    assert set(rows["license_short_name"]) == {"CC BY 3.0", "CC BY 4.0"}
    assert set(rows["sop_class_name"]) == {"CT Image Storage"}
    assert not rows["collection_id"].str.contains("phantom|mouse").any()
    assert len(rows) > 100_000 and "nlst" in set(rows["collection_id"])
    assert "nlst" not in set(select(preset="commercial", exclude=["NLST"])["collection_id"])
    assert whole_index["license_short_name"].str.contains("NC").any()  # so the rule does something


def test_taste_is_ten_gb_spread_over_patients(select):
    rows = select(preset="taste")
    assert 9 < gb(rows) <= 10
    assert patients(rows) == len(rows)
    counts = rows["collection_id"].value_counts()
    assert set(counts.index) == PAPER and counts.max() - counts.min() <= 1


def test_samples_are_reproducible_and_nested(select, tmp_path):
    first = set(select("a.s5cmd", preset="taste").index)
    assert set(select("b.s5cmd", preset="taste").index) == first
    assert (tmp_path / "a.s5cmd").read_text() == (tmp_path / "b.s5cmd").read_text()
    assert set(select(preset="taste", seed=1).index) != first
    assert set(select(preset="taste", max_gb=5.0).index) < first
    assert len(select(preset="taste", max_gb=20.0)) > len(first)
    hundred = select(preset="paper", max_series=100)
    assert len(hundred) == 100 and set(hundred.index) < set(
        select(preset="paper", max_series=300).index
    )


def test_a_sample_takes_every_patient_before_any_twice(scripts):
    import pandas as pd

    subset = importlib.import_module("scripts.corpus.idc.subset")
    rows = [("a", "1", 10), ("a", "2", 10), ("b", "1", 10), ("b", "1", 10), ("b", "1", 10)]
    series = pd.DataFrame(rows, columns=["collection_id", "PatientID", "series_size_MB"])
    series["SeriesInstanceUID"] = [str(i) for i in range(5)]
    for seed in range(5):
        order = subset.sample(series, 5, None, seed)["collection_id"].str.cat()
        assert sorted(order[:2]) == ["a", "b"] and order[2:] == "abb"


def test_flags_override_the_preset(select):
    assert gb(select(preset="taste", max_gb=2.5)) <= 2.5
    rows = select(preset="paper", collections=["LIDC-IDRI"], min_slices=100, max_slices=200)
    assert set(rows["collection_id"]) == {"lidc_idri"}
    assert rows["instanceCount"].between(100, 200).all()
    assert set(select(collections=["phantom_fda"], max_series=2)["collection_id"]) == {
        "phantom_fda"
    }
    assert set(select(licences="cc by-nc 4.0")["license_short_name"]) == {"CC BY-NC 4.0"}


def test_the_study_keeps_its_series_of_most_slices(select, whole_index):
    kept = select(collections=["covid_19_ar"], series_per_study=1).set_index("StudyInstanceUID")
    cts = whole_index[whole_index["sop_class_name"] == "CT Image Storage"]
    most = cts.groupby("StudyInstanceUID")["instanceCount"].max()
    assert len(kept) == 24 and (kept["instanceCount"] == most.loc[kept.index]).all()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"collections": ["lidc-idr"]}, r"no CT collection lidc_idr; did you mean lidc_idri\?"),
        ({"collections": ["hnscc"]}, "no CT collection hnscc; TCIA has some .* restricted access"),
        ({"exclude": ["nslt"]}, r"did you mean nlst\?"),
        ({"licences": "CC BY 4"}, r"no licence cc by 4; did you mean cc by 4.0\?"),
        ({"licences": "free"}, "there are commercial, CC BY 3.0, "),
        ({"preset": "papr"}, "no preset papr; there are paper, commercial, taste"),
        ({"preset": "paper", "max_gb": 0.001}, "--max_gb 0.001 holds none of the [0-9,]+ series"),
        ({"max_gb": float("nan")}, "--max_gb nan holds none"),
        ({"preset": "paper", "max_slices": 20}, "--max_slices 20 leaves nothing of the "),
        ({"collections": ["nlst"], "licences": "CC BY 3.0"}, "--licences CC BY 3.0 leaves nothing"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(select, refusal, tmp_path, flags, sentence):
    with refusal(sentence):
        select(**flags)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flag", "value", "kind"),
    [
        *((f"--{name}_slices", "0", "whole number of 1 or more") for name in ("min", "max")),
        *((f"--{name}", "0", "whole number of 1") for name in ("series_per_study", "max_series")),
        ("--max_gb", "nan", "number above 0"),
        ("--seed", "-1", "whole number from 0 up to"),
    ],
)
def test_numbers_have_ranges(select, tmp_path, flag, value, kind):
    command = importlib.import_module("scripts.corpus.idc.select").select
    with pytest.raises(SystemExit, match=f"{flag}.*: takes a {kind}.*, not {value}"):
        run(command, arguments=[str(tmp_path / "a.s5cmd"), flag, value])
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_needs_a_place(select, refusal, tmp_path):
    (tmp_path / "a.s5cmd").mkdir()
    with refusal("is a folder"):
        select()
    (tmp_path / "file").touch()
    with refusal("cannot be written .*give another place"):
        select("file/a.s5cmd", preset="taste")


def test_without_the_package_the_command_names_it(scripts, refusal, monkeypatch, tmp_path):
    monkeypatch.setitem(importlib.import_module("sys").modules, "idc_index_data", None)
    with refusal("pip install idc-index"):
        importlib.import_module("scripts.corpus.idc.select").select(str(tmp_path / "a.s5cmd"))


def test_sources_name_what_to_cite(select, tmp_path):
    rows = select("paper.s5cmd", preset="paper")
    with (tmp_path / "paper_sources.csv").open() as file:
        sources = {row["collection"]: row for row in csv.DictReader(file)}
    assert set(sources) == PAPER
    assert sources["lidc_idri"]["doi"] == "10.7937/k9/tcia.2015.lo9ql9sx"
    assert sources["lidc_idri"]["licence"] == "CC BY 3.0"
    assert sum(int(row["series"]) for row in sources.values()) == len(rows)
    assert sum(float(row["gb"]) for row in sources.values()) == pytest.approx(gb(rows), abs=0.01)


def test_idc_index_accepts_the_manifest(select, tmp_path, caplog):
    """Its own check before a download; buckets of both kinds of licence, and the folders."""
    from idc_index import IDCClient

    collections = ["covid_19_ar", "midrc_ricord_1a", "ct_lymph_nodes"]
    flags = {"collections": collections, "max_series": 60}
    rows = select(**flags)
    template = shlex.split(select.report.splitlines()[-1])[-1]
    with caplog.at_level(logging.WARNING):
        size_mb, endpoint, commands, folders, uids = (
            IDCClient()._validate_update_manifest_and_get_download_size(
                manifestFile=str(tmp_path / "a.s5cmd"),
                downloadDir=str(tmp_path / "dicom"),
                validate_manifest=True,
                use_s5cmd_sync=False,
                dirTemplate=template,
            )
        )
    commands.unlink()
    assert caplog.records == [] and endpoint == "https://s3.amazonaws.com"
    assert len(uids) == len(set(folders)) == 60
    assert size_mb == pytest.approx(rows["series_size_MB"].sum(), abs=0.01)
    tops = {folder.removeprefix(f"{tmp_path}/dicom/").split("/")[0] for folder in folders}
    assert tops == set(rows["collection_id"] + "-" + rows["PatientID"])


def test_the_command_itself(tmp_path):
    bundle, select = BUNDLES / "pretrain_ssl", ["-m", "scripts", "corpus", "select"]
    names = ["--exclude", "covid_19_ar,LIDC-IDRI"]
    done = python_here(bundle, *select, tmp_path / "a.s5cmd", "--preset", "taste", *names)
    assert "collection" in done.stdout
    assert f"Next: idc download {tmp_path}/a.s5cmd" in done.stdout
    assert done.stderr == ""
    origin = (tmp_path / "a.s5cmd").read_text().splitlines()[0]
    assert "preset=taste collections=lidc_idri,ct_colonography,covid_19_ar," in origin
    assert " exclude=covid_19_ar,LIDC-IDRI min_slices=30 " in origin
    misspelt = [tmp_path / "b.s5cmd", "--colections", "nlst"]
    refused = python_here(bundle, *select, *misspelt, check=False)
    assert refused.returncode == 1
    sentence = refused.stderr.splitlines()[-1]
    assert sentence.startswith("error: --colections is unknown; did you mean --collections?")
    assert "Traceback" not in refused.stderr and not (tmp_path / "b.s5cmd").exists()
