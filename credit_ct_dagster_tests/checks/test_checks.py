"""Planted faults: what each check says of them, and what it stops."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from upath import UPath

from credit_ct_dagster.checks.preprocessed_splits import splits_share_no_customer
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster_tests.platform import ASSETS, BASE_DT, Platform, failure_of


def _sql(platform: Platform, *statements: str) -> None:
    with sa.create_engine(platform.url).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _break_rows(platform: Platform, rows: int) -> list[str]:
    """Break a rule in some rows of the window of `BASE_DT`; returns their ids."""
    with sa.create_engine(platform.url).connect() as connection:
        window = f"date BETWEEN '2025-02-10' AND '{BASE_DT}'"
        query = f"SELECT id FROM credit_score WHERE {window} ORDER BY id"
        ids = [row[0] for row in connection.exec_driver_sql(query)][:rows]
    for place, broken in enumerate(("age = -500", "credit_mix = '_'", "interest_rate = 5797")):
        listed = ", ".join(f"'{each}'" for each in ids[place::3])
        _sql(platform, f"UPDATE credit_score_features SET {broken} WHERE id IN ({listed})")
    return ids


def _results(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


class _TamperingIOManager(ArtifactsIOManager):
    """Something else writes over the files of a folder while they are new."""

    @staticmethod
    def _tamper(files: dict[str, Any]) -> None:
        raise NotImplementedError

    def write(
        self, template: str, base_dt: str, files: Mapping[str, Any]
    ) -> tuple[UPath, dict[str, int]]:
        tampered = deepcopy(dict(files))
        self._tamper(tampered)
        return super().write(template, base_dt, tampered)


def _move_customers(files: dict[str, Any]) -> None:
    train, val = "{model_name}_train.parquet", "{model_name}_val.parquet"
    if val in files:
        files[val] = pd.concat([files[val], files[train].head(2)])


def _void_a_scaler(files: dict[str, Any]) -> None:
    if "robust_scaler.joblib" in files:
        files["robust_scaler.joblib"]["age"].scale_[0] = np.nan


def _lose_a_class(files: dict[str, Any]) -> None:
    if "labels" in files.get("summary.json", {}):
        files["summary.json"]["labels"]["holdout"]["Good"] = 0


def test_one_percent_of_broken_rows_is_quarantined(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Exactly those, each with its reason; the rest is trained on, and every check passes."""
    ids = _break_rows(platform, rows=15)
    result = platform.materialize(instance)
    assert result.success
    quarantine = platform.splits()["quarantine.parquet"].set_index("id")["reasons"]
    assert sorted(quarantine.index) == sorted(ids)
    assert quarantine[ids[0]] == "age must be 14 to 120"
    assert quarantine[ids[1]] == "credit_mix must be Bad, Standard or Good"
    assert quarantine[ids[2]] == "interest_rate must be 0 to 100"
    for name in ("train", "val", "holdout"):
        assert not set(ids) & set(platform.splits()[f"{{model_name}}_{name}.parquet"]["id"])
    checks = _results(result)
    assert {name: each.passed for name, each in checks.items()} == {
        "window_has_enough_rows": True,
        "rows_have_not_expired": True,
        "quarantine_is_within_limit": True,
        "labels_hold_three_classes": True,
        "splits_share_no_customer": True,
        "scalers_are_finite": True,
        "model_beats_baselines": True,
        "drift_is_small": True,
    }
    shown = {
        name: value.value for name, value in checks["quarantine_is_within_limit"].metadata.items()
    }
    assert (shown["observed"], shown["limit"]) == (pytest.approx(15 / 1543), 0.02)
    assert "15 of 1,543 rows (0.97%) break a rule" in platform.models()["model_card.html"]


