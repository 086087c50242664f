"""The spool: lines that survive, and files that any process may drain."""

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster.serving.log.spool import Spool, files_in
from credit_ct_dagster.serving.log.spool_index import SpoolIndex
from credit_ct_dagster_tests.serving.log.predictions import prediction

_TEXTS = st.text(st.characters(codec="utf-8"))
_FIRST, _LAST = map(datetime.fromisoformat, ("1990-01-01", "2100-01-01"))
_VALUES = st.none() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS


@given(
    request_id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=64),
    customer_id=st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=64),
    time=st.datetimes(min_value=_FIRST, max_value=_LAST, timezones=st.just(UTC)),
    features=st.dictionaries(st.sampled_from(schema.FEATURES), _VALUES),
    reasons=st.lists(st.dictionaries(_TEXTS, _VALUES, max_size=3), max_size=3),
    probabilities=st.fixed_dictionaries(dict.fromkeys(schema.CLASSES, st.floats(0, 1))),
)
def test_a_line_gives_the_prediction_back(**values: Any) -> None:
    """Whatever texts and numbers it has, on one line, to the last bit."""
    written = prediction(values.pop("request_id"), **values)
    line = written.to_line()
    assert line.count(b"\n") == 1
    assert Prediction.from_line(line) == written


def _spooled(folder: Path, *names: str) -> list[str]:
    spool = Spool(folder)
    spool.append([prediction(name).to_line() for name in names])
    spool.release()
    return [path.name for path in files_in(folder)]


def _drained(folder: Path) -> list[str]:
    found: list[str] = []
    Spool(folder).drain(lambda rows: found.extend(row.request_id for row in rows))
    return found


def test_files_are_drained_in_order_and_deleted(tmp_path: Path) -> None:
    """Those of several processes, the oldest first; each prediction once."""
    _spooled(tmp_path, "1", "2", "2")
    _spooled(tmp_path, "3")
    assert SpoolIndex(tmp_path).amount().rows == 4
    assert _drained(tmp_path) == ["1", "2", "3"]
    assert files_in(tmp_path) == []
    assert _drained(tmp_path) == []
    assert SpoolIndex(tmp_path).amount().rows == 0


def test_a_file_that_is_being_written_remains(tmp_path: Path) -> None:
    """Until its process releases it, or ends."""
    spool = Spool(tmp_path)
    spool.append([prediction("1").to_line()])
    assert _drained(tmp_path) == []
    spool.release()
    assert _drained(tmp_path) == ["1"]


@pytest.mark.parametrize("kept", [0, 1, 30, -2])
def test_a_line_that_a_power_cut_tore_is_passed_over(tmp_path: Path, kept: int) -> None:
    """Nobody was answered yet; the lines before it are complete."""
    [name] = _spooled(tmp_path, "1", "2")
    file = tmp_path / name
    complete, torn = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(complete + torn[:kept])
    index = SpoolIndex(tmp_path)
    assert index.amount().rows == 1
    assert index.known(["1", "2"]) == {"1"}
    assert _drained(tmp_path) == ["1"]
    assert list(tmp_path.glob("*.damaged")) == []


def test_a_file_that_is_damaged_is_kept(tmp_path: Path) -> None:
    """Its readable lines are in the database, and a person can look at the rest."""
    [name] = _spooled(tmp_path, "1", "2", "3")
    file = tmp_path / name
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + b"\0" * 50 + b"\xff\n" + b"[]\n" + lines[2])
    assert _drained(tmp_path) == ["1", "3"]
    assert files_in(tmp_path) == []
    assert len(list(tmp_path.glob("*.damaged"))) == 1


