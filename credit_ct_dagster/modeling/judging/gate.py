"""Whether a new model takes the champion's place.

Both models are scored on the same rows of customers that neither saw. See docs/promotion.md.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Comparison, Decision, Floor, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.judging.gate_rules import GateRules, PastVerdict
from credit_ct_dagster.modeling.judging.slices import SLICES


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
    )


def floors(rows: pd.DataFrame, predicted: np.ndarray, rules: GateRules) -> list[Floor]:
    """What a challenger reaches per class and slice, and what it must reach.

    Args:
        rows: Labelled rows, raw.
        predicted: Classes, shape (rows,).
        rules: The least values.
    """
    counts = confusion.counts_per_customer(rows, predicted).sum(axis=0)
    found = [
        Floor(
            what=f"recall of {name}",
            value=float(np.nan_to_num(value)),
            least=rules.min_recall,
            rows=int(true),
        )
        for name, value, true in zip(
            schema.CLASSES, confusion.recall(counts), counts.sum(axis=1), strict=True
        )
    ]
    right = pd.Series(predicted == rows[schema.TARGET].to_numpy(dtype=str), index=rows.index)
    for title, slice_of in SLICES.items():
        for name, of_slice in right.groupby(slice_of(rows)):
            if len(of_slice) >= rules.min_slice_rows:
                found.append(
                    Floor(
                        what=f"accuracy of {title} {name}",
                        value=float(of_slice.mean()),
                        least=rules.min_slice_accuracy,
                        rows=len(of_slice),
                    )
                )
    return found


def decide(
    base_dt: str,
    champion: ModelIdentity | None,
    comparison: Comparison | None,
    reached: Sequence[Floor],
    history: Sequence[PastVerdict],
    rules: GateRules,
) -> Decision:
    """Apply the gate.

    Args:
        base_dt: The challenger's base date.
        champion: The model in service, if there is one.
        comparison: With that champion.
        reached: The challenger's floors.
        history: What was found about other base dates, in any order.
        rules: The gate's rules.
    """

    def decided(promoted: bool, ground: Ground, sentence: str) -> Decision:
        return Decision(
            promoted=promoted,
            ground=ground,
            sentence=sentence,
            comparison=comparison,
            floors=reached,
        )

    missed = [each for each in reached if not each.met]
    if missed:
        named = ", ".join(
            f"{each.what} {each.value:.3f} (at least {each.least:g})" for each in missed
        )
        return decided(False, Ground.below_floor, f"Not promoted: below a floor: {named}.")
    if champion is None:
        return decided(
            True, Ground.first, "Promoted: there was no champion, and every floor is met."
        )
    if base_dt < champion.base_dt and not rules.replace_newer:
        return decided(
            False,
            Ground.older,
            f"Not promoted: the champion is of {champion.base_dt}, a newer base date"
            " (replace_newer: true would let an older one win).",
        )
    assert comparison is not None
    return _by_evidence(base_dt, champion, comparison, history, rules, decided)


def _by_evidence(
    base_dt: str,
    champion: ModelIdentity,
    comparison: Comparison,
    history: Sequence[PastVerdict],
    rules: GateRules,
    decided: Callable[[bool, Ground, str], Decision],
) -> Decision:
    """Decide by the comparison, for a challenger that meets every floor."""
    difference = comparison.difference
    seen = (
        f"{comparison.metric.value} {comparison.challenger:.4f} against {comparison.champion:.4f}"
        f" of the champion of {champion.base_dt}; better by {difference.value:+.4f},"
        f" {rules.confidence:.0%} interval {difference.low:+.4f} to {difference.high:+.4f}, on"
        f" {comparison.rows:,} rows"
    )
    age = (date.fromisoformat(base_dt) - date.fromisoformat(champion.base_dt)).days
    if difference.low > rules.margin:
        if 0 <= age <= rules.cool_down_days:
            return decided(
                False,
                Ground.cooling_down,
                f"Not promoted: better ({seen}), but the champion was promoted {age} days before"
                f" (cool_down_days: {rules.cool_down_days}).",
            )
        agreeing = 1 + _agreeing(base_dt, champion, history, rules)
        if agreeing < rules.agreeing:
            return decided(
                False,
                Ground.no_agreement,
                f"Not promoted: better ({seen}), but only {agreeing} of the last"
                f" {rules.agreeing_of} base dates agree (agreeing: {rules.agreeing}).",
            )
        return decided(True, Ground.better, f"Promoted: {seen}.")
    if difference.high < rules.margin:
        return decided(False, Ground.worse, f"Not promoted: not better ({seen}).")
    if age > rules.max_champion_age_days and difference.low > -rules.non_inferiority_margin:
        return decided(
            True,
            Ground.aged,
            f"Promoted: the champion is {age} days old, and the challenger is not inferior"
            f" ({seen}).",
        )
    return decided(
        False, Ground.insufficient_evidence, f"Not promoted: insufficient evidence ({seen})."
    )


def _agreeing(
    base_dt: str, champion: ModelIdentity, history: Sequence[PastVerdict], rules: GateRules
) -> int:
    """How many of the base dates before found their challengers better than this champion."""
    newest: Mapping[str, PastVerdict] = {
        past.base_dt: past for past in history if past.base_dt < base_dt
    }
    recent = sorted(newest, reverse=True)[: rules.agreeing_of - 1]
    return sum(
        newest[day].better and newest[day].champion_version == champion.registered_version
        for day in recent
    )
