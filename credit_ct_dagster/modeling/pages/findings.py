"""What a person who opens a model card should look at first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import Decision, FloorVerdict, Reliability
from credit_ct_dagster.contracts.drift import ColumnDrift
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.rounding import told_apart

_NAMED = 5
"""So many of a list are named; the section has them all."""
_MANY = 0.1
"""Share of rows whose class gets better as a risk rises, from which on a feature is named."""
_FEW = 0.5
"""Share of reasons shared with the champion before, below which they are called changed."""


@dataclass(frozen=True)
class Finding:
    """Something to look at.

    Attributes:
        section: The id of the section that shows it.
        sentence: What it is.
        is_beyond_doubt: Whether chance is excluded.
    """

    section: str
    sentence: str
    is_beyond_doubt: bool = True


def findings_of(
    decision: Decision,
    report: AssessmentReport,
    drift: Sequence[ColumnDrift],
    splits: SplitsSummary,
) -> list[Finding]:
    """Collect what deserves a look, what is certain before what may be chance.

    Args:
        decision: On the model.
        report: What was measured of it.
        drift: Of its training rows.
        splits: Its rows.
    """
    found = [
        *_of_floors(decision),
        *_of_windows(decision),
        *_of_probabilities(decision, report),
        *_of_groups(report),
        *_of_answers(report),
        *_of_rows(drift, splits),
    ]
    return sorted(found, key=lambda each: not each.is_beyond_doubt)


def _of_floors(decision: Decision) -> Iterator[Finding]:
    below = [
        each.what
        for each in decision.floors
        if each.verdict in (FloorVerdict.below, FloorVerdict.missed)
    ]
    if below:
        yield Finding("floors", f"Below the minimum standards: {_listed(below)}.")
    uncertain = [each.what for each in decision.floors if each.verdict == FloorVerdict.uncertain]
    if uncertain:
        yield Finding(
            "floors",
            f"Too few rows to say whether the minimum standards are met: {_listed(uncertain)}.",
            is_beyond_doubt=False,
        )


def _of_windows(decision: Decision) -> Iterator[Finding]:
    if decision.windows and decision.windows.contradict:
        yield Finding(
            "evidence",
            "What the newest rows say of this model and the champion contradicts what older ones"
            " say, as after a drift: only the newest rows decided.",
        )


def _of_probabilities(decision: Decision, report: AssessmentReport) -> Iterator[Finding]:
    verdict = decision.probabilities.verdict if decision.probabilities else Reliability.alike
    # A champion whose place this model took needs nothing more.
    if verdict == Reliability.champion_worse and not decision.promoted:
        yield Finding(
            "evidence",
            "The probabilities of the champion fit these rows worse than those of this model,"
            " whatever the classes say: calibrate the champion anew.",
        )
    elif verdict == Reliability.challenger_worse:
        yield Finding(
            "evidence",
            "The probabilities of this model fit these rows worse than the champion’s, whatever the"
            " classes say: calibrate it anew.",
        )
    holdout = report.holdout
    if holdout.perfect_ece and holdout.calibrated.ece > holdout.perfect_ece.high:
        ece, highest = holdout.calibrated.ece, holdout.perfect_ece.high
        yield Finding(
            "calibration",
            f"The expected calibration error is {told_apart('.3f', ece, highest)}; a perfect model"
            f" has more than {told_apart('.3f', highest, ece)} on as many rows in 2.5 % of cases"
            " only.",
            is_beyond_doubt=False,
        )


def _of_groups(report: AssessmentReport) -> Iterator[Finding]:
    adverse = report.fairness.adverse if report.fairness else ()
    if adverse:
        groups = _listed([f"{each.kind} {each.name}" for each in adverse])
        yield Finding(
            "groups", f"Predicted {schema.FAVOURABLE} less often than all others: {groups}."
        )


def _of_answers(report: AssessmentReport) -> Iterator[Finding]:
    """What no rule of the bank forbids, and a person may want to know."""
    better = [
        f"{each.feature} ({each.between:.0%} of the rows)"
        for each in report.monotonicity
        if each.between > _MANY
    ]
    if better:
        yield Finding(
            "monotonicity",
            f"The class often gets better as risk rises with one feature alone: {_listed(better)}.",
            is_beyond_doubt=False,
        )
    shared = report.reasons.shared if report.reasons else None
    if shared and shared.high < _FEW:
        yield Finding(
            "reasons",
            f"Reasons have changed: {shared.value:.0%} of them are also those of the champion"
            " before.",
            is_beyond_doubt=False,
        )


def _of_rows(drift: Sequence[ColumnDrift], splits: SplitsSummary) -> Iterator[Finding]:
    moved = [each.column for each in drift if each.verdict.is_drift]
    if moved:
        yield Finding("drift", f"Rows have moved away from the champion’s: {_listed(moved)}.")
    if splits.quarantine.rows:
        yield Finding("data", splits.quarantine.sentence)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
