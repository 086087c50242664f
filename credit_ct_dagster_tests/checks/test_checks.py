"""Planted faults: what each check reports about them, and what it stops."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.checks.champion_model import drift_is_small
from credit_ct_dagster.checks.preprocessed_splits import (
    labels_hold_all_classes,
    splits_share_no_customer,
)
from credit_ct_dagster.checks.robust_scalers import scalers_are_finite
from credit_ct_dagster.contracts.drift import (
    ColumnDrift,
    DriftReport,
    MissingDrift,
    Verdict,
)
from credit_ct_dagster.contracts.files import (
    DRIFT_FILE,
    MODEL_CARD_FILE,
    MODEL_FOLDER,
    PREPROCESSING_FOLDER,
    QUARANTINE_FILE,
    SCALERS_FILE,
    SCALERS_FOLDER,
    SPLIT_FILES,
    SPLITS_SUMMARY_FILE,
)
from credit_ct_dagster.contracts.splits import Scale, ScalersRecord
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.runs.reasons import reason_of
from credit_ct_dagster_tests.checks.execution import (
    UNTIL_SPLITS,
    execute_check,
    execute_sql,
    results_of,
)
from credit_ct_dagster_tests.platform import BASE_DT, Platform, failure_of
from credit_ct_dagster_tests.trained import Trained

_MERGE = dg.AssetSelection.assets("features_target")


def _window_ids(platform: Platform, rows: int) -> list[str]:
    """The first ids of the window of `BASE_DT`."""
    with sa.create_engine(platform.url).connect() as connection:
        window = f"date BETWEEN '2025-02-10' AND '{BASE_DT}'"
        query = f"SELECT id FROM credit_score WHERE {window} ORDER BY id"
        return [row[0] for row in connection.exec_driver_sql(query)][:rows]


def _break_rows(platform: Platform, rows: int) -> list[str]:
    """Break a rule in some rows of the window of `BASE_DT`; returns their ids."""
    ids = _window_ids(platform, rows)
    for place, broken in enumerate(("age = -500", "credit_mix = '_'", "interest_rate = 5797")):
        listed = ", ".join(f"'{each}'" for each in ids[place::3])
        execute_sql(platform, f"UPDATE credit_score_features SET {broken} WHERE id IN ({listed})")
    return ids


def _write(platform: Platform, template: str, files: dict[str, Any]) -> None:
    platform.artifacts.write(template, BASE_DT, files)


def _move_customers(platform: Platform) -> None:
    train, val = (platform.splits()[SPLIT_FILES[name]] for name in ("train", "val"))
    _write(platform, PREPROCESSING_FOLDER, {SPLIT_FILES["val"]: pd.concat([val, train.head(2)])})


def _void_a_scaler(platform: Platform) -> None:
    columns = dict(platform.artifacts.open(SCALERS_FOLDER, BASE_DT).read(ScalersRecord).columns)
    columns["age"] = Scale(center=columns["age"].center, scale=None)
    _write(platform, SCALERS_FOLDER, {SCALERS_FILE: ScalersRecord(columns=columns)})


def _lose_a_class(platform: Platform) -> None:
    summary = platform.splits_summary()
    labels = {**summary.labels, "holdout": {**summary.labels["holdout"], "Good": 0}}
    changed = summary.model_copy(update={"labels": labels})
    _write(platform, PREPROCESSING_FOLDER, {SPLITS_SUMMARY_FILE: changed})


def test_every_check_passes_on_a_trained_base_date(trained: Trained) -> None:
    """None of them has a code; the model card has what was quarantined."""
    checks = results_of(trained.result)
    assert {name: each.passed for name, each in checks.items()} == {
        "window_has_enough_rows": True,
        "window_labels_are_merged": True,
        "rows_have_not_expired": True,
        "quarantine_is_within_limit": True,
        "labels_hold_all_classes": True,
        "splits_share_no_customer": True,
        "splits_have_their_shares": True,
        "no_customer_dominates": True,
        "columns_have_values": True,
        "scalers_are_finite": True,
        "model_beats_baselines": True,
        "drift_is_small": True,
        "probabilities_are_reliable": True,
        "customers_are_scored": True,
        "class_shares_are_stable": True,
    }
    assert not any("code" in each.metadata for each in checks.values())
    sentence = trained.platform.splits_summary().quarantine.sentence
    assert sentence in trained.platform.models()[MODEL_CARD_FILE]


def test_one_percent_of_broken_rows_is_quarantined(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Exactly those, each with its reason; the others are split, and the checks pass."""
    ids = _break_rows(platform, rows=15)
    result = platform.materialize(instance, selection=UNTIL_SPLITS)
    assert result.success
    quarantine = platform.splits()[QUARANTINE_FILE].set_index("id")["reasons"]
    assert sorted(quarantine.index) == sorted(ids)
    assert quarantine[ids[0]] == "age must be 14 to 120"
    assert quarantine[ids[1]] == "credit_mix must be Bad, Standard or Good"
    assert quarantine[ids[2]] == "interest_rate must be 0 to 100"
    for name in ("train", "val", "holdout"):
        assert not set(ids) & set(platform.splits()[SPLIT_FILES[name]]["id"])
    checks = results_of(result)
    assert all(each.passed for each in checks.values())
    shown = {
        name: value.value for name, value in checks["quarantine_is_within_limit"].metadata.items()
    }
    assert (shown["observed"], shown["limit"]) == (pytest.approx(15 / 1543, rel=1e-3), 0.02)
    summary = platform.splits_summary().quarantine
    assert summary.sentence.startswith("15 of 1,543 rows (0.97%) break a rule")


