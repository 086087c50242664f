"""Tests of the folds by customer."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.folds import folds_by_customer


@pytest.mark.parametrize("number", [2, 4, 5])
@pytest.mark.parametrize("rows_per_customer", [1, 2, 6])
def test_folds_are_those_of_scikit_learn(number: int, rows_per_customer: int) -> None:
    """Earlier base dates keep their calibrations: the folds are the same, row by row."""
    rng = np.random.default_rng(rows_per_customer)
    labels = rng.choice(schema.CLASSES, 240, p=[0.3, 0.5, 0.2])
    customers = rng.permutation(240 // rows_per_customer)[np.arange(240) // rows_per_customer]
    customers = customers.astype(str)
    theirs = StratifiedGroupKFold(number, shuffle=True, random_state=0)
    expected = list(theirs.split(labels, labels, customers))
    found = list(folds_by_customer(labels, customers, number))
    for (fit, test), (their_fit, their_test) in zip(found, expected, strict=True):
        assert fit.tolist() == their_fit.tolist()
        assert test.tolist() == their_test.tolist()


def test_customers_of_uneven_numbers_of_rows_are_dealt_as_scikit_learn_does() -> None:
    """A customer with many rows of several classes is dealt first, as there."""
    rng = np.random.default_rng(3)
    labels = rng.choice(schema.CLASSES, 300, p=[0.1, 0.8, 0.1])
    customers = rng.geometric(0.05, 300).astype(str)
    theirs = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    expected = [test.tolist() for _, test in theirs.split(labels, labels, customers)]
    assert [test.tolist() for _, test in folds_by_customer(labels, customers, 5)] == expected


def test_too_few_customers_are_refused() -> None:
    """Five folds need five customers."""
    with pytest.raises(ValueError, match="3 customers are too few for 5 folds"):
        list(folds_by_customer(np.array(["Poor"] * 9), np.arange(9) // 3, 5))
