"""What no single row shows: empty columns, one customer with most rows, splits of other shares."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.checks.row_distribution import (
    columns_have_values,
    no_customer_dominates,
    splits_have_their_shares,
)
from credit_ct_dagster.contracts.files import (
    PREPROCESSING_FOLDER,
    QUARANTINE_FILE,
    SPLIT_FILES,
    SPLITS_SUMMARY_FILE,
)
from credit_ct_dagster.contracts.splits import RecentRows
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster_tests.checks.execution import (
    UNTIL_SPLITS,
    execute_check,
    execute_sql,
    results_of,
)
from credit_ct_dagster_tests.platform import BASE_DT, Platform, failure_of
from credit_ct_dagster_tests.trained import Trained


def _change_summary(platform: Platform, base_dt: str = BASE_DT, **values: Any) -> None:
    changed = platform.splits_summary().model_copy(update={"base_dt": base_dt} | values)
    platform.artifacts.write(PREPROCESSING_FOLDER, base_dt, {SPLITS_SUMMARY_FILE: changed})


def _skew_the_splits(platform: Platform) -> None:
    _change_summary(platform, rows={"train": 326, "val": 4334, "holdout": 72})


def _let_one_customer_dominate(platform: Platform) -> None:
    _change_summary(platform, largest_customer_rows=1389)


def _let_one_customer_dominate_a_split(platform: Platform) -> None:
    _change_summary(
        platform,
        largest_customer_rows=70,
        largest_customer_rows_of={"train": 3, "val": 2, "holdout": 70},
        rows={"train": 1080, "val": 231, "holdout": 232},
    )


def _lose_a_column_in_the_last_week(platform: Platform) -> None:
    summary = platform.splits_summary()
    assert summary.recent is not None
    present = {**summary.recent.present, "occupation": 0.45}
    whole = {**summary.present, "occupation": 0.83}
    _change_summary(
        platform, present=whole, recent=summary.recent.model_copy(update={"present": present})
    )


def _empty_a_column(platform: Platform) -> None:
    present = {**platform.splits_summary().present, "type_of_loan": 0.0}
    _change_summary(platform, present=present)


@pytest.mark.parametrize(
    ("change", "check", "code", "sentence"),
    [
        (
            _skew_the_splits,
            splits_have_their_shares,
            "CT-CHECK-SPLITS-HAVE-THEIR-SHARES",
            "val 4,334 (91.6%, configured 15.0%)",
        ),
        (
            _let_one_customer_dominate,
            no_customer_dominates,
            "CT-CHECK-NO-CUSTOMER-DOMINATES",
            "has 1,389 of 1,543 (90.0%). The limit is 5.0%",
        ),
        (
            _let_one_customer_dominate_a_split,
            no_customer_dominates,
            "CT-CHECK-NO-CUSTOMER-DOMINATES",
            "most of the holdout rows has 70 of 232 (30.2%). The limit is 5.0%",
        ),
        (
            _lose_a_column_in_the_last_week,
            columns_have_values,
            "CT-CHECK-COLUMNS-HAVE-VALUES",
            "occupation has a value in 45.0% of the 383 rows since 2025-03-04 (",
        ),
        (
            _empty_a_column,
            columns_have_values,
            "CT-CHECK-COLUMNS-HAVE-VALUES",
            "type_of_loan has a value in 0.0% of the rows",
        ),
    ],
)
def test_rows_that_only_look_wrong_together_fail_a_check(
    trained_copy: Trained,
    change: Callable[[Platform], None],
    check: dg.AssetChecksDefinition,
    code: str,
    sentence: str,
) -> None:
    """With the observed share, the limit and what to do."""
    platform, instance = trained_copy.platform, trained_copy.instance
    change(platform)
    [found] = results_of(execute_check(check, platform, instance)).values()
    assert not found.passed
    assert found.blocking
    assert sentence in (found.description or "")
    assert "then run this base date again" in (found.description or "")
    assert found.metadata["code"].value == code


def test_a_column_that_the_bank_excludes_may_be_empty(trained_copy: Trained) -> None:
    """No model is trained on it; the others are looked at as before."""
    platform, instance = trained_copy.platform, trained_copy.instance
    present = dict(platform.splits_summary().present)
    _change_summary(platform, present=present | {"occupation": 0.0, "age": 0.0}, recent=None)
    policy = ModelPolicy(excluded_features=["occupation"])
    result = execute_check(columns_have_values, platform, instance, policy=policy)
    [found] = results_of(result).values()
    assert not found.passed
    assert (found.description or "").count("has a value in") == 1
    assert "age has a value in 0.0% of the rows" in (found.description or "")


def test_a_column_that_lost_its_values_is_compared_with_earlier_base_dates(
    trained_copy: Trained,
) -> None:
    """Half of the usual values is the limit; a damaged base date, and an old one, do not count."""
    platform, instance = trained_copy.platform, trained_copy.instance
    present = dict(platform.splits_summary().present)
    usual = present["occupation"]
    for base_dt, known in (("2025-03-01", present), ("2025-03-02", present), ("2025-03-03", {})):
        _change_summary(platform, base_dt, present=known)
    damaged = platform.splits("2025-03-02").path / SPLITS_SUMMARY_FILE
    damaged.write_bytes(b"")
    _change_summary(platform, present=present | {"occupation": usual * 0.4, "age": 0.6})
    found = results_of(execute_check(columns_have_values, platform, instance))[
        "columns_have_values"
    ]
    assert not found.passed
    assert (
        f"occupation has a value in {usual * 0.4:.1%} of the rows (usually {usual:.1%}). Load"
        in (found.description or "")
    )


@pytest.mark.parametrize(
    ("summary", "check"),
    [
        ({"largest_customer_rows_of": {"val": 3}, "rows": {"val": 30}}, no_customer_dominates),
        ({"present": {"age": 0.1}, "recent": ("age", 0.0, 30)}, columns_have_values),
        ({"present": {"age": 0.5}, "recent": ("age", 0.5, 1543)}, columns_have_values),
    ],
)
def test_few_rows_are_no_evidence(
    trained_copy: Trained, summary: dict[str, Any], check: dg.AssetChecksDefinition
) -> None:
    """Three rows of a split of 30; a rare value that 30 rows lack; a window of one week."""
    platform, instance = trained_copy.platform, trained_copy.instance
    if "recent" in summary:
        name, share, rows = summary["recent"]
        recent = RecentRows(since="2025-03-04", rows=rows, present={name: share})
        summary = summary | {"recent": recent}
    _change_summary(platform, **summary)
    [found] = results_of(execute_check(check, platform, instance)).values()
    assert found.passed, found.description


def test_a_column_that_is_delivered_no_longer_stops_the_base_date_within_a_week(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Of the window, 87 % have a value, and earlier base dates lack it as well."""
    execute_sql(
        platform,
        "UPDATE credit_score_features SET monthly_balance = NULL WHERE date > '2025-03-06'",
    )
    result = platform.materialize(instance, selection=UNTIL_SPLITS)
    present = platform.splits_summary().present["monthly_balance"]
    assert present > 0.8
    assert not result.success
    assert "monthly_balance has a value in 4" in failure_of(result)
    assert "of the 383 rows since 2025-03-04 (100.0% before)" in failure_of(result)


