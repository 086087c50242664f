"""Figures as a table that people query."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from credit_ct_dagster.modeling.watching.estimation import estimated_performance
from credit_ct_dagster.modeling.watching.figures_table import COLUMNS, table_of_figures
from credit_ct_dagster.modeling.watching.performance import served_performance
from credit_ct_dagster.modeling.watching.performance_rules import (
    EstimationRules,
    PerformanceRules,
)
from credit_ct_dagster_tests.served_rows import TAG, answers

_DAY = "2025-03-10"
_NOW = datetime(2025, 4, 20, 9, tzinfo=UTC)


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    served = served_performance(_DAY, frame, PerformanceRules(draws=100), _NOW)
    estimated = estimated_performance(_DAY, frame, EstimationRules(draws=100), _NOW)
    return table_of_figures(served, estimated)


def test_every_figure_is_a_row() -> None:
    """With its day, model, group, interval and number of answers; no row is there twice."""
    frame = answers(400, labelled=0.5)
    table = _table(frame)
    assert list(table.columns) == COLUMNS
    assert set(table["base_dt"]) == {_DAY}
    assert set(table["model_tag"]) == {TAG}
    assert not table.duplicated(["model_tag", "kind", "name", "metric"]).any()
    rows = table.set_index(["kind", "name", "metric"])
    served = served_performance(_DAY, frame, PerformanceRules(draws=100), _NOW).models[0]
    assert served.metrics is not None
    found = rows.loc[("all", "all", "accuracy")]
    assert found["value"] == served.metrics.accuracy.value
    assert found["answers"] == served.labelled
    [group] = [each for each in served.slices if each.name == "Lawyer"]
    assert group.metrics is not None
    lawyers = rows.loc[("occupation", "Lawyer", "log_loss")]
    assert lawyers["high"] == group.metrics.log_loss.high
    off = rows.loc[("all", "all", "estimated_minus_real_accuracy")]
    assert off["value"] == pytest.approx(
        rows.loc[("all", "all", "estimated_accuracy")]["value"] - found["value"], abs=0.1
    )
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def test_a_day_without_answers_has_an_empty_table() -> None:
    """With the same columns and types, so that tables of many days can be read as one."""
    empty, full = _table(answers(4).iloc[:0]), _table(answers(100))
    assert empty.empty
    numbers = ["value", "low", "high", "answers"]
    assert (empty.dtypes[numbers] == full.dtypes[numbers]).all()
