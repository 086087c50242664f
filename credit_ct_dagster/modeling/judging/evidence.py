"""What holdout rows say about a challenger and a champion.

Both models are scored on the same rows of customers that neither saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Comparison, Floor, ProbabilityComparison
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.contracts.window_contrast import WindowContrast
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.judging.floors import floors
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.judging.probability_guard import compare_probabilities
from credit_ct_dagster.modeling.judging.windows import contrast, for_newest

if TYPE_CHECKING:
    from credit_ct_dagster.scorer.scorer import Scored


@dataclass(frozen=True)
class Evidence:
    """What holdout rows say about a challenger.

    Attributes:
        rows: How many decide: all, or those of the newest window, if the others contradict it.
        holdouts: The base dates of all rows that were looked at.
        floors: What it must reach on these rows, and does.
        comparison: Of its classes with the champion's on them; None without champion.
        probabilities: The same of its probabilities, in the newest window; None also with fewer
            rows than `min_rows` in all windows together.
        windows: Whether the newest window agrees with those before it; None if that is unknown.
    """

    rows: int
    holdouts: Sequence[str] = ()
    floors: Sequence[Floor] = ()
    comparison: Comparison | None = None
    probabilities: ProbabilityComparison | None = None
    windows: WindowContrast | None = None


def compare(
    rows: pd.DataFrame,
    challenger: np.ndarray,
    champion: np.ndarray,
    utility: Utility,
    rules: GateRules,
) -> Comparison:
    """Compare two models by their predictions of the same rows.

    A paired bootstrap: each draw takes the same customers for both.

    Args:
        rows: Labelled rows of customers that neither model saw.
        challenger: Predicted classes, shape (rows,).
        champion: The same.
        utility: What the bank wants of a class.
        rules: The bootstrap.
    """
    counts = np.stack(
        [confusion.counts_per_customer(rows, each) for each in (challenger, champion)], axis=1
    )
    ours, theirs = confusion.goodness(counts.sum(axis=0), utility)
    drawn = confusion.goodness(confusion.resampled(counts, rules.draws, rules.seed), utility)
    sign = -1 if utility.metric == Metric.expected_cost else 1
    return Comparison(
        metric=utility.metric,
        challenger=sign * float(ours),
        champion=sign * float(theirs),
        difference=confusion.estimate(ours - theirs, drawn[:, 0] - drawn[:, 1], rules.confidence),
        rows=len(rows),
        customers=len(counts),
        differing=int((challenger != champion).sum()),
        confidence=rules.confidence,
    )


def examine(
    rows: pd.DataFrame,
    answers: Sequence["Scored"],
    utility: Utility,
    rules: GateRules,
    holdouts: Sequence[str] = (),
    windows: np.ndarray | None = None,
) -> Evidence:
    """What holdout rows say about a challenger.

    All windows together; only the newest, if those before it contradict it.

    Args:
        rows: Labelled rows of customers that no model saw.
        answers: The challenger's answers to them; then the champion's, if there is one. None is
            needed when there are no rows.
        utility: What the bank wants of a class.
        rules: The gate's rules.
        holdouts: The base dates that the rows are of, the newest first.
        windows: Of each row, the place of its base date among `holdouts`, 0 being the newest; shape
            (rows,). None: all are of the newest.
    """
    if rows.empty:
        return Evidence(rows=0, holdouts=holdouts)
    challenger, *others = answers
    if not others:
        met = floors(rows, challenger.classes, None, rules)
        return Evidence(rows=len(rows), holdouts=holdouts, floors=met)
    [champion] = others
    if windows is None:
        windows = np.zeros(len(rows), dtype=int)
    guarded = _of_probabilities(rows, challenger, champion, rules, holdouts, windows)
    ours, theirs = challenger.classes, champion.classes
    is_newest = windows == 0
    found = contrast(rows, is_newest, ours, theirs, utility, rules)
    contradict = found is not None and found.contradict
    if contradict:
        rows, ours, theirs = rows[is_newest], ours[is_newest], theirs[is_newest]
    comparison = compare(rows, ours, theirs, utility, rules)
    return Evidence(
        rows=len(rows),
        holdouts=holdouts,
        floors=floors(rows, ours, theirs, rules),
        comparison=for_newest(comparison, rules) if contradict else comparison,
        probabilities=guarded,
        windows=found,
    )


def _of_probabilities(
    rows: pd.DataFrame,
    challenger: "Scored",
    champion: "Scored",
    rules: GateRules,
    holdouts: Sequence[str],
    windows: np.ndarray,
) -> ProbabilityComparison | None:
    """Compare them on the newest window, and on the next ones while rows are too few.

    What the guard looks for is a month that has shifted. On the months before it the champion fits,
    and the challenger may not: pooled, the differences cancel.
    """
    upto = np.bincount(windows).cumsum()
    if upto[-1] < rules.min_rows:
        return None
    last = int(np.searchsorted(upto, rules.min_rows))
    of = windows <= last
    return compare_probabilities(
        rows[of],
        challenger.probabilities[of],
        champion.probabilities[of],
        rules,
        holdouts[: last + 1],
    )