def test_records_of_the_first_release_pass_the_checks_of_later_ones(
    trained_copy: Trained,
) -> None:
    """They have neither the configured shares nor the share of values."""
    platform, instance = trained_copy.platform, trained_copy.instance
    nothing: dict[str, Any] = {"shares": {}, "present": {}, "largest_customer_rows_of": {}}
    _change_summary(platform, **nothing, largest_customer_rows=0, recent=None)
    for check in (splits_have_their_shares, no_customer_dominates, columns_have_values):
        [found] = results_of(execute_check(check, platform, instance)).values()
        assert found.passed


def test_a_base_date_with_an_empty_column_is_stopped(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Blanks, as `LOAD DATA` leaves them, are no values; unless the column may be empty."""
    execute_sql(platform, "UPDATE credit_score_features SET occupation = ' ', type_of_loan = ''")
    result = platform.materialize(instance, selection=UNTIL_SPLITS)
    assert not result.success
    assert "occupation has a value in 0.0% of the rows; type_of_loan" in failure_of(result)
    op = "preprocessed_splits_columns_have_values"
    allowed = {op: {"config": {"may_be_empty": ["occupation", "type_of_loan"]}}}
    assert platform.materialize(instance, selection=UNTIL_SPLITS, config=allowed).success


def test_blank_words_are_missing_before_any_rule(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """`LOAD DATA` makes '' of an empty cell: no row is quarantined, and it is the missing word."""
    execute_sql(
        platform,
        "UPDATE credit_score_features SET credit_mix = '', payment_behaviour = ' '"
        " WHERE id LIKE '%1' OR id LIKE '%2'",
    )
    assert platform.materialize(instance, selection=UNTIL_SPLITS).success
    assert platform.splits()[QUARANTINE_FILE].empty
    train = platform.splits()[SPLIT_FILES["train"]]
    blank = train["id"].str[-1].isin(["1", "2"])
    for name in ("credit_mix", "payment_behaviour"):
        assert set(train.loc[blank, name]) == {schema.MISSING_WORD}


def test_a_quarantine_is_of_the_run_that_failed(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """The file of an earlier run does not stay; where every row is broken, it has this run's."""
    broken = "SELECT id FROM credit_score WHERE date BETWEEN '2025-02-10' AND '2025-03-10' LIMIT 15"
    execute_sql(platform, f"UPDATE credit_score_features SET age = -500 WHERE id IN ({broken})")
    assert platform.materialize(instance, selection=UNTIL_SPLITS).success
    execute_sql(platform, "UPDATE credit_score SET credit_score = 'Good' || char(13)")
    result = platform.materialize(instance, selection=UNTIL_SPLITS)
    sentence = failure_of(result)
    assert "No row remains to train on: 1,543 of 1,543 rows" in sentence
    assert r"no blank or line end around its word, as in 'Good\r' (1,543 rows)" in sentence
    assert f"quarantine.parquet of {platform.splits().path}" in sentence
    assert len(platform.splits()[QUARANTINE_FILE]) == 1543
    execute_sql(platform, "DELETE FROM credit_score_features_target")
    only = dg.AssetSelection.assets("preprocessed_splits", "robust_scalers")
    assert not platform.materialize(instance, selection=only).success
    assert QUARANTINE_FILE not in platform.splits()
