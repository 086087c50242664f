"""What two models have in common: reasons, and the hash of predictions."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.stability import (
    predictions_sha256,
    reason_stability,
    shared_share,
)
from credit_ct_dagster.scorer.reasons import Reason
from credit_ct_dagster.scorer.scorer import Scored, Scorer


def _reasons(names: str) -> tuple[Reason, ...]:
    """One reason per letter."""
    return tuple(Reason(name, "higher", 1.0, f"{name} is high", False) for name in names)


class Answering(Scorer):
    """A model with given answers: a class and its reasons per id."""

    def __init__(self, answers: Sequence[tuple[str, str]]) -> None:
        self.answers = answers

    def answer_rows(self, rows: pd.DataFrame, reasons: bool = False) -> pd.DataFrame:
        assert reasons
        found = [self.answers[int(number)] for number in rows["id"]]
        return pd.DataFrame(
            {
                "credit_score": [name for name, _ in found],
                "reasons": pd.Series([_reasons(names) for _, names in found], dtype=object).values,
            },
            index=rows.index,
        )


def _rows(customers: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({"id": map(str, range(len(customers))), schema.CUSTOMER: customers})


def test_reasons_for_the_same_class_are_compared() -> None:
    """Of five rows, one differs in its class and one is Good, which has no reasons."""
    model = Answering(
        [("Poor", "abcd"), ("Poor", "abcd"), ("Standard", "ab"), ("Poor", "abcd"), ("Good", "")]
    )
    before = Answering(
        [("Poor", "abcd"), ("Poor", "bxyz"), ("Standard", "bxyz"), ("Standard", "a"), ("Good", "")]
    )
    found = reason_stability(model, before, "2025-01-01", _rows(["C1", "C2", "C3", "C4", "C5"]))
    assert (found.base_dt, found.rows) == ("2025-01-01", 3)
    assert found.shared is not None
    assert found.shared.value == pytest.approx((1 + 1 / 4 + 1 / 4) / 3)
    assert 0.25 <= found.shared.low < found.shared.value < found.shared.high <= 1
    assert found.same_first == pytest.approx(1 / 3)


def test_the_order_of_reasons_does_not_matter_for_what_is_shared() -> None:
    """A shorter list is compared with the longer one."""
    assert shared_share(_reasons("abcd"), _reasons("dcba")) == 1
    assert shared_share(_reasons("ab"), _reasons("abcd")) == shared_share(
        _reasons("abcd"), _reasons("ab")
    )
    assert shared_share(_reasons("ab"), _reasons("abcd")) == 0.5
    assert shared_share(_reasons("a"), _reasons("b")) == 0


def test_rows_of_one_customer_are_drawn_together() -> None:
    """Of a single customer, nothing is known about others: every draw is the same."""
    model = Answering([("Poor", "abcd")] * 4)
    before = Answering([("Poor", "abcd"), ("Poor", "wxyz")] * 2)
    found = reason_stability(model, before, "2025-01-01", _rows(["C1"] * 4))
    assert found.shared is not None
    assert (found.shared.low, found.shared.value, found.shared.high) == (0.5, 0.5, 0.5)


def test_no_row_with_the_same_class_is_no_figure() -> None:
    """Neither 0 % nor 100 % would be true."""
    found = reason_stability(
        Answering([("Poor", "ab")]), Answering([("Standard", "ab")]), "2025-01-01", _rows(["C1"])
    )
    assert (found.rows, found.shared, found.same_first) == (0, None, None)


_PROBABILITIES = np.array([[0.2, 0.3, 0.5], [1 / 3, 1 / 3, 1 / 3]])


def _scored(probabilities: np.ndarray = _PROBABILITIES, classes: str = "Good Poor") -> Scored:
    return Scored(np.array(classes.split()), probabilities, probabilities)


def test_the_hash_is_of_keys_classes_and_probabilities() -> None:
    """Anyone can compute it again, in another language as well."""
    lines = (
        "0\tC1\tGood\t0.200000000\t0.300000000\t0.500000000\n"
        "1\tC2\tPoor\t0.333333333\t0.333333333\t0.333333333"
    )
    expected = sha256(lines.encode()).hexdigest()
    assert predictions_sha256(_rows(["C1", "C2"]), _scored()) == expected


def test_the_order_of_rows_and_the_last_bits_do_not_change_the_hash() -> None:
    """Neither is a difference between two models; nor is the sign of a zero."""
    rows, expected = _rows(["C1", "C2"]), predictions_sha256(_rows(["C1", "C2"]), _scored())
    backwards = predictions_sha256(rows[::-1], _scored(_PROBABILITIES[::-1], "Poor Good"))
    assert backwards == expected
    assert predictions_sha256(rows, _scored(_PROBABILITIES + 1e-13)) == expected
    zeros = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert predictions_sha256(rows, _scored(zeros)) == predictions_sha256(
        rows, _scored(np.where(zeros == 0, -0.0, zeros))
    )


def test_other_predictions_have_another_hash() -> None:
    """A class, a probability, a key: each of them counts."""
    rows = _rows(["C1", "C2"])
    moved = _PROBABILITIES + np.array([[1e-8, -1e-8, 0.0], [0.0, 0.0, 0.0]])
    found = [
        predictions_sha256(rows, _scored()),
        predictions_sha256(rows, _scored(moved)),
        predictions_sha256(rows, _scored(classes="Good Standard")),
        predictions_sha256(_rows(["C1", "C3"]), _scored()),
    ]
    assert len(set(found)) == 4