def test_five_percent_of_broken_rows_stop_the_base_date(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """The sentence counts, names the way out and no row: alerts carry it out of the house."""
    ids = _break_rows(platform, rows=77)
    result = platform.materialize(instance)
    assert not result.success
    sentence = failure_of(result)
    assert sentence.startswith(
        f"quarantine_is_within_limit: Base date {BASE_DT}: 77 of 1,543 rows (4.99%) break a rule:"
        " age must be 14 to 120 (26 rows); "
    )
    assert "At most 2.00% may (max_quarantined_share)" in sentence
    assert f"quarantine.parquet of {platform.splits().path}: correct them" in sentence
    quarantine = platform.splits()["quarantine.parquet"]
    assert sorted(quarantine["id"]) == sorted(ids)
    told = f"{sentence} {_results(result)['quarantine_is_within_limit'].metadata}"
    for name in ("id", schema.CUSTOMER):
        assert not any(value in told for value in quarantine[name])
    assert not platform.models().path.exists()


def test_the_limit_is_configuration(platform: Platform, instance: dg.DagsterInstance) -> None:
    _break_rows(platform, rows=77)
    lenient = {"config": {"max_quarantined_share": 0.1, "bounds": {"age": {"low": -500}}}}
    assert platform.materialize(instance, config={"preprocessing": lenient}).success
    assert len(platform.splits()["quarantine.parquet"]) == 51


def test_shuffled_labels_are_noticed(platform: Platform, instance: dg.DagsterInstance) -> None:
    """A model of noise is not packaged, let alone promoted."""
    with sa.create_engine(platform.url).connect() as connection:
        labels = pd.read_sql("SELECT * FROM credit_score", connection)
    shuffled = np.random.default_rng(0).permutation(labels[schema.TARGET])
    platform.store.upsert({"credit_score": labels.assign(**{schema.TARGET: shuffled})})
    result = platform.materialize(instance)
    assert not result.success
    assert "model_beats_baselines" in failure_of(result)
    assert "That is too little to be sure of" in failure_of(result)
    assert platform.packages.packages() == []


def test_a_window_that_lost_rows_is_noticed(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Compared with what the last base dates reported; an empty one tells why."""
    merge = dg.AssetSelection.assets("features_target")
    assert platform.materialize(instance, "2025-03-09", selection=merge).success
    _sql(platform, "DELETE FROM credit_score WHERE id NOT LIKE '%1' AND id NOT LIKE '%2'")
    result = platform.materialize(instance, selection=merge)
    assert not result.success
    found = _results(result)["window_has_enough_rows"]
    usual = platform.store.row_counts()["2025-03-09"]
    assert found.metadata["limit"].value == round(usual / 2)
    assert f"The last 1 base dates had {usual:,} (median)" in (found.description or "")
    _sql(platform, "DELETE FROM credit_score")
    assert "window 2025-02-10 to 2025-03-10 never had rows" in failure_of(
        platform.materialize(instance, selection=merge)
    )


@pytest.mark.parametrize(
    ("tamper", "check", "sentence"),
    [
        (_move_customers, "splits_share_no_customer", "in two splits: 2 in train and val"),
        (_void_a_scaler, "scalers_are_finite", "no usable scaler for age"),
        (_lose_a_class, "labels_hold_three_classes", "holdout has no Good"),
    ],
)
def test_artifacts_that_were_tampered_with_are_noticed(
    platform: Platform,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tamper: Callable[[dict[str, Any]], None],
    check: str,
    sentence: str,
) -> None:
    """A customer on two sides, a scaler of nothing, a class that is gone."""
    artifacts = _TamperingIOManager(**platform.artifacts.model_dump())
    monkeypatch.setattr(_TamperingIOManager, "_tamper", staticmethod(tamper))
    assets = ("features_target", "preprocessed_splits", "robust_scalers")
    selection = dg.AssetSelection.assets(*assets)
    result = platform.materialize(instance, selection=selection, artifacts=artifacts)
    assert not result.success
    assert [name for name, each in _results(result).items() if not each.passed] == [check]
    assert sentence in failure_of(result)


def test_a_check_needs_a_base_date(platform: Platform, instance: dg.DagsterInstance) -> None:
    """The UI can start a check without one: it says what to do instead."""
    result = dg.materialize(
        [*ASSETS, splits_share_no_customer], instance=instance, raise_on_error=False,
        selection=dg.AssetSelection.checks(splits_share_no_customer),
        resources=platform.resources(),
    )  # fmt: skip
    assert not result.success
    assert "A check looks at one base date" in failure_of(result)


def test_drift_only_warns(platform: Platform, instance: dg.DagsterInstance) -> None:
    """Incomes doubled since the champion was trained: told, and the base date goes on."""
    assert platform.materialize(instance, "2025-01-31").success
    _sql(
        platform,
        "UPDATE credit_score_features SET annual_income = annual_income * 2"
        " WHERE date > '2025-02-05'",
    )
    result = platform.materialize(instance)
    assert result.success
    found = _results(result)["drift_is_small"]
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert "annual_income (PSI" in (found.description or "")
    assert "annual_income" in platform.models()["model_card.html"]