def _damaged(**values: Any) -> bytes:
    line = json.loads(prediction("damaged").to_line())
    line["prediction"] |= values
    return json.dumps(line).encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000 + b"\n",
        b"\0" * 100 + b"\n",
        b"null\n",
        b'{"version": 1}\n',
        _damaged(time=5),
        _damaged(time="0001-01-01T00:00:00+14:00"),
        _damaged(request_id=["a"]),
        _damaged(request_id="\ud800"),
        _damaged(latency_ms=10**400),
        _damaged(latency_ms=float("nan")),
        _damaged(probabilities={"Poor": float("nan")}),
        _damaged(reasons=[5]),
    ],
)
def test_a_line_that_nobody_can_store_delays_no_other(tmp_path: Path, line: bytes) -> None:
    """Whatever a broken disk made of it: the others go to the database, and it is kept aside."""
    _spooled(tmp_path, "1")
    [path] = files_in(tmp_path)
    path.write_bytes(line + path.read_bytes())
    _spooled(tmp_path, "2")
    assert SpoolIndex(tmp_path).amount().rows == 3
    assert _drained(tmp_path) == ["1", "2"]
    assert [each.suffix for each in tmp_path.iterdir() if each.stem == path.stem] == [".damaged"]


def test_a_file_that_cannot_be_read_delays_no_other(tmp_path: Path) -> None:
    """Such as one of another user; it is named, and requests are answered."""
    (tmp_path / "0-foreign.jsonl").mkdir()
    _spooled(tmp_path, "1")
    index = SpoolIndex(tmp_path)
    assert (index.amount().rows, index.known(["1"])) == (1, {"1"})
    rows: list[str] = []
    drained = Spool(tmp_path).drain(lambda found: rows.extend(row.request_id for row in found))
    assert rows == ["1"]
    [reason] = drained.refused
    assert "0-foreign.jsonl cannot be drained" in reason


def test_a_file_of_a_later_release_remains(tmp_path: Path) -> None:
    """And is named; the other files are drained."""
    [name] = _spooled(tmp_path, "1")
    file = tmp_path / name
    file.write_text(json.dumps({"version": 2, "other": 1}) + "\n")
    _spooled(tmp_path, "2")
    found: list[Prediction] = []
    drained = Spool(tmp_path).drain(found.extend)
    assert [each.request_id for each in found] == ["2"]
    assert [name in sentence for sentence in drained.refused] == [True]
    assert files_in(tmp_path) == [file]


def test_an_interrupted_drain_begins_again(tmp_path: Path) -> None:
    """A file is deleted only when all of it was taken."""
    _spooled(tmp_path, *map(str, range(700)))
    taken: list[str] = []

    def insert(rows: Any) -> None:
        if taken:
            raise ConnectionError
        taken.extend(row.request_id for row in rows)

    with pytest.raises(ConnectionError):
        Spool(tmp_path).drain(insert)
    assert taken == [str(number) for number in range(500)]
    assert _drained(tmp_path) == [str(number) for number in range(700)]


def test_predictions_are_found_while_they_wait(tmp_path: Path) -> None:
    """By every process, also those that were written after it looked last."""
    index, spool = SpoolIndex(tmp_path), Spool(tmp_path)
    assert index.find("1") is None
    first = prediction("1")
    spool.append([first.to_line()])
    assert index.find("1") == first
    spool.append([prediction("2").to_line()])
    assert index.known(["1", "2", "3"]) == {"1", "2"}
    assert index.amount().rows == 2
    assert index.amount().oldest == first.time.timestamp()
    spool.release()
    _drained(tmp_path)
    assert index.find("1") is None


def test_what_a_full_disk_refuses_does_not_remain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when the write fails in the middle, nor when the disk fails to keep it."""
    spool, index = Spool(tmp_path), SpoolIndex(tmp_path)
    spool.append([prediction("1").to_line()])
    write = os.write

    def half(descriptor: int, data: memoryview) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    def no_sync(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    for name, fails in (("write", half), ("fsync", no_sync)):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fails)
            with pytest.raises(OSError, match=r"No space|Input/output"):
                spool.append([prediction(f"not {name}").to_line()])
        assert index.amount().rows == 1
    spool.append([prediction("2").to_line()])
    assert index.amount().rows == 2
    spool.release()
    assert _drained(tmp_path) == ["1", "2"]


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """They hold rows of customers."""
    folder = tmp_path / "serving" / "spool"
    [name] = _spooled(folder, "1")
    assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_preparing_leaves_nothing(tmp_path: Path) -> None:
    """It only finds out whether the folder can be written."""
    Spool(tmp_path / "spool").prepare()
    assert list((tmp_path / "spool").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Spool(tmp_path / "file").prepare()
