"""How far rows have moved away from those that a model was trained on."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.drift import ColumnDrift, Verdict
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.missing import with_blanks_missing

# SciPy takes half a second to import; only a comparison of numbers needs it.

PREDICTION = "predicted class"
_BINS = 10
_LEAST_SHARE = 1e-4
_MISSING = "(missing)"


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


def feature_drift(reference: pd.DataFrame, current: pd.DataFrame) -> list[ColumnDrift]:
    """Compare every feature, the one that moved most first.

    A feature that the reference does not have, because it was added to the schema later, cannot be
    compared and is left out.

    Args:
        reference: Raw rows that a model was trained on; the bins are theirs.
        current: Raw rows to compare.
    """
    reference, current = with_blanks_missing(reference), with_blanks_missing(current)
    found = [
        _comparison_of(schema.COLUMNS[name])(name, reference[name], current[name])
        for name in [*schema.NUMERIC, *schema.WORDS]
        if name in reference and name in current
    ]
    return sorted(found, key=lambda drift: -drift.psi)


def prediction_drift(reference: np.ndarray, current: np.ndarray) -> ColumnDrift:
    """Compare the predictions of one model on both.

    Args:
        reference: Predicted classes of the rows that it was trained on.
        current: Predicted classes of the rows to compare.
    """
    return _of_words(PREDICTION, pd.Series(reference), pd.Series(current))


def _comparison_of(column: schema.Column) -> Callable[[str, pd.Series, pd.Series], ColumnDrift]:
    if column.kind == schema.Kind.number:
        return _of_numbers
    if column.separator is None:
        return _of_words
    # Lists hardly repeat; what they list does.
    return lambda name, *both: _of_words(
        name, *(_items(values, str(column.separator)) for values in both)
    )


def _of_numbers(name: str, reference: pd.Series, current: pd.Series) -> ColumnDrift:
    from scipy.stats import ks_2samp

    present = [each.dropna() for each in (reference, current)]
    # Without a value in the reference there are two bins: present and missing.
    quantiles = np.nanquantile(present[0], np.linspace(0, 1, _BINS + 1)) if len(present[0]) else []
    edges = np.unique(quantiles[1:-1])

    def bins(values: pd.Series) -> pd.Series:
        number = pd.Series(np.searchsorted(edges, values, side="left"), index=values.index)
        return number.where(values.notna(), -1)

    index = psi(bins(reference), bins(current))
    if min(map(len, present)) == 0:
        return ColumnDrift(column=name, psi=index, verdict=Verdict.of(index))
    test = ks_2samp(*present, method="asymp")
    return ColumnDrift(
        column=name,
        psi=index,
        ks=float(test.statistic),
        ks_p_value=float(test.pvalue),
        verdict=Verdict.of(index),
    )


def _of_words(name: str, reference: pd.Series, current: pd.Series) -> ColumnDrift:
    index = psi(reference.fillna(_MISSING), current.fillna(_MISSING))
    return ColumnDrift(column=name, psi=index, verdict=Verdict.of(index))


def _items(values: pd.Series, separator: str) -> pd.Series:
    return values.fillna(_MISSING).str.split(separator).explode().str.strip()
