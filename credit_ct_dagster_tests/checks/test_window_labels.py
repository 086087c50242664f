"""Labels that a merge leaves out, and what is said about them."""

import re

import dagster as dg
import pytest
import sqlalchemy as sa

from credit_ct_dagster.evidence.merged_rows import merged_at_a_point_in_time
from credit_ct_dagster.resources.feature_store.key_shapes import shape_of_key
from credit_ct_dagster_tests.platform import BASE_DT, Platform, failure_of

_MERGE = dg.AssetSelection.assets("features_target")
_UNTIL_SPLITS = _MERGE | dg.AssetSelection.assets("preprocessed_splits", "robust_scalers")
_CHECK = "window_labels_are_merged"
_LEFT_OUT = ("out_features", "_later_features", "_invalid_date")


def _sql(platform: Platform, statement: str) -> None:
    with sa.create_engine(platform.url).begin() as connection:
        connection.exec_driver_sql(statement)


def _result(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    return {each.check_name: each for each in result.get_asset_check_evaluations()}[_CHECK]


def _about(value: float) -> object:
    """A number as people are shown it, with four digits that count."""
    return pytest.approx(value, rel=1e-3)


def _numbers(result: dg.ExecuteInProcessResult) -> dict[str, float]:
    metadata = _result(result).metadata
    names = ("observed", *(f"labels_with{each}" for each in _LEFT_OUT))
    return {name: float(str(metadata[name].value)) for name in names}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            "SET id = id || '.0' WHERE id LIKE '%1' OR id LIKE '%3'",
            "id looks like 'digits.0' (",
        ),
        (
            "SET customer_id = 'C' || customer_id WHERE id LIKE '%1'",
            "customer_id looks like 'mixed' (",
        ),
        ("SET id = id || ' ' WHERE id LIKE '%5'", "id looks like 'digits blank' ("),
        ("SET id = id + 1000000 WHERE id LIKE '%7'", "may not have been delivered yet, or they"),
    ],
)
def test_labels_that_a_merge_leaves_out_stop_the_base_date(
    platform: Platform, instance: dg.DagsterInstance, change: str, sentence: str
) -> None:
    """On the first base date too; what their keys look like is named, and no key."""
    _sql(platform, f"UPDATE credit_score {change}")
    result = platform.materialize(instance, selection=_UNTIL_SPLITS)
    assert not result.success
    failure = failure_of(result)
    assert failure.startswith(f"window_labels_are_merged: Base date {BASE_DT}: ")
    assert " of 1,543 labels of the window 2025-02-10 to 2025-03-10 (" in failure
    assert "At most 5.0% may be (max_unmerged_share)" in failure
    assert sentence in failure
    found = _numbers(result)
    assert found["observed"] == _about(found["labels_without_features"] / 1543)
    assert not re.search(r"\d{4,}", failure.replace("2025-", ""))
    assert not platform.splits().path.exists()


def test_labels_whose_features_come_only_later_stop_the_base_date(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """By how many days is named, and what to do; a point in time can be given up for it."""
    _sql(
        platform,
        "UPDATE credit_score_features SET date = date(date, '+40 days')"
        " WHERE id LIKE '%3' AND date(date) = date",
    )
    result = platform.materialize(instance, selection=_UNTIL_SPLITS)
    assert not result.success
    failure, found = failure_of(result), _numbers(result)
    assert found["observed"] == _about(found["labels_with_later_features"] / 1543)
    assert found["observed"] > 0.05
    assert found["labels_without_features"] == 0
    later = f"{found['labels_with_later_features']:,.0f}"
    assert f" {later} have features, but none dated on or before the label's day, 0 " in failure
    assert f"features of {later} of these labels are dated 40 days after them" in failure
    assert "set point_in_time: false for features_target" in failure
    assert not platform.splits().path.exists()
    looking_ahead = {"features_target": {"config": {"point_in_time": False}}}
    result = platform.materialize(instance, selection=_MERGE, config=looking_ahead)
    assert result.success
    assert _numbers(result)["observed"] == 0
    assert not merged_at_a_point_in_time(instance, BASE_DT)


def test_labels_on_days_that_do_not_exist_are_not_merged_either(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """They count as labels of the window; the share that is accepted can be configured."""
    _sql(platform, "UPDATE credit_score SET date = '2025-02-30' WHERE date = '2025-03-01'")
    result = platform.materialize(instance, selection=_MERGE)
    found = _numbers(result)
    assert _result(result).passed
    assert found["observed"] == _about(found["labels_with_invalid_date"] / 1543)
    assert found["observed"] > 0
    strict = {"config": {"max_unmerged_share": 0.01}}
    assert not platform.materialize(
        instance, selection=_MERGE, config={"features_target_window_labels_are_merged": strict}
    ).success


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("1234", "digits"),
        ("1234.0", "digits.0"),
        ("CUS_0xd40 ", "LETTERS_mixed blank"),
        ("Kim-7", "Letters-digits"),
        ("caf\u00e9", "letters with accents"),
        ("", "empty"),
    ],
)
def test_the_shape_of_a_key_shows_nothing_of_it(key: str, shape: str) -> None:
    """Neither a digit nor a letter; what makes keys differ stays visible."""
    assert shape_of_key(key) == shape
