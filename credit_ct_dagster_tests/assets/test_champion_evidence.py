"""Which rows a decision rests on, and when it is made without any."""

from typing import Any

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import Decision
from credit_ct_dagster.contracts.files import SPLIT_FILES
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.rows.splitting import customer_position
from credit_ct_dagster.resources.feature_store.tables import Tables
from credit_ct_dagster_tests.platform import (
    BASE_DT,
    EARLIER,
    GOOD_SEARCH,
    NO_FLOORS,
    POOR_SEARCH,
    Platform,
    metadata_of,
)

pytestmark = pytest.mark.integration


def _decision(platform: Platform, base_dt: str = BASE_DT) -> Decision:
    return platform.decision_record(base_dt).decision


def _decide(
    platform: Platform,
    instance: dg.DagsterInstance,
    base_dt: str,
    search: dict[str, Any],
    checks: bool = False,
    **options: Any,
) -> None:
    """Train a base date up to the decision on its model."""
    made = platform.materialize(
        instance, base_dt, search, checks=checks, until="champion_model", **options
    )
    assert made.success


def _compared_rows(platform: Platform) -> int:
    comparison = _decision(platform).comparison
    assert comparison is not None
    return comparison.rows


def _delete_labels(platform: Platform, low: float, high: float) -> None:
    """Delete the labels of the customers between two positions in [0, 1)."""
    with sa.create_engine(platform.url).begin() as connection:
        labels = pd.read_sql("SELECT id, customer_id FROM credit_score", connection)
        lost = labels[customer_position(labels["customer_id"]).between(low, high)]
        customer = Tables.of_schema().labels.c.customer_id
        rows = customer.in_(lost["customer_id"].unique().tolist())
        connection.execute(sa.delete(customer.table).where(rows))


def test_an_older_base_date_does_not_replace_a_newer_champion(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """A backfill finds the newer champion, unless it is told to replace it."""
    _decide(platform, instance, BASE_DT, POOR_SEARCH)
    _decide(platform, instance, EARLIER, GOOD_SEARCH)
    assert _decision(platform, EARLIER).ground == "older base date"
    again = platform.materialize(
        instance,
        EARLIER,
        selection=dg.AssetSelection.assets("champion_model"),
        config={"champion_model": {"config": NO_FLOORS | {"replace_newer": True}}},
        checks=False,
    )
    assert again.success
    assert _decision(platform, EARLIER).promoted


def test_both_are_scored_on_customers_that_neither_saw(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Also when the champion was split by other shares: it saw more customers."""
    wide = {"preprocessing": {"config": {"train_share": 0.8, "val_share": 0.15}}}
    _decide(platform, instance, EARLIER, POOR_SEARCH, config=wide)
    _decide(platform, instance, BASE_DT, GOOD_SEARCH)
    holdout = platform.splits()[SPLIT_FILES["holdout"]]
    unseen = customer_position(holdout[schema.CUSTOMER]) >= 0.8 + 0.15
    assert 0 < unseen.sum() < GateRules().min_rows
    assert _compared_rows(platform) == unseen.sum()
    assert _decision(platform).ground == "insufficient evidence"
    assert "neither model saw (min_rows: 100)" in _decision(platform).sentence

    _delete_labels(platform, 0.8 + 0.15, 1)
    _decide(platform, instance, BASE_DT, GOOD_SEARCH)
    decision = _decision(platform)
    assert (decision.promoted, decision.comparison) == (False, None)
    assert "no holdout row of base date 2025-03-10 is of a customer that" in decision.sentence


def test_holdouts_of_earlier_windows_are_pooled(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Those that exist of windows that do not overlap, and so no customer's month twice."""
    for earlier in ("2025-02-05", "2025-02-20"):
        _decide(platform, instance, earlier, POOR_SEARCH)
    result = platform.materialize(instance)
    assert result.success
    assert _decision(platform).holdouts == (BASE_DT, "2025-02-05")
    windows = _decision(platform).windows
    assert windows is not None
    assert not windows.contradict
    assert metadata_of(result, "champion_model")["windows"] == "The windows agree."
    holdouts = [platform.splits(day)[SPLIT_FILES["holdout"]] for day in (BASE_DT, "2025-02-05")]
    pooled = pd.concat(holdouts)
    assert not pooled.duplicated(["id", schema.CUSTOMER]).any()
    assert _compared_rows(platform) == len(pooled)
    fairness = platform.models().read(AssessmentReport).fairness
    assert fairness
    assert (fairness.base_dts, fairness.rows) == ([BASE_DT, "2025-02-05"], len(pooled))


def test_a_challenger_of_a_tenth_of_the_rows_is_not_promoted(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """A window that lost most of its labels makes a model that does not win."""
    _decide(platform, instance, EARLIER, GOOD_SEARCH)
    _delete_labels(platform, 0.07, 0.7)
    small = {
        "features_target_window_has_enough_rows": {"config": {"min_share": 0.1}},
        "preprocessed_splits_splits_have_their_shares": {"config": {"max_deviation": 1.0}},
    }
    _decide(platform, instance, BASE_DT, GOOD_SEARCH, config=small, checks=True)
    assert not _decision(platform).promoted
