"""What is said of a champion on probation."""

from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.probation import ProbationPolicy, ProbationRecord, Verdict
from credit_ct_dagster.decisions.tenures import OnProbation

if TYPE_CHECKING:  # pandas takes half a second to import
    from credit_ct_dagster.modeling.watching.probation import Findings

_ROLLBACK = (
    "Let the model before serve again: credit-ct rollback --by NAME --reason TEXT. Or keep it:"
    " credit-ct promote --partition {base_dt} --by NAME --reason TEXT --keep."
)


def sentence_on(
    record: ProbationRecord,
    findings: "Findings",
    found: OnProbation,
    ended: DecisionRecord | None,
) -> str:
    """What was found, for a person, and what to do.

    Args:
        record: Of the evaluation, without a decision.
        findings: What the labels say.
        found: The probation.
        ended: The decision that ended it; None while it is open.
    """
    base_dt = found.champion.base_dt
    named = f"Version {found.champion.registered_version} of base date {base_dt}"
    if ended:
        return (
            f"{named} was on probation from {found.since} until decision {ended.number}:"
            f" {ended.decision.sentence}"
        )
    looks = f"{record.in_a_row} of {record.needed_in_a_row} evaluations in a row"
    if record.is_worse:
        what = f"{named} is worse than the model before, beyond doubt: {findings.sentence}."
        is_for_a_person = record.policy == ProbationPolicy.alert
        return f"{what} {_ROLLBACK.format(base_dt=base_dt)}" if is_for_a_person else what
    if findings.verdict == Verdict.undecided:
        return (
            f"{named} is on probation from {found.since} to {found.until}, undecided so far:"
            f" {findings.sentence}."
        )
    seems = "worse than" if findings.verdict == Verdict.worse else "no worse than"
    return (
        f"{named} is on probation from {found.since} to {found.until}, and seems {seems} the model"
        f" before ({looks}): {findings.sentence}."
    )
