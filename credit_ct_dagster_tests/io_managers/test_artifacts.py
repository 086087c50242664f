"""Artifacts on disk and in an object store."""

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import dagster as dg
import joblib
import pandas as pd
import pytest
from sklearn.preprocessing import RobustScaler
from upath import UPath

from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster.errors.stores import MissingArtifactError
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactsIOManager
from credit_ct_dagster.io_managers.publishing import publish

_DAY = "2025-01-31"
_TABLE = pd.DataFrame(
    {"id": ["007"], "age": [0.1 + 0.2], "occupation": ["missing"], "credit_score": ["Poor"]}
)


def _round_trip(manager: ArtifactsIOManager, value: dict[str, Any]) -> dict[str, Any]:
    """Write an artifact in one run and read it in another asset of the same run."""
    partitions = dg.StaticPartitionsDefinition([_DAY])
    read: dict[str, Any] = {}

    @dg.asset(partitions_def=partitions, metadata={FOLDER: MODEL_FOLDER})
    def written() -> dict[str, Any]:
        return value

    @dg.asset(partitions_def=partitions)
    def reader(written: Any) -> dg.MaterializeResult:
        read.update({name: written[name] for name in value})
        return dg.MaterializeResult()

    result = dg.materialize(
        [written, reader], partition_key=_DAY, resources={"io_manager": manager}
    )
    assert result.success
    return read


@pytest.mark.parametrize("table_format", ["parquet", "csv"])
def test_every_format_comes_back_as_it_was(tmp_path: Path, table_format: str) -> None:
    """Tables keep text ids and every bit of a number, in either format."""
    manager = ArtifactsIOManager(base_path=str(tmp_path), model_name="m", table_format=table_format)
    read = _round_trip(
        manager,
        {
            "{model_name}_train.parquet": _TABLE,
            "summary.json": {"rows": 1},
            "card.html": "<p>é</p>",
            "plot.png": b"\x89PNG",
        },
    )
    pd.testing.assert_frame_equal(read["{model_name}_train.parquet"], _TABLE)
    assert read["summary.json"] == {"rows": 1}
    assert read["card.html"] == "<p>é</p>"
    names = sorted(path.name for path in (tmp_path / "models" / "m" / _DAY).iterdir())
    assert names == [
        "card.html",
        f"m_train.{table_format}",
        "plot.png",
        "summary.json",
    ]


def test_a_pickle_is_written_for_others_and_never_read(tmp_path: Path) -> None:
    """Reading one would execute what somebody planted in it."""
    manager = ArtifactsIOManager(base_path=str(tmp_path), model_name="m")
    scaler = RobustScaler().fit(_TABLE[["age"]])
    manager.write(MODEL_FOLDER, _DAY, {"robust_scaler.joblib": {"age": scaler}})
    folder = manager.open(MODEL_FOLDER, _DAY)
    assert joblib.load(folder.path / "robust_scaler.joblib")["age"].center_ == scaler.center_
    with pytest.raises(NotImplementedError, match="read the JSON file"):
        folder["robust_scaler.joblib"]


def test_an_object_store_works_the_same() -> None:
    """Any fsspec URL is a place for artifacts."""
    manager = ArtifactsIOManager(base_path="memory://bucket/prefix", model_name="m")
    read = _round_trip(manager, {"{model_name}_train.parquet": _TABLE, "summary.json": {"a": 1}})
    pd.testing.assert_frame_equal(read["{model_name}_train.parquet"], _TABLE)


def test_reading_one_file_reads_no_other(tmp_path: Path) -> None:
    """A damaged file does not matter to who asks for another one."""
    folder = tmp_path / "models" / "m" / _DAY
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text('{"rows": 1}')
    (folder / "best.cbm").write_text("no model")
    opened = ArtifactsIOManager(base_path=str(tmp_path), model_name="m").open(MODEL_FOLDER, _DAY)
    assert opened["summary.json"] == {"rows": 1}
    assert sorted(opened) == ["best.cbm", "summary.json"]


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    """Not a traceback about a path, but the way out."""
    opened = ArtifactsIOManager(base_path=str(tmp_path), model_name="m").open(MODEL_FOLDER, _DAY)
    assert "summary.json" not in opened
    with pytest.raises(
        MissingArtifactError, match=r"summary\.json does not exist: materialize the asset"
    ):
        opened["summary.json"]


def _write_slowly(path: Path, started: Any) -> None:
    original = Path.replace

    def replace(self: Path, target: Path) -> Path:
        started.set()
        time.sleep(60)
        return original(self, target)

    Path.replace = replace  # type: ignore[method-assign, assignment]
    publish(UPath(path), b"new, whole")


def test_a_killed_write_leaves_the_old_file_and_the_next_one_clears_up(tmp_path: Path) -> None:
    """Killed just before the rename: the old content remains, and later no temporary file."""
    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    context = multiprocessing.get_context("fork")
    started = context.Event()
    writer = context.Process(target=_write_slowly, args=(path, started))
    writer.start()
    assert started.wait(30)
    publish(UPath(path), b"meanwhile")
    assert len(list(tmp_path.iterdir())) == 2, "the file of a living writer is not touched"
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert path.read_bytes() == b"meanwhile"
    publish(UPath(path), b"again")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]
    assert path.read_bytes() == b"again"


@pytest.mark.parametrize("place", ["disk", "object store"])
def test_a_deleted_artifact_is_gone_and_its_neighbours_are_not(tmp_path: Path, place: str) -> None:
    """With its sizes and its place among the base dates; twice is as good as once."""
    base_path = str(tmp_path) if place == "disk" else f"memory://{tmp_path.name}"
    manager, folder = ArtifactsIOManager(base_path=base_path, model_name="m"), "m/{base_dt}"
    for base_dt in (_DAY, "2025-02-01"):
        manager.write(folder, base_dt, {"a.html": "four", "b.html": ""})
    sizes = {"a.html": 4, "b.html": 0}
    assert manager.sizes(folder) == {_DAY: sizes, "2025-02-01": sizes}
    for _ in range(2):
        manager.delete(folder, _DAY)
        assert manager.sizes(folder) == {"2025-02-01": sizes}
        assert [base_dt for base_dt, _ in manager.open_all(folder)] == ["2025-02-01"]
    assert manager.open(folder, "2025-02-01")["a.html"] == "four"


@pytest.mark.parametrize("place", ["disk", "object store"])
def test_a_part_of_an_artifact_is_deleted(tmp_path: Path, place: str) -> None:
    """All but the files that are named, also in folders below; and what a kill left over."""
    base_path = str(tmp_path) if place == "disk" else f"memory://{tmp_path.name}"
    manager, folder = ArtifactsIOManager(base_path=base_path, model_name="m"), "m/{base_dt}"
    manager.write(folder, _DAY, {"{model_name}_a.html": "four", "b.html": ""})
    manager.write(f"{folder}/below", _DAY, {"c.html": "x", "d.html": "y"})
    if place == "disk":
        left_over = tmp_path / "m" / f".{_DAY}.deleted"
        left_over.mkdir()
        (left_over / "e.html").write_text("of a killed delete")
        assert manager.sizes(folder)[_DAY][f".{_DAY}.deleted/e.html"] == 18
    for _ in range(2):
        manager.delete_all_but(folder, _DAY, ["{model_name}_a.html", "below/d.html"])
        assert manager.sizes(folder) == {_DAY: {"m_a.html": 4, "below/d.html": 1}}
    manager.delete_all_but(folder, "2025-02-01", [])
    assert list(manager.sizes(folder)) == [_DAY]