def test_five_percent_of_broken_rows_stop_the_base_date(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """The sentence has counts and what to do, and no value of a row: alerts leave the bank."""
    ids = _break_rows(platform, rows=77)
    result = platform.materialize(instance)
    assert not result.success
    sentence = failure_of(result)
    assert sentence.startswith(
        f"quarantine_is_within_limit: Base date {BASE_DT}: 77 of 1,543 rows (4.99%) break a rule:"
        " age must be 14 to 120 (26 rows); "
    )
    assert "The limit is 2.00% (max_quarantined_share)" in sentence
    assert f"quarantine.parquet of {platform.splits().path}: correct them" in sentence
    quarantine = platform.splits()[QUARANTINE_FILE]
    assert sorted(quarantine["id"]) == sorted(ids)
    shown = f"{sentence} {results_of(result)['quarantine_is_within_limit'].metadata}"
    public = shown.replace(str(platform.splits().path), "")  # has numbers of its own
    for name in ("id", schema.CUSTOMER):
        assert [value for value in quarantine[name] if value in public] == []
    assert not platform.models().path.exists()


def test_the_limit_can_be_configured(platform: Platform, instance: dg.DagsterInstance) -> None:
    """And the bounds of a number, by which rows are quarantined."""
    _break_rows(platform, rows=77)
    lenient = {"config": {"max_quarantined_share": 0.1, "bounds": {"age": {"low": -500}}}}
    assert platform.materialize(
        instance, selection=UNTIL_SPLITS, config={"preprocessing": lenient}
    ).success
    assert len(platform.splits()[QUARANTINE_FILE]) == 51


def test_a_model_of_shuffled_labels_is_stopped(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """It has learned nothing, and is not packaged."""
    with sa.create_engine(platform.url).connect() as connection:
        labels = pd.read_sql("SELECT * FROM credit_score", connection)
    shuffled = np.random.default_rng(0).permutation(labels[schema.TARGET])
    platform.store.upsert({"credit_score": labels.assign(**{schema.TARGET: shuffled})})
    result = platform.materialize(instance)
    assert not result.success
    assert "model_beats_baselines" in failure_of(result)
    assert "The model is not reliably better than a baseline" in failure_of(result)
    assert platform.packages.packaged() == []


def test_a_window_that_lost_rows_is_stopped(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """By comparison with what earlier base dates reported; for an empty one, with the cause."""
    assert platform.materialize(instance, "2025-03-09", selection=_MERGE).success
    execute_sql(platform, "DELETE FROM credit_score WHERE id NOT LIKE '%1' AND id NOT LIKE '%2'")
    result = platform.materialize(instance, selection=_MERGE)
    assert not result.success
    found = results_of(result)["window_has_enough_rows"]
    usual = platform.store.row_counts()["2025-03-09"]
    assert found.metadata["limit"].value == round(usual / 2)
    assert f"The last 1 base dates had {usual:,} (median)" in (found.description or "")
    execute_sql(platform, "DELETE FROM credit_score")
    assert "window 2025-02-10 to 2025-03-10 never had rows" in failure_of(
        platform.materialize(instance, selection=_MERGE)
    )


@pytest.mark.parametrize(
    ("tamper", "check", "code", "sentence"),
    [
        (
            _move_customers,
            splits_share_no_customer,
            "CT-CHECK-SPLITS-SHARE-NO-CUSTOMER",
            "in two splits: 2 in train and val",
        ),
        (
            _void_a_scaler,
            scalers_are_finite,
            "CT-CHECK-SCALERS-ARE-FINITE",
            "no usable scaler for age",
        ),
        (
            _lose_a_class,
            labels_hold_all_classes,
            "CT-CHECK-LABELS-HOLD-ALL-CLASSES",
            "holdout has no label Good",
        ),
    ],
)
def test_artifacts_that_were_tampered_with_fail_their_check(
    trained_copy: Trained,
    tamper: Callable[[Platform], None],
    check: dg.AssetChecksDefinition,
    code: str,
    sentence: str,
) -> None:
    """A customer in two splits, a scaler without a range, a class without labels."""
    platform, instance = trained_copy.platform, trained_copy.instance
    assert execute_check(check, platform, instance).success
    tamper(platform)
    result = execute_check(check, platform, instance)
    assert not result.success
    [evaluation] = result.get_asset_check_evaluations()
    assert evaluation.metadata["code"].value == code
    assert evaluation.metadata["runbook"].value == f"docs/runbook.md#{code.lower()}"
    reason = reason_of(result.all_events)
    assert reason is not None
    assert sentence in reason.sentence
    assert reason.sentence.endswith(f"See {code}: docs/runbook.md#{code.lower()}")
    assert reason.code == code


def _drift(psi: float, p_value: float, **fields: Any) -> DriftReport:
    income = ColumnDrift(
        column="annual_income",
        psi=psi,
        p_value=p_value,
        verdict=Verdict.of(psi, p_value),
    )
    age = ColumnDrift(column="age", psi=0.01, p_value=1.0, verdict=Verdict.stable)
    return DriftReport(columns=[income.model_copy(update=fields), age])


def test_drift_only_warns(trained_copy: Trained) -> None:
    """The columns that drifted beyond doubt are named, and the base date goes on."""
    platform, instance = trained_copy.platform, trained_copy.instance
    gone = MissingDrift(reference=0.01, current=0.3, psi=0.98, p_value=0.001)
    missing = _drift(0.02, 0.9, missing=gone, verdict=gone.verdict)
    for report, passed, sentence in (
        (DriftReport(columns=[]), True, "Not compared: there was no champion."),
        (_drift(0.02, 0.001), True, "the highest PSI of 2 columns is 0.020"),
        (_drift(0.31, 0.04), False, "annual_income (PSI 0.310). See CT-CHECK-DRIFT-IS"),
        (
            _drift(0.31, 0.06),
            True,
            "Too few rows to say whether these have drifted: annual_income (PSI 0.310).",
        ),
        (missing, False, "annual_income (missing in 30.0% of the rows, before in 1.0%)."),
        (
            _drift(0.02, 0.9, respelled=0.5),
            True,
            "spelled otherwise than in training: annual_income (50.0% of the rows).",
        ),
    ):
        _write(platform, MODEL_FOLDER, {DRIFT_FILE: report})
        result = execute_check(drift_is_small, platform, instance)
        assert result.success
        [found] = result.get_asset_check_evaluations()
        assert found.passed == passed
        assert found.severity == dg.AssetCheckSeverity.WARN
        assert sentence in (found.description or "")
