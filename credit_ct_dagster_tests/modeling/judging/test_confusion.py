"""Metrics of confusion counts, against scikit-learn's of the rows themselves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging import confusion

_classes = st.sampled_from(schema.CLASSES)


def _rows(truth: list[str], customers: list[str]) -> pd.DataFrame:
    return pd.DataFrame({schema.TARGET: truth, schema.CUSTOMER: customers})


@given(st.lists(st.tuples(_classes, _classes, st.sampled_from("abcd")), min_size=1, max_size=40))
def test_counts_give_what_rows_give(rows: list[tuple[str, str, str]]) -> None:
    """Accuracy, macro F1 and recall, whatever the classes and customers."""
    truth, predicted, customers = map(list, zip(*rows, strict=True))
    counts = confusion.counts_per_customer(_rows(truth, customers), np.array(predicted))
    assert counts.shape == (len(set(customers)), 3, 3)
    total = counts.sum(axis=0)
    labels = schema.CLASSES
    assert confusion.accuracy(total) == pytest.approx(accuracy_score(truth, predicted))
    assert confusion.macro_f1(total) == pytest.approx(
        f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)
    )
    np.testing.assert_allclose(
        confusion.recall(total),
        recall_score(truth, predicted, labels=labels, average=None, zero_division=np.nan),
    )


def test_cost_weighs_each_error() -> None:
    """Worked out by hand; less cost is better."""
    counts = np.array([[5, 1, 2], [0, 8, 0], [1, 0, 3]])
    costs = np.array([[0, 2, 5], [1, 0, 1], [2, 1, 0]])
    utility = Utility(metric=Metric.expected_cost, costs=costs.tolist())
    assert confusion.expected_cost(counts, costs) == pytest.approx((1 * 2 + 2 * 5 + 1 * 2) / 20)
    assert confusion.goodness(counts, utility) == pytest.approx(-14 / 20)


def test_draws_take_whole_customers() -> None:
    """A customer with two months brings both, or neither; the same seed draws the same."""
    counts = np.zeros((50, 3, 3), dtype=int)
    counts[:25, 0, 0], counts[25:, 1, 2] = 2, 4
    drawn = confusion.resampled(counts, 300, seed=1)
    assert drawn.shape == (300, 3, 3)
    assert (drawn[:, 0, 0] / 2 + drawn[:, 1, 2] / 4 == 50).all()
    np.testing.assert_array_equal(drawn, confusion.resampled(counts, 300, seed=1))
    assert not np.array_equal(drawn, confusion.resampled(counts, 300, seed=2))


def test_draws_stay_those_of_earlier_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions on record can be repeated: by kind of customer or not, in batches of any size."""
    assert confusion.resampled(np.arange(12).reshape(4, 3), 2, 0).tolist() == [
        [24, 28, 32],
        [3, 7, 11],
    ]
    counts = np.random.default_rng(0).integers(0, 3, (40, 2, 3, 3))
    drawn = confusion.resampled(counts, 120, seed=1)
    np.testing.assert_array_equal(drawn, confusion.resampled(counts.astype(float), 120, seed=1))
    monkeypatch.setattr(confusion, "_MOST_DRAWN", 100)
    np.testing.assert_array_equal(drawn, confusion.resampled(counts, 120, seed=1))


def test_an_interval_covers_as_often_as_stated() -> None:
    """Of 200 samples of a known accuracy, some 95 % of the intervals hold it."""
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        right = rng.random(200) < 0.8
        counts = np.zeros((200, 3, 3), dtype=int)
        counts[right, 0, 0], counts[~right, 0, 1] = 1, 1
        drawn = confusion.accuracy(confusion.resampled(counts, 300, seed))
        found = confusion.estimate(float(right.mean()), drawn, 0.95)
        covered += found.low <= 0.8 <= found.high
    assert 180 <= covered <= 199
