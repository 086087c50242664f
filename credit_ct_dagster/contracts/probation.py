"""What the models in the shadow say of the champion, and what follows."""

from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime

from credit_ct_dagster.contracts.decision import Comparison, Ground
from credit_ct_dagster.contracts.files import PROBATION_FILE
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.record import Part, Record


class ProbationPolicy(StrEnum):
    """What follows when a champion is worse than the model whose place it took."""

    alert = "alert"
    """A check fails, every day, until a person decides."""
    rollback = "rollback"
    """The model before serves again, and the check fails."""
    off = "off"
    """Nothing is scored or compared, and no challenger is promoted."""


class Role(StrEnum):
    """Why a model is in the shadow: it scores what was served, and answers nobody."""

    previous = "previous"
    """Its place was taken by the champion, which is on probation."""
    challenger = "challenger"
    """The gate's evidence on it was not enough."""


class Verdict(StrEnum):
    """What the answers say about a model that is compared with another."""

    confirmed = "confirmed"
    """It is not worse beyond doubt, by more than the margin of the gate."""
    worse = "worse beyond doubt"
    undecided = "undecided"
    """There are too few labels, or the interval allows both."""


class Look(Part):
    """One evaluation of the evidence of its day; several in a row decide.

    Attributes:
        day: The prediction day, the newest when it was evaluated.
        rows: Labelled answers that were compared.
        verdict: What they said. For a challenger in the shadow: `confirmed` if it is better beyond
            doubt, and the gate would promote it.
    """

    day: str
    rows: int
    verdict: Verdict


class ShadowChallenger(Part):
    """A challenger in the shadow.

    Attributes:
        model: The challenger.
        gate_decision: The number of the decision that put it here: against which champion. Looks of
            another one do not count.
        since: Its first prediction day in the shadow.
        until: Its last one. Labels of these days are waited for until later.
        comparison: With the champion, on labelled answers and on the holdouts that the gate had, if
            they still exist; None with too few labels.
        ground: What the gate's rules say of this evidence; None without any.
        looks: Evaluations that count, oldest first.
        in_a_row: How many of the last ones said the same.
        decision: The number of the decision that ended it; None while it is open.
        sentence: For a person.
    """

    model: ModelIdentity
    gate_decision: int | None = None
    since: str
    until: str
    comparison: Comparison | None = None
    ground: Ground | None = None
    looks: tuple[Look, ...] = ()
    in_a_row: int = 0
    decision: int | None = None
    sentence: str


class ProbationRecord(Record):
    """The champion and the models in the shadow, as the labels of their answers have them.

    Attributes:
        base_dt: The prediction day.
        evaluated_at: When it was evaluated; labels that were known then count.
        dagster_run_id: The run that evaluated it.
        policy: What follows when the champion is worse.
        may_decide: Whether it was the newest day that had ended, and could be decided on.
        champion: The champion of this day that is, or was, on probation; None if none was.
        previous: The model whose place it took; None likewise.
        promotion: The number of the decision that promoted the champion; None likewise.
        since: The first prediction day of the probation; None likewise.
        until: Its last prediction day, unless it is decided before; None likewise.
        comparison: Of the champion (as `challenger`) with the previous one (as `champion`), with an
            interval that holds for all looks together; None without labels.
        verdict: What this evidence says; None without a probation.
        looks: Evaluations that count, oldest first.
        in_a_row: How many of the last ones gave this verdict.
        needed_in_a_row: How many are needed to decide.
        decision: The number of the decision that ended the probation, by whomever; None while it is
            open.
        challengers: The challengers in the shadow.
        sentence: For a person.
    """

    FILE: ClassVar[str] = PROBATION_FILE
    REMEDY: ClassVar[str] = "materialize champion_probation for this prediction day"

    base_dt: str
    evaluated_at: AwareDatetime
    dagster_run_id: str | None = None
    policy: ProbationPolicy
    may_decide: bool
    champion: ModelIdentity | None = None
    previous: ModelIdentity | None = None
    promotion: int | None = None
    since: str | None = None
    until: str | None = None
    comparison: Comparison | None = None
    verdict: Verdict | None = None
    looks: tuple[Look, ...] = ()
    in_a_row: int = 0
    needed_in_a_row: int = 1
    decision: int | None = None
    challengers: tuple[ShadowChallenger, ...] = ()
    sentence: str

    @property
    def is_decided(self) -> bool:
        """Whether enough evaluations in a row said the same, and not that nothing is certain."""
        decisive = self.verdict in (Verdict.confirmed, Verdict.worse)
        return decisive and self.in_a_row >= self.needed_in_a_row

    @property
    def is_worse(self) -> bool:
        """Whether the champion is worse than the model before, beyond doubt."""
        return self.verdict == Verdict.worse and self.is_decided
