"""Whether a model's class ever gets better where, by the bank's judgement, risk rises."""

from typing import TYPE_CHECKING

import numpy as np

from credit_ct_dagster.contracts.assessment import Monotonicity
from credit_ct_dagster.modeling import schema

# The scorer is imported with CatBoost, which takes seconds; only its type is needed here.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.scorer.scorer import Scorer

MOST_ROWS = 1_000
VALUES = 20
_SEED = 0
_OUTER = 0.05


def monotonicity_of(scorer: "Scorer", rows: "pd.DataFrame") -> list[Monotonicity]:
    """Try every directed feature of a model on rows that it was not fitted to.

    Each row keeps its other values, while the feature takes values from the least risky to the most
    risky one that occur in the rows: the curves of individual conditional expectation (Goldstein et
    al. 2015, "Peeking Inside the Black Box", section 3), read as classes, because those are what a
    customer is told. Many combinations of values occur in no row; what a model does with those
    far-off values matters less, so the share without them is measured too.

    Args:
        scorer: The model, whose class rule decides as it does when it serves.
        rows: Raw rows, of which at most 1,000 are looked at.

    Returns:
        One result per feature that the model uses and the schema gives a direction, the highest
        share first. A feature that has fewer than two values in the rows has none.
    """
    few = rows.sample(min(len(rows), MOST_ROWS), random_state=_SEED)
    found = []
    for name in schema.DIRECTED:
        if name not in scorer.columns:
            continue
        # Values are from all rows: the rows looked at say less of what is common.
        grid, is_common = values_of(rows[name])
        if len(grid) < 2:
            continue
        risk = schema.COLUMNS[name].risk
        if risk == schema.Risk.falls:
            grid, is_common = grid[::-1], is_common[::-1]
        classes = classes_along(scorer, few, name, grid)
        found.append(
            Monotonicity(
                feature=name,
                risk=str(risk),
                rows=len(few),
                values=len(grid),
                better=float(gets_better(classes).mean()),
                between=float(gets_better(classes[is_common]).mean()),
            )
        )
    return sorted(found, key=lambda each: -each.better)


def values_of(column: "pd.Series") -> tuple[np.ndarray, np.ndarray]:
    """Values to try, in ascending order, and which of them are common.

    Args:
        column: A number, with or without missing values.

    Returns:
        At most 20 different values that occur in the column, at quantiles that are equally far
        apart from the lowest to the highest; and, of the same shape, whether each lies between the
        5 % and the 95 % quantile.
    """
    numbers = column.dropna().to_numpy(dtype=np.float64)
    if not len(numbers):
        return np.empty(0), np.empty(0, dtype=bool)
    # A value that occurs: half a bank account is no one's.
    grid = np.unique(np.quantile(numbers, np.linspace(0, 1, VALUES), method="closest_observation"))
    low, high = np.quantile(numbers, [_OUTER, 1 - _OUTER], method="closest_observation")
    return grid, (grid >= low) & (grid <= high)


def classes_along(
    scorer: "Scorer", rows: "pd.DataFrame", feature: str, grid: np.ndarray
) -> np.ndarray:
    """The class of every row at every value of one feature, shape (values, rows), 0 for the worst.

    Args:
        scorer: The model.
        rows: Raw rows.
        feature: The column that is replaced.
        grid: By which values.
    """
    # One frame with the rows once per value: a call takes far longer than its rows.
    repeated = rows.iloc[np.tile(np.arange(len(rows)), len(grid))]
    tried = repeated.assign(**{feature: np.repeat(grid, len(rows))})
    numbers = {name: number for number, name in enumerate(scorer.classes)}
    found = [numbers[name] for name in scorer.score_rows(tried).classes]
    return np.array(found, dtype=int).reshape(len(grid), len(rows))


def gets_better(classes: np.ndarray) -> np.ndarray:
    """Per row, whether its class gets better from one value to the next.

    Args:
        classes: Shape (values, rows), values in the order of rising risk.

    Returns:
        Shape (rows,), bool; False for fewer than two values.
    """
    rises: np.ndarray = np.diff(classes, axis=0) > 0
    return np.asarray(rises.any(axis=0))
