"""What a day's requests and batch look like beside the feature store and the training rows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.assets.serving_skew import SkewConfig
from credit_ct_dagster.contracts.files import MONITORING_FOLDER, PREPROCESSING_FOLDER
from credit_ct_dagster.contracts.serving_skew import Agreement, Pattern, ServingSkew
from credit_ct_dagster.modeling import schema
from credit_ct_dagster_tests.checks.execution import results_of
from credit_ct_dagster_tests.platform import BASE_DT, Platform, failure_of, metadata_of
from credit_ct_dagster_tests.served_rows import log, noon, request
from credit_ct_dagster_tests.trained import Trained

_CHECK = "served_features_agree_with_the_store"


def _customers(platform: Platform, count: int) -> pd.DataFrame:
    """The newest feature rows of some customers of the month."""
    query = (
        "SELECT * FROM credit_score_features AS f WHERE date BETWEEN '2025-02-10' AND '2025-03-10'"
        " AND date = (SELECT MAX(date) FROM credit_score_features AS n"
        f" WHERE n.customer_id = f.customer_id AND n.date <= '{BASE_DT}')"
        f" ORDER BY customer_id LIMIT {count}"
    )
    with platform.store.database.transaction() as connection:
        rows = pd.read_sql(sa.text(query), connection)
    return rows.astype(dict.fromkeys(schema.NUMERIC, "float64"))


def _ask(platform: Platform, rows: pd.DataFrame, day: str = BASE_DT, **others: Any) -> None:
    """Log a request for each row, answered by the champion."""
    champion = platform.promotions.champion()
    assert champion is not None
    given = rows[schema.FEATURES].astype(object)
    features = given.where(given.notna(), None).to_dict("records")
    requests = [
        request(
            f"request-{number}",
            day,
            customer,
            features=values,
            **{"model_tag": champion.bentoml_tag, "base_dt": champion.base_dt, **others},
        )
        for number, (customer, values) in enumerate(
            zip(rows[schema.CUSTOMER], features, strict=True)
        )
    ]
    log(platform.store, *requests)


def _materialize(
    trained: Trained, day: str = BASE_DT, config: Mapping[str, Any] | None = None
) -> dg.ExecuteInProcessResult:
    result = trained.platform.materialize(
        trained.instance,
        day,
        selection=dg.AssetSelection.assets("serving_skew"),
        config={"serving_skew": {"config": dict(config or {})}},
    )
    assert result.success, failure_of(result)
    return result


def _record(platform: Platform, day: str = BASE_DT) -> ServingSkew:
    return platform.artifacts.open(MONITORING_FOLDER, day).read(ServingSkew)


@contextmanager
def _without(platform: Platform, day: str) -> Iterator[None]:
    """The training rows of a base date, away for a while."""
    folder = Path(platform.artifacts.open(PREPROCESSING_FOLDER, day).path.path)
    moved = folder.with_name("away")
    folder.rename(moved)
    yield
    moved.rename(folder)


def test_a_day_of_requests(trained_copy: Trained) -> None:
    """What agrees passes; a wrong unit is named by the check; no customer is, anywhere."""
    platform = trained_copy.platform
    rows = _customers(platform, 150)
    strangers = rows.iloc[:3].assign(customer_id=["stranger", None, "x"])
    _ask(platform, pd.concat([rows, strangers]))
    result = _materialize(trained_copy)
    assert result.success
    [check] = results_of(result).values()
    assert check.passed, check.description
    record = _record(platform)
    assert (record.requests, record.without_customer, record.not_in_store) == (153, 1, 2)
    assert (record.compared, record.customers) == (150, 150)
    assert {each.feature for each in record.features} == set(schema.FEATURES)
    assert all(each.disagreeing == 0 for each in record.features)
    compared = f"{len(schema.FEATURES)} features of 150 requests of 150 customers were compared"
    assert compared in (check.description or "")

    with platform.store.database.transaction(writes=True) as connection:
        connection.execute(sa.text("DELETE FROM credit_predictions"))
    in_years = rows.assign(credit_history_age=rows["credit_history_age"] / 12)
    _ask(platform, pd.concat([rows.iloc[:100], in_years.iloc[100:]]))
    result = _materialize(trained_copy)
    [check] = results_of(result).values()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description is not None
    assert "Base date 2025-03-10: features of 150 requests of 150 customers disagree" in (
        check.description
    )
    assert "another unit (/ 12)" in check.description
    assert "See CT-CHECK-SERVED-FEATURES-AGREE-WITH-THE-STORE" in check.description
    [skewed] = _record(platform).skewed
    assert (skewed.feature, skewed.verdict) == ("credit_history_age", Agreement.disagrees)
    assert [each.kind for each in skewed.patterns] == [Pattern.unit]
    shown = metadata_of(result, "serving_skew")
    assert (shown["disagreeing_features"], shown["requests"]) == (1, 150)
    first = shown["features"].records[0].data
    assert first["feature"] == "credit_history_age"
    assert first["patterns"] == "another unit (/ 12), 100%"
    written = _record(platform).to_json().decode() + repr(shown) + check.description
    assert not [name for name in rows[schema.CUSTOMER] if f'"{name}"' in written]
    path = Path(platform.artifacts.open(MONITORING_FOLDER, BASE_DT).path.path)
    assert path.stat().st_mode & 0o777 == 0o700


def test_served_rows_are_compared_with_the_champions_training_rows(trained_copy: Trained) -> None:
    """Requests and batch each; where the training rows are missing, only that is not computed."""
    platform = trained_copy.platform
    rows = _customers(platform, 150)
    _ask(platform, rows.assign(annual_income=rows["annual_income"] * 100))
    assert _materialize(trained_copy).success
    record = _record(platform)
    assert set(record.drift) == {"batch", "request"}
    assert record.trained_on == BASE_DT
    assert [each.column for each in record.drift["request"].drifted] == ["annual_income"]
    assert record.drift["request"].rows == 150
    assert record.drift["batch"].drifted == []
    assert set(record.drifted) == {"request"}
    with _without(platform, BASE_DT):
        result = _materialize(trained_copy)
    assert result.success
    later = _record(platform)
    assert later.drift == {}
    assert later.skewed == record.skewed
    assert later.drift_not_computed == metadata_of(result, "serving_skew")["drift_not_computed"]
    assert "does not exist" in (later.drift_not_computed or "")


def test_requests_are_compared_with_what_the_store_had_when_they_came(
    trained_copy: Trained,
) -> None:
    """By the ledger of arrivals: newer rows agree with later requests only."""
    platform = trained_copy.platform
    rows, morning = _customers(platform, 150), noon(BASE_DT) - timedelta(hours=3)
    platform.store.arrivals.record(now=morning - timedelta(days=30))
    newer = rows.assign(date=BASE_DT, id="newer-" + rows["id"], age=rows["age"] + 7)
    newer = newer[schema.FEATURE_COLUMNS]
    platform.store.upsert({"credit_score_features": newer.iloc[:100]})
    platform.store.arrivals.record(now=morning)
    platform.store.upsert({"credit_score_features": newer.iloc[100:]})
    platform.store.arrivals.record(now=noon(BASE_DT) + timedelta(hours=3))
    _ask(platform, rows)
    _materialize(trained_copy)
    record = _record(platform)
    [age] = record.skewed
    assert (record.compared, age.feature, age.disagreeing) == (150, "age", 100)
    assert [(each.kind, each.detail) for each in age.patterns] == [(Pattern.stale, "1 row before")]


def test_a_day_on_which_nothing_was_served(trained_copy: Trained) -> None:
    """It succeeds with a record that says so, and the check passes."""
    result = _materialize(trained_copy, "2025-03-09")
    assert result.success
    [check] = results_of(result).values()
    assert check.passed
    assert "no request was answered on this day." in (check.description or "")
    record = _record(trained_copy.platform, "2025-03-09")
    assert (record.requests, *record.features, *record.drift) == (0,)
    assert record.drift_not_computed is None


def test_requests_without_customers_cannot_be_compared(trained_copy: Trained) -> None:
    """The sentence says what callers may do, and what is known of drift is still measured."""
    platform = trained_copy.platform
    _ask(platform, _customers(platform, 20).assign(customer_id=None))
    result = _materialize(trained_copy)
    [check] = results_of(result).values()
    assert check.passed
    assert "none of 20 requests names a customer" in (check.description or "")
    assert _record(platform).drift["request"].rows == 20


def test_twice_the_same_gives_the_same_record(trained_copy: Trained) -> None:
    """Also of a sample, which holds the same customers again."""
    platform = trained_copy.platform
    _ask(platform, _customers(platform, 100))
    records = []
    for _ in range(2):
        assert _materialize(trained_copy, config={"most_rows": 50}).success
        records.append(_record(platform))
    assert records[0] == records[1]
    assert 0 < records[0].compared <= 50
    assert records[0].requests == 100


def test_the_configuration_is_obeyed(trained_copy: Trained) -> None:
    """What is tolerated is reported and does not fail; what is no pattern is refused beforehand."""
    platform = trained_copy.platform
    rows = _customers(platform, 150)
    _ask(platform, rows.assign(occupation=rows["occupation"].str.lower()))
    result = _materialize(trained_copy, config={"tolerated": ["spelling"], "confidence": 0.9})
    assert results_of(result)[_CHECK].passed
    record = _record(platform)
    assert (record.limit, record.confidence) == (0.01, 0.9)
    [spelled] = [each for each in record.features if each.disagreeing]
    assert (spelled.feature, spelled.tolerated) == ("occupation", spelled.disagreeing)
    with pytest.raises(dg.DagsterInvalidConfigError, match="sorting: not a pattern"):
        _materialize(trained_copy, config={"tolerated": ["sorting"]})
    assert SkewConfig().tolerated == []
