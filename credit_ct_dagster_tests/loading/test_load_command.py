"""`credit-ct load`: what it writes and what it reports."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.loading import csv_files
from credit_ct_dagster.loading.csv_files import check_labels
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import REPOSITORY, Platform
from credit_ct_dagster_tests.resources.feature_store.ledger import lines_of

_LABEL = "1,2,2025-01-05,Poor\n"
_WAITS = """
import sys
from pathlib import Path
from credit_ct_dagster.loading.csv_files import CsvFile, check_labels
from credit_ct_dagster.resources.feature_store import upsert
from credit_ct_dagster.resources.feature_store.store import FeatureStore

class Waits(CsvFile):
    def batches(self):
        yield from super().batches()
        print("read", flush=True)
        sys.stdin.read()

upsert._READ_AHEAD = 1
checked = check_labels(Path(sys.argv[1]))
checked.__class__ = Waits
FeatureStore(url=sys.argv[2]).upsert({"credit_score": checked})
"""
"""A load that writes its rows, and does not end."""


@pytest.fixture
def empty(platform: Platform) -> Platform:
    """A platform without any label or feature."""
    with sa.create_engine(platform.url).begin() as connection:
        for table in ("credit_score", "credit_score_features"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    return platform


def _labels(url: str) -> list[tuple[str, str]]:
    query = "SELECT id, credit_score FROM credit_score ORDER BY id"
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def _file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_what_was_left_out_and_changed_is_reported(empty: Platform) -> None:
    """And what is counted is what is in the table."""
    text = _LABEL * 3 + '3,4,2025-01-06,"Good "\n'
    done = empty.command("load", "--labels", _file(empty.folder, "labels.csv", text))
    assert done.exit_code == 0, done.output
    assert (
        "credit_score: 2 rows, 2025-01-05 to 2025-01-06; left out, because they repeat an earlier"
        " line: 2; words whose surrounding blanks were removed: 1"
    ) in done.output
    assert _labels(empty.url) == [("1", "Poor"), ("3", "Good")]


def test_the_arrival_of_rows_is_recorded(empty: Platform) -> None:
    """The first load begins the ledger; of a later one only what is new or changed arrived."""
    first = empty.command("load", "--labels", _file(empty.folder, "labels.csv", _LABEL))
    assert "credit_arrivals: 1 new lines for credit_score" in first.output
    changed = "1,2,2025-01-05,Good\n2,3,2025-01-05,Poor\n"
    later = empty.command("load", "--labels", _file(empty.folder, "labels.csv", changed))
    assert "credit_arrivals: 2 new lines for credit_score" in later.output
    later = empty.command("load", "--labels", _file(empty.folder, "labels.csv", changed))
    assert "credit_arrivals: 0 new lines for credit_score" in later.output
    lines = lines_of(FeatureStore(url=empty.url))
    assert [(line.id, line.since_the_beginning) for line in lines] == [
        ("1", True), ("1", False), ("2", False),
    ]  # fmt: skip


def test_a_load_does_not_fail_for_the_ledger(empty: Platform) -> None:
    """The rows are there, and the sentence says what to do."""
    with sa.create_engine(empty.url).begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS credit_arrivals")
        connection.exec_driver_sql("CREATE TABLE credit_arrivals (table_name TEXT PRIMARY KEY)")
    done = empty.command("load", "--labels", _file(empty.folder, "labels.csv", _LABEL))
    assert done.exit_code == 0, done.output
    assert "their arrival is not recorded yet: Table credit_arrivals" in done.output
    assert _labels(empty.url) == [("1", "Poor")]


@pytest.mark.parametrize(("separator", "option"), [(";", ";"), ("\t", "tab")])
def test_the_separator_that_was_named_is_taken(
    empty: Platform, separator: str, option: str
) -> None:
    """The command of the refusal's own sentence succeeds."""
    file = _file(empty.folder, "labels.csv", _LABEL.replace(",", separator))
    refused = empty.command("load", "--labels", file)
    assert refused.exit_code == 1
    assert f"--separator '{option}'" in refused.output
    assert empty.command("load", "--labels", file, "--separator", option).exit_code == 0
    assert _labels(empty.url) == [("1", "Poor")]


def test_a_broken_file_leaves_nothing_of_the_other_one(empty: Platform) -> None:
    """All files are checked before the first row is written."""
    row = ",".join("1" if name != "date" else "2025-01-05" for name in schema.FEATURE_COLUMNS)
    broken = row.replace("2025-01-05", "yesterday")
    done = empty.command(
        "load",
        "--labels", _file(empty.folder, "labels.csv", _LABEL),
        "--features", _file(empty.folder, "features.csv", f"{row}\n{broken}\n"),
    )  # fmt: skip
    assert done.exit_code == 1
    assert "features.csv, line 2: date 'yesterday' is not written YYYY-MM-DD" in done.output
    assert _labels(empty.url) == []


def test_no_separator_of_two_characters(empty: Platform) -> None:
    """It is a mistake in the command, and exits as one."""
    done = empty.command("load", "--labels", "labels.csv", "--separator", ";;")
    assert done.exit_code == 2
    assert "is no separator" in done.output


def test_a_load_that_fails_between_two_batches_is_rolled_back(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file is written in many batches, in one transaction."""
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 10)
    path = tmp_path / "labels.csv"
    path.write_text(_LABEL)
    store = FeatureStore(url=store_url)
    store.upsert({"credit_score": check_labels(path)})
    path.write_text("1,2,2025-01-05,Good\n2,2,2025-01-05,Good\n3,2,2025-01-05,Good\n")
    checked = check_labels(path)
    path.write_text("1,2,2025-01-05,Good\n2,2,2025-01-05,Good\n3,2,yesterday,Good\n")
    with pytest.raises(FileError, match="line 3: date 'yesterday'"):
        store.upsert({"credit_score": checked})
    assert _labels(store_url) == [("1", "Poor")]


def test_a_load_that_is_killed_leaves_nothing(mariadb: MariaDB, tmp_path: Path) -> None:
    """Its transaction and its lock end with it, and the same load can be started again."""
    url = mariadb.new_database()
    path = tmp_path / "labels.csv"
    path.write_text(_LABEL)
    store = FeatureStore(url=url)
    store.create_missing_tables()
    with subprocess.Popen(
        [sys.executable, "-c", _WAITS, str(path), url],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as load:  # fmt: skip
        assert load.stdout is not None
        assert load.stdout.readline() == "read\n"
        load.kill()
    assert _labels(url) == []
    assert store.upsert({"credit_score": check_labels(path)}) == {"credit_score": 1}
    assert _labels(url) == [("1", "Poor")]
