"""How many answers were given, per day, source and tag."""

from datetime import UTC, timedelta

import numpy as np
import pandas as pd

from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.partitions import end_of
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.served_rows import MODEL, TAG, log, noon, request, score

_DAY = "2025-03-10"
_NEXT = "2025-03-11"


def _volumes(store: FeatureStore, first: str, last: str) -> pd.DataFrame:
    return ServedAnswers(store.database, MODEL).volumes(first, last)


def test_answers_are_counted_per_day_source_and_tag(store: FeatureStore) -> None:
    """Of this model, of the days that were asked for, by days in Seoul."""
    other = f"{MODEL}:second"
    last = end_of(_DAY) - timedelta(microseconds=1)
    log(
        store,
        request("a", noon(_DAY), "c", "Poor"),
        request("b", last, "c", "Good"),
        request("c", last, "c", "Good", model_tag=other),
        request("d", end_of(_DAY), "c", "Standard"),
        request("e", noon("2025-03-12"), "c"),
        request("f", noon(_DAY), "c", model_tag="another:first"),
    )
    score(store, _DAY, ("1", "a", _DAY, "Good"), ("2", "a", _DAY, "Good"))
    score(store, _NEXT, ("1", "a", _DAY, "Good"), model_name="another")
    found = _volumes(store, _DAY, _NEXT)
    counted = [columns.DAY, columns.SOURCE, columns.MODEL_TAG, columns.ROWS]
    assert found[[*counted, *columns.COUNTS.values()]].to_numpy().tolist() == [
        [_DAY, "batch", TAG, 2, 0, 0, 2],
        [_DAY, "request", TAG, 2, 1, 0, 1],
        [_DAY, "request", other, 1, 0, 0, 1],
        [_NEXT, "request", TAG, 1, 0, 1, 0],
    ]
    naive = [moment.astimezone(UTC).replace(tzinfo=None) for moment in (noon(_DAY), last)]
    assert found.loc[1, [columns.FIRST_TIME, columns.LAST_TIME]].tolist() == naive
    scored = pd.Timestamp(f"{_DAY} 23:00:00")
    assert found.loc[0, [columns.FIRST_TIME, columns.LAST_TIME]].tolist() == [scored, scored]
    assert found.columns.tolist() == columns.VOLUMES


def test_quantiles_of_latency_are_those_of_the_rounded_ones(store: FeatureStore) -> None:
    """To a tenth of a millisecond, to one, or to ten: a per cent at most."""
    drawn = np.random.default_rng(0).lognormal(4.5, 1.5, 300).round(3)
    log(
        store,
        *(request(f"r{n}", _DAY, "c", latency_ms=value) for n, value in enumerate(drawn)),
    )
    found = _volumes(store, _DAY, _DAY).iloc[0]
    for share, name in columns.LATENCIES.items():
        exact = np.quantile(drawn, share, method="inverted_cdf")
        digits = 1 if exact < 100 else 0 if exact < 1000 else -1
        assert found[name] == np.round(exact, digits)
    assert drawn.max() > 1000 > 100 > drawn.min()


def test_scores_alone_have_no_latency(store: FeatureStore) -> None:
    """Without a log there are no requests."""
    score(store, _DAY, ("1", "a", _DAY, "Good"))
    found = _volumes(store, _DAY, _DAY)
    assert found[columns.SOURCE].tolist() == ["batch"]
    assert found[[*columns.LATENCIES.values()]].isna().all().all()
    assert found.dtypes[columns.LAST_TIME] == np.dtype("datetime64[us]")
