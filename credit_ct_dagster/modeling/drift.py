"""How far rows have moved away from those that a model was trained on."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from credit_ct_dagster.modeling import schema

SOME, MUCH = 0.10, 0.25
"""Thresholds of the PSI that the industry uses (Siddiqi 2006, "Credit Risk Scorecards", chapter 8):
below the first nothing has changed, above the second the population is another one."""

PREDICTION = "predicted class"
_BINS = 10
_LEAST_SHARE = 1e-4
_MISSING = "(missing)"


class Verdict(StrEnum):
    """What a PSI says."""

    stable = "stable"
    some = "some drift"
    much = "much drift"


@dataclass(frozen=True)
class Drift:
    """How far one column has moved.

    Attributes:
        column: Its name.
        psi: Population stability index, 0 or more.
        ks: Kolmogorov-Smirnov statistic of two samples, 0 to 1; none for words.
        ks_p_value: How likely a statistic as high is without drift; the months of one customer are
            not independent, so it errs towards drift.
    """

    column: str
    psi: float
    ks: float | None = None
    ks_p_value: float | None = None

    @property
    def verdict(self) -> Verdict:
        """By the thresholds of the PSI."""
        if self.psi >= MUCH:
            return Verdict.much
        return Verdict.some if self.psi >= SOME else Verdict.stable


def psi(reference: pd.Series, current: pd.Series) -> float:
    """Population stability index of counts per bin.

    The sum of (q - p) ln(q / p) over bins with shares p and q (Siddiqi 2006; a symmetric
    Kullback-Leibler divergence, Kullback and Leibler 1951). An empty bin counts as 0.01 %.

    Args:
        reference: Bin per row, of the rows that a model was trained on.
        current: Bin per row, of the rows to compare.
    """
    shares = pd.concat(
        [each.value_counts(normalize=True) for each in (reference, current)], axis=1
    ).fillna(0.0)
    p, q = np.maximum(shares.to_numpy().T, _LEAST_SHARE)
    return float(np.sum((q - p) * np.log(q / p)))


def feature_drift(reference: pd.DataFrame, current: pd.DataFrame) -> list[Drift]:
    """Compare every feature, the most moved first.

    Args:
        reference: Raw rows that a model was trained on; the bins are theirs.
        current: Raw rows to compare.
    """
    found = [_of_numbers(name, reference[name], current[name]) for name in schema.NUMERIC]
    found += [_of_words(name, reference[name], current[name]) for name in schema.CATEGORICAL]
    found += [_of_words(name, reference[name], current[name]) for name in ["payment_behaviour"]]
    found += [_of_loans(reference["type_of_loan"], current["type_of_loan"])]
    return sorted(found, key=lambda drift: -drift.psi)


def prediction_drift(reference: np.ndarray, current: np.ndarray) -> Drift:
    """Compare what one model predicts of both.

    Args:
        reference: Classes of the rows that it was trained on.
        current: Classes of the rows to compare.
    """
    return _of_words(PREDICTION, pd.Series(reference), pd.Series(current))


def _of_numbers(name: str, reference: pd.Series, current: pd.Series) -> Drift:
    edges = np.unique(np.nanquantile(reference, np.linspace(0, 1, _BINS + 1))[1:-1])

    def bins(values: pd.Series) -> pd.Series:
        number = pd.Series(np.searchsorted(edges, values, side="left"), index=values.index)
        return number.where(values.notna(), -1)

    index = psi(bins(reference), bins(current))
    present = [each.dropna() for each in (reference, current)]
    if min(map(len, present)) == 0:
        return Drift(name, index)
    test = ks_2samp(*present, method="asymp")
    return Drift(name, index, float(test.statistic), float(test.pvalue))


def _of_words(name: str, reference: pd.Series, current: pd.Series) -> Drift:
    return Drift(name, psi(reference.fillna(_MISSING), current.fillna(_MISSING)))


def _of_loans(reference: pd.Series, current: pd.Series) -> Drift:
    """Texts hardly repeat; what they list does."""
    return _of_words(
        "type_of_loan", *(each.fillna(_MISSING).str.split(",").explode().str.strip()
                          for each in (reference, current)),
    )  # fmt: skip
