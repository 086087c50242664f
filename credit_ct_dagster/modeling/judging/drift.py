"""How far rows have moved away from those that a model was trained on, beyond chance."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.drift import ColumnDrift, MissingDrift, Verdict
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.shares import LEAST_EXPECTED, chance_of, psi_of
from credit_ct_dagster.modeling.rows.missing import with_blanks_missing
from credit_ct_dagster.scorer.encoding import things_of

# SciPy takes half a second to import; only a comparison needs it.

PREDICTION = "predicted class"
_BINS = 10
_RARE = "(rare)"
_HIGHEST = 1e300
"""Quantiles are computed from differences, which no number beyond has."""


def model_drift(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    reference_classes: np.ndarray,
    current_classes: np.ndarray,
) -> list[ColumnDrift]:
    """Compare the predicted classes and every feature: classes first, then what moved most.

    Args:
        reference: Raw rows that a model was trained on; the bins are theirs.
        current: Raw rows to compare.
        reference_classes: What the model predicts for them.
        current_classes: What the same model predicts for these.
    """
    classes = _of_words(PREDICTION, pd.Series(reference_classes), pd.Series(current_classes))
    features = _by_distance(_features(reference, current))
    return _adjusted([classes, *features])


def feature_drift(reference: pd.DataFrame, current: pd.DataFrame) -> list[ColumnDrift]:
    """Compare every feature, the one that moved most first.

    A feature that the reference does not have, because it was added to the schema later, cannot be
    compared and is left out.

    Args:
        reference: Raw rows that a model was trained on; the bins are theirs.
        current: Raw rows to compare.
    """
    return _adjusted(_by_distance(_features(reference, current)))


def prediction_drift(reference: np.ndarray, current: np.ndarray) -> ColumnDrift:
    """Compare the predictions of one model on both.

    Args:
        reference: Predicted classes of the rows that it was trained on.
        current: Predicted classes of the rows to compare.
    """
    [classes] = _adjusted([_of_words(PREDICTION, pd.Series(reference), pd.Series(current))])
    return classes


def _features(reference: pd.DataFrame, current: pd.DataFrame) -> list[ColumnDrift]:
    """What has moved in every feature; p-values are not adjusted yet."""
    reference, current = with_blanks_missing(reference), with_blanks_missing(current)
    return [
        _comparison_of(schema.COLUMNS[name])(name, reference[name], current[name])
        for name in [*schema.NUMERIC, *schema.WORDS]
        if name in reference and name in current
    ]


def _by_distance(found: list[ColumnDrift]) -> list[ColumnDrift]:
    return sorted(found, key=lambda drift: -drift.highest_psi)


def _adjusted(found: Sequence[ColumnDrift]) -> list[ColumnDrift]:
    """Bonferroni's adjustment for all tests, and the verdicts."""
    tests = sum(
        1 + (each.missing is not None and each.missing.reference + each.missing.current > 0)
        for each in found
    )

    def of(p_value: float | None) -> float:
        return min(1.0, tests * (1.0 if p_value is None else p_value))

    def judged(drift: ColumnDrift) -> ColumnDrift:
        p_value, missing = of(drift.p_value), drift.missing
        verdicts = [Verdict.of(drift.psi, p_value)]
        if missing:
            missing = missing.model_copy(update={"p_value": of(missing.p_value)})
            verdicts.append(missing.verdict)
        worst = max(verdicts, key=list(Verdict).index)
        return drift.model_copy(update={"p_value": p_value, "missing": missing, "verdict": worst})

    return [judged(each) for each in found]


def _comparison_of(column: schema.Column) -> Callable[[str, pd.Series, pd.Series], ColumnDrift]:
    if column.kind == schema.Kind.number:
        return _of_numbers
    return _of_words if column.separator is None else _of_lists


def _of_numbers(name: str, reference: pd.Series, current: pd.Series) -> ColumnDrift:
    from scipy.stats import ks_2samp

    present = [
        np.clip(each.dropna().to_numpy(dtype=float), -_HIGHEST, _HIGHEST)
        for each in (reference, current)
    ]
    if min(map(len, present)) == 0:
        return _drift(name, reference, current, np.zeros((2, 1)))
    # Bins with a tenth of the reference each, where values do not repeat.
    edges = np.unique(np.quantile(present[0], np.linspace(0, 1, _BINS + 1))[1:-1])
    table = np.stack(
        [
            np.bincount(np.searchsorted(edges, each, side="left"), minlength=len(edges) + 1)
            for each in present
        ]
    )
    # SciPy divides by zero where it approximates the distribution for a single row on each side.
    test = ks_2samp(*present, method="exact" if max(map(len, present)) == 1 else "asymp")
    drift = _drift(name, reference, current, table)
    return drift.model_copy(update={"ks": float(test.statistic), "ks_p_value": float(test.pvalue)})


