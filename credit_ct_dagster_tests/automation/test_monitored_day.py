"""A day of the platform through the job that looks at it: what is found, and twice the same."""

from typing import Any

import dagster as dg

from credit_ct_dagster.contracts.files import MONITORING_FOLDER
from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.contracts.triggers import TriggerKind
from credit_ct_dagster.definitions import CHECKS
from credit_ct_dagster.partitions import day_after
from credit_ct_dagster.runs.purposes import LABELLED_ASSETS, MONITORING_ASSETS
from credit_ct_dagster_tests.checks.execution import execute_sql, results_of
from credit_ct_dagster_tests.platform import BASE_DT, failure_of
from credit_ct_dagster_tests.trained import Trained

_STRICT = {"champion_health": {"config": {"floor_days": 1, "of_days": 1, "drift_days": 1}}}
_IMPOSSIBLE = {"served_performance": {"config": {"min_recall": 1.0, "min_slice_accuracy": 1.0}}}


def _monitor(
    trained: Trained, assets: list[str], config: dict[str, Any]
) -> tuple[dict[str, bool], HealthRecord]:
    """Which checks of a run passed, and what is on record after it."""
    result = trained.platform.materialize(
        trained.instance,
        selection=dg.AssetSelection.assets(*assets),
        config={name: each for name, each in config.items() if name in assets},
    )
    assert result.success, failure_of(result)
    health = trained.platform.artifacts.open(MONITORING_FOLDER, BASE_DT).read(HealthRecord)
    return {name: each.passed for name, each in results_of(result).items()}, health


def test_a_day_is_looked_at_with_every_check(trained_copy: Trained) -> None:
    """A floor that nothing reaches is missed, by its check only; further labels alert nobody."""
    # What the champion learned from is no evidence on it.
    execute_sql(
        trained_copy.platform,
        f"UPDATE credit_score SET date = '{day_after(BASE_DT)}' WHERE date = '{BASE_DT}'",
    )
    passed, first = _monitor(trained_copy, MONITORING_ASSETS, _STRICT | _IMPOSSIBLE)
    assert set(passed) == {
        key.name
        for check in CHECKS
        for key in check.check_keys
        if key.asset_key.to_user_string() in MONITORING_ASSETS
    }
    assert [name for name, each in passed.items() if not each] == ["performance_is_above_floors"]
    [trigger] = first.watch.triggers
    assert (trigger.kind, trigger.days) == (TriggerKind.below_floor, (BASE_DT,))

    passed, second = _monitor(trained_copy, MONITORING_ASSETS, _STRICT | _IMPOSSIBLE)
    assert not passed["performance_is_above_floors"]
    assert second.watch == first.watch

    passed, third = _monitor(trained_copy, LABELLED_ASSETS, _STRICT | _IMPOSSIBLE)
    assert passed == {}
    assert third == second
