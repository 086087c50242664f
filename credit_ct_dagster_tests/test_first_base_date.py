"""The base dates of the embedded default begin where its data begin, and never move forward."""

import errno
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from credit_ct_dagster.cli.main import main
from credit_ct_dagster.errors.stores import UnreadableRecordError
from credit_ct_dagster.first_base_date import FirstBaseDate, first_base_date, record_first_label
from credit_ct_dagster.resources.feature_store.arrivals import Arrivals
from credit_ct_dagster.settings import Settings

_DEFAULT = "2025-01-01"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of its own."""
    monkeypatch.chdir(tmp_path)


def _settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


def test_they_begin_with_the_first_labels() -> None:
    """Which `credit-ct load` records; labels of earlier days move the first base date to them."""
    assert first_base_date(_settings()) == _DEFAULT
    assert record_first_label(_settings(), "2026-03-27", is_first_load=True)
    assert first_base_date(_settings()) == "2026-03-27"
    assert not record_first_label(_settings(), "2026-04-01", is_first_load=False)
    assert first_base_date(_settings()) == "2026-03-27"
    assert record_first_label(_settings(), "2024-12-31", is_first_load=False)
    assert first_base_date(_settings()) == "2024-12-31"


def test_they_stay_where_base_dates_were_trained_before() -> None:
    """An installation that has labels already keeps the base dates that it has."""
    assert not record_first_label(_settings(), "2026-03-27", is_first_load=False)
    assert first_base_date(_settings()) == _DEFAULT


@pytest.mark.parametrize(
    "given",
    [{"partitions_start": date(2025, 6, 1)}, {"feature_store_url": "mysql+pymysql://a@b/c"}],
    ids=["PARTITIONS_START", "FEATURE_STORE_URL"],
)
def test_what_the_environment_says_counts(given: dict[str, Any]) -> None:
    """PARTITIONS_START always, and its default for a feature store that others load as well."""
    settings = _settings(**given)
    assert not record_first_label(settings, "2026-03-27", is_first_load=True)
    assert first_base_date(settings) == settings.partitions_start.isoformat()
    record_first_label(_settings(), "2026-03-27", is_first_load=True)
    assert first_base_date(settings) == settings.partitions_start.isoformat()


def test_child_processes_know_it_as_well() -> None:
    """They find FEATURE_STORE_URL in their environment, where their parent has put it."""
    record_first_label(_settings(), "2026-03-27", is_first_load=True)
    exported = _settings().exported()["FEATURE_STORE_URL"]
    assert first_base_date(_settings(feature_store_url=exported)) == "2026-03-27"


def test_a_write_that_fails_leaves_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process reads it: half a record would stop them all."""
    record_first_label(_settings(), "2026-03-27", is_first_load=True)
    monkeypatch.setattr("os.fsync", _fail)
    with pytest.raises(OSError, match="No space left"):
        record_first_label(_settings(), "2026-03-26", is_first_load=False)
    assert first_base_date(_settings()) == "2026-03-27"


def _fail(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _load(*rows: str) -> str:
    Path("labels.csv").write_text("".join(f"{number},c,{row}\n" for number, row in enumerate(rows)))
    given = dict.fromkeys(_settings().exported())
    done = CliRunner().invoke(main, ["load", "--labels", "labels.csv"], env=given)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_a_date_that_cannot_be_meant_begins_no_base_dates() -> None:
    """It would make 700,000 of them, for good; the oldest other one does, and it is named."""
    printed = _load("0202-07-01,Poor", "2026-02-30,Poor", "2026-03-27,Poor")
    assert "base dates begin on 2026-03-27" in printed
    assert "No base date begins on 0202-07-01, which does not exist or lies before 201" in printed
    assert first_base_date(_settings()) == "2026-03-27"


def test_a_first_file_of_such_dates_leaves_the_beginning_open() -> None:
    """The first load with a date that can be meant decides."""
    assert "No base date begins on 2026-02-30" in _load("2026-02-30,Poor")
    assert "base dates begin on 2026-03-27" in _load("2026-02-30,Poor", "2026-03-27,Poor")
    assert first_base_date(_settings()) == "2026-03-27"


def test_the_beginning_is_recorded_before_the_arrivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording these may wait for a minute, in which a person may interrupt it."""
    monkeypatch.setattr(Arrivals, "record", _interrupted)
    with pytest.raises(AssertionError):
        _load("2026-03-27,Poor")
    assert first_base_date(_settings()) == "2026-03-27"


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_broken_record_says_what_to_do() -> None:
    """It is not passed over: base dates would begin elsewhere."""
    file = Path(FirstBaseDate.FILE)
    file.parent.mkdir()
    file.write_text("{}")
    with pytest.raises(UnreadableRecordError, match="set PARTITIONS_START to the first base date"):
        first_base_date(_settings())