def _of_words(name: str, reference: pd.Series, current: pd.Series) -> ColumnDrift:
    words = [_spelled_alike(each.dropna()) for each in (reference, current)]
    table = pd.concat([each.value_counts() for each in words], axis=1).fillna(0).to_numpy().T
    respelled = _respelled(reference.dropna(), current.dropna())
    drift = _drift(name, reference, current, table)
    return drift.model_copy(update={"respelled": float(respelled.mean() if len(respelled) else 0)})


def _of_lists(name: str, reference: pd.Series, current: pd.Series) -> ColumnDrift:
    """Compare the shares of rows that list a thing; of the thing that moved most.

    Lists hardly repeat, and the things of one row are not independent of each other: each is
    tested by itself, over rows (Bonferroni's adjustment; Agresti and Liu 1999, "Modeling a
    categorical variable allowing arbitrarily many category choices").
    """
    items = [_items(each) for each in (reference, current)]
    rows = [each.notna().sum() for each in (reference, current)]
    tables = _tables_of_items([_spelled_alike(each) for each in items], rows)
    table = max(tables, key=psi_of, default=np.zeros((2, 1)))
    respelled = _respelled(*items)
    rows_respelled = respelled[respelled].index.nunique()
    drift = _drift(name, reference, current, table)
    return drift.model_copy(
        update={
            "p_value": min(1.0, max(1, len(tables)) * float(drift.p_value or 0.0)),
            "respelled": rows_respelled / rows[1] if rows[1] else 0.0,
        }
    )


def _tables_of_items(items: Sequence[pd.Series], rows: Sequence[int]) -> list[np.ndarray]:
    """Rows with and without each thing, shape (2, 2); those that are rare count as one thing."""
    listed = [
        pd.DataFrame({"row": each.index, "item": each.to_numpy()}).drop_duplicates()
        for each in items
    ]
    expected = _counts(listed).sum(axis=1) * min(rows) / max(sum(rows), 1)
    rare = expected.index[expected < LEAST_EXPECTED]
    pooled = [
        each.assign(item=each["item"].mask(each["item"].isin(rare), _RARE)).drop_duplicates()
        for each in listed
    ]
    return [
        np.array([having, np.subtract(rows, having)]).T for having in _counts(pooled).to_numpy()
    ]


def _counts(listed: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows per thing, a column for the reference and one for the rows that are compared."""
    return pd.concat([each["item"].value_counts() for each in listed], axis=1).fillna(0)


def _drift(name: str, reference: pd.Series, current: pd.Series, table: np.ndarray) -> ColumnDrift:
    """What has moved in a column whose values are counted in a table; nothing is adjusted yet."""
    missing = np.array([[each.isna().sum(), each.notna().sum()] for each in (reference, current)])
    shares = missing[:, 0] / np.maximum(missing.sum(axis=1), 1)
    return ColumnDrift(
        column=name,
        psi=psi_of(table),
        p_value=chance_of(table),
        missing=MissingDrift(
            reference=float(shares[0]),
            current=float(shares[1]),
            psi=psi_of(missing),
            p_value=chance_of(missing),
        ),
        reference_rows=int(missing[0, 1]),
        rows=int(missing[1, 1]),
        verdict=Verdict.stable,
    )


def _items(values: pd.Series) -> pd.Series:
    """What is listed, a row for each thing, with the index of its row."""
    numbered = values.reset_index(drop=True).dropna().astype(str)
    things = {text: things_of(text) for text in numbered.unique()}
    return numbered.map(things).explode().dropna()


def _spelled_alike(words: pd.Series) -> pd.Series:
    """Words whose letter case and blanks make no difference."""
    return words.map({word: _alike(word) for word in words.unique()})


def _alike(word: object) -> str:
    return " ".join(str(word).split()).casefold()


def _respelled(reference: pd.Series, current: pd.Series) -> pd.Series:
    """Whether each word of the compared rows is a known one in a spelling that is not known."""
    spellings: Iterable[object] = reference.unique()
    exactly, alike = set(spellings), {_alike(word) for word in spellings}
    return current.map(
        {word: word not in exactly and _alike(word) in alike for word in current.unique()}
    ).astype(bool)
