"""Whether a new model takes the champion's place, by the evidence. See docs/promotion.md."""

from collections.abc import Callable, Mapping, Sequence

from credit_ct_dagster.contracts.decision import (
    Comparison,
    Decision,
    Floor,
    FloorVerdict,
    Ground,
    Reliability,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.days import days_between
from credit_ct_dagster.modeling.judging.evidence import Evidence
from credit_ct_dagster.modeling.judging.gate_rules import GateRules, PastVerdict
from credit_ct_dagster.rounding import against, signed, told_apart


def decide(
    base_dt: str,
    champion: ModelIdentity | None,
    evidence: Evidence,
    history: Sequence[PastVerdict],
    rules: GateRules,
    came_back_on: str | None = None,
) -> Decision:
    """Apply the gate.

    Args:
        base_dt: The challenger's base date.
        champion: The model in service, if there is one.
        evidence: What the holdout says.
        history: What was found about other base dates, in any order.
        rules: The gate's rules.
        came_back_on: The day on which the champion came back by a rollback; None if it did not.
    """
    contradiction = evidence.windows.sentence if evidence.windows else ""

    def decided(promoted: bool, ground: Ground, sentence: str) -> Decision:
        return Decision(
            promoted=promoted,
            ground=ground,
            sentence=f"{sentence} {contradiction}".rstrip(),
            comparison=evidence.comparison,
            floors=tuple(evidence.floors),
            probabilities=evidence.probabilities,
            holdouts=tuple(evidence.holdouts),
            windows=evidence.windows,
        )

    if not evidence.rows:
        return decided(False, Ground.insufficient_evidence, _without_rows(base_dt, champion))
    missed = [each for each in evidence.floors if each.verdict == FloorVerdict.below]
    blocking = [each for each in missed if not (rules.excuse_shared_floors and each.shared)]
    if blocking:
        return decided(
            False,
            Ground.below_floor,
            f"Not promoted: below a floor beyond doubt: {_named(blocking)}.",
        )
    if champion is None:
        return decided(
            True, Ground.first, f"Promoted: there was no champion, and {_floors_of(evidence)}."
        )
    if base_dt < champion.base_dt and not rules.replace_newer:
        return decided(
            False,
            Ground.older,
            f"Not promoted: the champion is of {champion.base_dt}, a newer base date"
            " (replace_newer: true would let an older one win).",
        )
    assert evidence.comparison is not None
    few = _too_few(evidence.comparison, rules)
    if few:
        return decided(
            False, Ground.insufficient_evidence, f"Not promoted: insufficient evidence: {few}."
        )
    resting = _resting(base_dt, came_back_on, rules)
    return _by_evidence(
        base_dt, champion, evidence.comparison, missed, history, rules, resting, decided
    )


def why_worse(evidence: Evidence) -> str:
    """Why a package must not replace an earlier one of the same model; empty if nothing says so.

    Args:
        evidence: On the new package, with the one that serves in the champion's place.
    """
    found = []
    missed = [e for e in evidence.floors if e.verdict == FloorVerdict.below and not e.shared]
    if missed:
        found.append(f"below a floor beyond doubt: {_named(missed)}")
    comparison, probabilities = evidence.comparison, evidence.probabilities
    if comparison and comparison.difference.high < 0:
        found.append(comparison.figures)
    if probabilities and probabilities.verdict == Reliability.challenger_worse:
        losses = against(".4f", probabilities.challenger, probabilities.champion)
        found.append(f"log-loss {losses}")
    return "; ".join(found)


def _without_rows(base_dt: str, champion: ModelIdentity | None) -> str:
    if champion is None:
        return (
            f"Not promoted: base date {base_dt} has no holdout rows, so nothing is known of the"
            " model. Load more rows, or lower train_share and val_share, and run it again."
        )
    return (
        f"Not promoted: insufficient evidence: no holdout row of base date {base_dt} is of a"
        f" customer that neither this model nor the champion of {champion.base_dt} saw. Train with"
        " the champion's train_share and val_share or lower ones, or load more rows."
    )


def _floors_of(evidence: Evidence) -> str:
    """How a model without rival meets the floors, in half a sentence."""
    unknown = [each for each in evidence.floors if not each.met]
    if not unknown:
        return f"every floor is met on {evidence.rows:,} rows"
    return (
        f"no floor is missed beyond doubt on {evidence.rows:,} rows (too few rows to say:"
        f" {_named(unknown)})"
    )


def _named(missed: Sequence[Floor]) -> str:
    """Floors with what is reached, by the champion too."""
    return ", ".join(
        f"{each.what} {told_apart('.3f', each.value, each.least)} on {each.rows:,} rows (at least"
        f" {each.least:g}"
        + ("" if each.champion is None else f", the champion {_of_champion(each, each.champion)}")
        + ")"
        for each in missed
    )


def _of_champion(floor: Floor, reached: float) -> str:
    return told_apart(".3f", reached, floor.least, floor.value)


def _too_few(comparison: Comparison, rules: GateRules) -> str:
    """Why a comparison says nothing, whatever its interval; empty if it does."""
    if comparison.rows < rules.min_rows:
        return (
            f"only {comparison.rows:,} holdout rows are of customers that neither model saw"
            f" (min_rows: {rules.min_rows:,})"
        )
    if comparison.customers < rules.min_customers:
        return (
            f"the {comparison.rows:,} holdout rows are of {comparison.customers:,} customers only"
            f" (min_customers: {rules.min_customers:,})"
        )
    if comparison.differing is not None and comparison.differing < rules.min_differing_rows:
        return (
            f"the two models predict different classes on {comparison.differing:,} of"
            f" {comparison.rows:,} rows only (min_differing_rows: {rules.min_differing_rows:,})"
        )
    return ""


def _by_evidence(
    base_dt: str,
    champion: ModelIdentity,
    comparison: Comparison,
    excused: Sequence[Floor],
    history: Sequence[PastVerdict],
    rules: GateRules,
    resting: str,
    decided: Callable[[bool, Ground, str], Decision],
) -> Decision:
    """Decide by the comparison, for a challenger that lies below no floor but `excused` ones.

    The champion is below those as well, so only a challenger that is better is worth the change.
    After a rollback nobody is promoted for a while, for the reason `resting`.
    """
    shared = (
        "below a floor beyond doubt where the champion is below as well, and is not lower beyond"
        f" doubt: {_named(excused)}"
    )
    difference = comparison.difference
    seen = (
        f"{comparison.figures} of the champion of {champion.base_dt}; better by"
        f" {signed(difference.value)}, {100 * (comparison.confidence or rules.confidence):g}%"
        f" interval {signed(difference.low, rules.margin, -rules.non_inferiority_margin)} to"
        f" {signed(difference.high)}, on {comparison.rows:,} rows"
    )
    age = days_between(champion.base_dt, base_dt)
    if difference.low > rules.margin:
        if resting:
            return decided(
                False, Ground.cooling_down, f"Not promoted: better ({seen}), but {resting}."
            )
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
        remark = f" It lies {shared}." if excused else ""
        return decided(True, Ground.better, f"Promoted: {seen}.{remark}")
    if difference.high < rules.margin:
        return decided(False, Ground.worse, f"Not promoted: not better ({seen}).")
    if age > rules.max_champion_age_days and difference.low > -rules.non_inferiority_margin:
        if excused:
            return decided(
                False, Ground.below_floor, f"Not promoted: not beyond doubt better, and {shared}."
            )
        if resting:
            return decided(
                False,
                Ground.insufficient_evidence,
                f"Not promoted: not beyond doubt better ({seen}), and {resting}.",
            )
        return decided(
            True,
            Ground.aged,
            f"Promoted: the champion is {age} days old, and the challenger is not inferior"
            f" ({seen}).",
        )
    return decided(
        False, Ground.insufficient_evidence, f"Not promoted: insufficient evidence ({seen})."
    )


def _resting(base_dt: str, came_back_on: str | None, rules: GateRules) -> str:
    """Why nobody is promoted so soon after a rollback; empty if that does not matter."""
    if came_back_on is None or days_between(came_back_on, base_dt) > rules.rollback_cool_down_days:
        return ""
    return (
        f"the champion came back by a rollback on {came_back_on}: only base dates more than"
        f" {rules.rollback_cool_down_days} days later can take its place (rollback_cool_down_days)"
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
