"""The scores of a base date, from the feature table to the table of scores."""

import logging
import signal
from pathlib import Path

import pandas as pd
import pytest

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.rows_to_score import Customers
from credit_ct_dagster.resources.feature_store.scores import CustomerScores
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.scorer.reasons import protected_features
from credit_ct_dagster.scoring.scoring import PinnedModel, score_customers
from credit_ct_dagster_tests.processes import score_until_killed, started
from credit_ct_dagster_tests.scoring.conftest import Request
from credit_ct_dagster_tests.scoring.customers import DAY, MODEL, ROWS, execute, scores_of

_LOG = logging.getLogger(__name__)
_PROBABILITIES = [f"probability_{name.lower()}" for name in schema.CLASSES]


def test_every_customer_gets_what_the_model_answers_one_by_one(
    store: FeatureStore, customers: pd.DataFrame, model: PinnedModel, request_of: Request
) -> None:
    """Class, probabilities, reasons and flags, to the last bit; in several ranges."""
    scoring = score_customers(request_of(), model, store.database, _LOG)
    found = scores_of(store)
    assert len(found) == scoring.summary.rows == ROWS
    assert sum(scoring.summary.classes.values()) == ROWS
    by_id = customers.set_index("id")
    numbers = by_id[schema.NUMERIC]
    if store.database.engine.dialect.name != "sqlite":  # the table has single precision
        by_id = by_id.assign(**numbers.astype("float32").astype("float64"))
    for row in found.sample(40, random_state=0).to_dict("records"):
        answer = model.scorer.score(by_id.loc[row["id"], schema.FEATURES].to_dict())
        assert row["credit_score"] == answer.credit_score
        assert [row[name] for name in _PROBABILITIES] == [*answer.probabilities.values()]
        assert bool(row["is_most_probable"]) == answer.is_most_probable
        assert row["reasons"] == [each.as_dict() for each in answer.reasons]
        assert row["compliance_flags"] == protected_features(answer.reasons)
    assert set(found["model_tag"]) == {"m:tag"}
    assert set(found["registered_version"]) == {"3"}


def test_scoring_twice_gives_the_same_state(
    store: FeatureStore, model: PinnedModel, request_of: Request
) -> None:
    """Whatever the size of the chunks; only the moment differs."""
    frames = []
    for chunk_rows in (100, 7_000):
        score_customers(request_of(chunk_rows=chunk_rows), model, store.database, _LOG)
        frames.append(scores_of(store).drop(columns="scored_at"))
    pd.testing.assert_frame_equal(*frames)


def test_reasons_are_left_out_unless_asked_for(
    store: FeatureStore, model: PinnedModel, request_of: Request
) -> None:
    """They are NULL then, not empty; nobody knows whether a flag would have been raised."""
    scoring = score_customers(request_of(reasons=False), model, store.database, _LOG)
    assert scores_of(store)[["reasons", "compliance_flags"]].isna().all(axis=None)
    assert scoring.summary.flagged is None


def test_rows_that_break_a_rule_are_in_quarantine_without_personal_data(
    store: FeatureStore, model: PinnedModel, request_of: Request
) -> None:
    """By the model's own limits; all others are scored."""
    ids = scores_of_ids(store)
    execute(
        store,
        f"UPDATE credit_score_features SET age = 900 WHERE id = '{ids[0]}'",
        f"UPDATE credit_score_features SET credit_mix = '_' WHERE id = '{ids[1]}'",
    )
    scoring = score_customers(request_of(), model, store.database, _LOG)
    assert scoring.too_many is None
    assert sorted(scoring.quarantined["id"]) == sorted(ids[:2])
    assert not {*schema.PERSONAL} & {*scoring.quarantined.columns}
    assert scoring.summary.quarantine.per_rule == {
        "age must be 14 to 120": 1,
        "credit_mix must be Bad, Standard or Good": 1,
    }
    assert not {*ids[:2]} & {*scores_of(store)["id"]}
    assert scoring.summary.rows == ROWS - 2


def scores_of_ids(store: FeatureStore) -> list[str]:
    """Ids of the feature table."""
    with store.database.transaction() as connection:
        query = "SELECT id FROM credit_score_features ORDER BY id"
        return [str(row[0]) for row in connection.exec_driver_sql(query)]


def test_too_many_refused_rows_leave_the_earlier_scores(
    store: FeatureStore, model: PinnedModel, request_of: Request
) -> None:
    """The sentence names rules and limit; it stops as soon as the limit is exceeded."""
    score_customers(request_of(), model, store.database, _LOG)
    before = scores_of(store)
    execute(store, "UPDATE credit_score_features SET age = 900")
    scoring = score_customers(request_of(), model, store.database, _LOG)
    assert len(scoring.quarantined) == 100
    assert scoring.too_many is not None
    assert scoring.too_many.sentence.startswith("No customer was scored, and earlier scores stay:")
    assert "age must be 14 to 120 (100 rows). The limit is 2.00%" in scoring.too_many.sentence
    pd.testing.assert_frame_equal(scores_of(store), before)


def test_a_base_date_without_features_has_no_scores(
    store: FeatureStore, model: PinnedModel, request_of: Request
) -> None:
    """Those of an earlier run are deleted: their features are gone."""
    score_customers(request_of(), model, store.database, _LOG)
    execute(store, "DELETE FROM credit_score_features")
    scoring = score_customers(request_of(), model, store.database, _LOG)
    assert (scoring.summary.rows, len(scoring.quarantined)) == (0, 0)
    assert CustomerScores(store.database, MODEL).counts(DAY) == {}


def test_the_newest_row_of_every_customer_can_be_scored_instead(
    store: FeatureStore, model: PinnedModel, request_of: Request
) -> None:
    """For a base date on which few rows are dated; the scores name the date of the features."""
    request = request_of(base_dt="2025-03-12", customers=Customers.newest)
    scoring = score_customers(request, model, store.database, _LOG)
    found = scores_of(store, "2025-03-12")
    assert found["customer_id"].is_unique
    assert set(found["date"]) == {DAY}
    assert scoring.summary.rows == len(found) > 100


@pytest.mark.integration
def test_a_kill_in_the_middle_leaves_the_earlier_scores(
    store: FeatureStore, model: PinnedModel, request_of: Request, tmp_path: Path
) -> None:
    """And the next run replaces them; nothing of the killed one remains on the disk."""
    score_customers(request_of(dagster_run_id="before"), model, store.database, _LOG)
    before = scores_of(store)
    given = (model, request_of(dagster_run_id="killed"), store.url, tmp_path)
    with started(score_until_killed, *given) as process:
        process.join()
    assert process.exitcode == -signal.SIGKILL
    pd.testing.assert_frame_equal(scores_of(store), before)
    assert [*tmp_path.glob("tmp*")] == []
    score_customers(request_of(dagster_run_id="after"), model, store.database, _LOG)
    assert set(scores_of(store)["dagster_run_id"]) == {"after"}
