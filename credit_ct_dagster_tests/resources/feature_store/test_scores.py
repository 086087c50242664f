"""The table of scores: replaced in one transaction, or not at all."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.stores import LowDiskSpaceError, MissingColumnError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.scores import (
    AnswersFile,
    CustomerScores,
    ScoredBy,
    scores_table,
)
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.resources.feature_store.scored import BY, answers

_MODEL = "credit_score"
_DAY, _OTHER = "2025-03-10", "2025-03-09"
_LATER = ScoredBy("m:second", "2025-03-02", "4", "another", "2025-03-11 01:00:00")


def _scores(store: FeatureStore, model_name: str = _MODEL) -> CustomerScores:
    return CustomerScores(store.database, model_name)


def _answers(rows: int) -> pd.DataFrame:
    return answers(rows, _DAY)


def _replace(
    store: FeatureStore,
    *chunks: pd.DataFrame,
    by: ScoredBy = BY,
    base_dt: str = _DAY,
    kind: type[AnswersFile] = AnswersFile,
    model_name: str = _MODEL,
) -> None:
    with kind() as file:
        for chunk in chunks:
            file.append(chunk)
        _scores(store, model_name).replace(base_dt, file, by)


def _dump(store: FeatureStore, base_dt: str = _DAY) -> list[dict[str, Any]]:
    table = scores_table()
    query = sa.select(table).where(table.c.base_dt == base_dt).order_by(table.c.id)
    with store.database.transaction() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def test_scores_are_stored_as_they_were_given(store: FeatureStore) -> None:
    """Every number to the last bit, reasons as JSON, with model and run."""
    given = _answers(7)
    _replace(store, given[:4], given[4:])
    found = _dump(store)
    assert [row["probability_poor"] for row in found] == given["probability_poor"].tolist()
    assert [row["is_most_probable"] for row in found] == [True, False] * 3 + [True]
    assert found[0]["reasons"] == [{"sentence": "It's 100 % \\ é"}]
    assert found[0]["compliance_flags"] is None
    assert {key: str(found[0][key]) for key in vars(BY)} == vars(BY)


def test_replacing_twice_gives_the_same_state(store: FeatureStore) -> None:
    """Rows that are not scored any more are gone; other base dates stay."""
    _replace(store, _answers(5))
    _replace(store, _answers(2), base_dt=_OTHER)
    for _ in range(2):
        _replace(store, _answers(3), by=_LATER)
        assert [row["model_tag"] for row in _dump(store)] == ["m:second"] * 3
    scores = _scores(store)
    assert scores.counts(_DAY) == {"m:second": 3}
    assert scores.counts(_OTHER) == {"m:first": 2}
    _replace(store)
    assert scores.counts(_DAY) == {}


def test_what_fails_half_way_leaves_the_earlier_scores(store: FeatureStore) -> None:
    """In one transaction: nobody sees half of them."""

    class Failing(AnswersFile):
        def chunks(self) -> Iterator[Sequence[Sequence[object]]]:
            yield from super().chunks()
            raise ZeroDivisionError

    _replace(store, _answers(5))
    before = _dump(store)
    with pytest.raises(ZeroDivisionError):
        _replace(store, _answers(2), by=_LATER, kind=Failing)
    assert _dump(store) == before


def test_writers_of_several_base_dates_wait_for_each_other(store: FeatureStore) -> None:
    """Without a deadlock, although all of them begin with an empty base date."""
    days = [f"2025-02-0{number}" for number in range(1, 7)]
    threads = [
        threading.Thread(target=_replace, args=(store, _answers(200)), kwargs={"base_dt": day})
        for day in days
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scores = _scores(store)
    assert [scores.counts(day) for day in days] == [{"m:first": 200}] * 6


def test_without_a_table_there_are_no_scores(store: FeatureStore) -> None:
    """Neither to count nor to delete."""
    scores = _scores(store)
    assert scores.counts(_DAY) == {}
    assert scores.per_base_date() == {}
    assert scores.delete(_DAY) == 0


def test_the_scores_of_a_base_date_can_be_deleted(store: FeatureStore) -> None:
    """And those of no other one."""
    _replace(store, _answers(5))
    _replace(store, _answers(2), base_dt=_OTHER)
    scores = _scores(store)
    assert scores.per_base_date() == {_DAY: 5, _OTHER: 2}
    assert [scores.delete(day) for day in ("2025-01-01", _DAY, _DAY)] == [0, 5, 0]
    assert scores.per_base_date() == {_OTHER: 2}


def test_two_models_on_one_feature_store_do_not_overwrite_each_other(store: FeatureStore) -> None:
    """The same customers of the same base date: each model replaces, counts and deletes its own."""
    _replace(store, _answers(5))
    _replace(store, _answers(3), model_name="another", by=_LATER)
    ours, theirs = _scores(store), _scores(store, "another")
    assert (ours.counts(_DAY), theirs.counts(_DAY)) == ({"m:first": 5}, {"m:second": 3})
    _replace(store, _answers(4))
    assert (ours.per_base_date(), theirs.per_base_date()) == ({_DAY: 4}, {_DAY: 3})
    assert ours.delete(_DAY) == 4
    assert (ours.per_base_date(), theirs.per_base_date()) == ({}, {_DAY: 3})
    assert [row["model_name"] for row in _dump(store)] == ["another"] * 3


def test_a_table_that_lacks_a_column_is_named(store: FeatureStore) -> None:
    """Before anything is deleted."""
    _replace(store, _answers(1))
    with store.database.transaction(writes=True) as connection:
        connection.exec_driver_sql("ALTER TABLE credit_customer_scores DROP COLUMN dagster_run_id")
    with pytest.raises(MissingColumnError, match="lacks the column dagster_run_id"):
        _replace(store, _answers(2))
    assert _scores(store).counts(_DAY) == {"m:first": 1}


def test_the_table_holds_no_personal_data() -> None:
    """Name and ssn are no columns of it."""
    assert not {*schema.PERSONAL} & {*scores_table().columns.keys()}


def test_a_full_disk_for_answers_is_named() -> None:
    """With the variable that chooses another one."""
    with (
        pytest.raises(LowDiskSpaceError, match=r"No space left on device.*TMPDIR"),
        AnswersFile(_file=Path("/dev/full").open("wb")) as file,
    ):
        file.append(_answers(3))


def test_answers_on_the_disk_have_no_name() -> None:
    """So that a killed process leaves nothing behind."""
    with AnswersFile() as file:
        file.append(_answers(3))
        assert isinstance(file._file.name, int), "no path"
        assert file.rows == 3
        assert [len(columns[0]) for columns in file.chunks()] == [3]
