"""Decisions on the champion, with their evidence."""

from enum import StrEnum
from typing import Any, ClassVar

from pydantic import AwareDatetime, computed_field, model_validator

from credit_ct_dagster.contracts.approval import Approval
from credit_ct_dagster.contracts.files import DECISION_FILE
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.contracts.window_contrast import WindowContrast
from credit_ct_dagster.rounding import against, signed

GATE = "gate"
"""Who decided when no person did, and the evidence was that of holdouts."""
PROBATION = "probation"
"""Who decided when no person did, and the evidence was that of answers which were served."""
RETRAINING = "retraining"
"""Who decided that a model is trained, because of how the champion did."""
PLATFORM = (GATE, PROBATION, RETRAINING)
"""Who decides without a person; no person has such a name."""


class Ground(StrEnum):
    """Why a decision was taken."""

    first = "first"
    better = "better"
    aged = "aged"
    worse = "worse"
    insufficient_evidence = "insufficient evidence"
    below_floor = "below floor"
    older = "older base date"
    cooling_down = "cooling down"
    no_agreement = "no agreement yet"
    package_does_not_serve = "package does not serve"
    person = "a person"
    confirmed = "confirmed"
    rolled_back = "rolled back"
    registered_again = "registered again"
    awaiting_approval = "awaiting approval"
    rejected = "rejected"
    expired = "approval expired"

    @classmethod
    def of_better(cls) -> "set[Ground]":
        """Those of a challenger that was found to be better, whatever was decided."""
        return {cls.better, cls.cooling_down, cls.no_agreement}

    @property
    def record_version(self) -> int:
        """The version of a record with this ground: releases with version 1 know no approval."""
        of_approval = {Ground.awaiting_approval, Ground.rejected, Ground.expired}
        return DecisionRecord.VERSION if self in of_approval else 1


class Estimate(Part):
    """A value with its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"

    @property
    def signed(self) -> str:
        """Of a difference: `+0.0120, -0.0030 to +0.0270`."""
        return f"{signed(self.value)}, {signed(self.low)} to {signed(self.high)}"


class Comparison(Part):
    """Two models on the same rows.

    Attributes:
        metric: What was compared.
        challenger: Its value, of all rows.
        champion: Its value.
        difference: How much better the challenger is; below 0 when it is worse.
        rows: How many rows.
        customers: Of how many customers.
        differing: Rows of which the two predict different classes; None in what earlier releases
            wrote.
        confidence: Level of the interval of the difference; None likewise.
    """

    metric: Metric
    challenger: float
    champion: float
    difference: Estimate
    rows: int
    customers: int
    differing: int | None = None
    confidence: float | None = None

    @property
    def figures(self) -> str:
        """Both values, for a sentence."""
        return f"{self.metric.value} {against('.4f', self.challenger, self.champion)}"


class Reliability(StrEnum):
    """Whose probabilities are worse."""

    alike = "no difference beyond doubt"
    champion_worse = "the champion's are worse"
    challenger_worse = "the challenger's are worse"


class ProbabilityComparison(Part):
    """The calibrated probabilities of two models on the same rows.

    It warns; no model is promoted by it, and none is kept out.

    Attributes:
        challenger: Its log-loss, in nats per row.
        champion: Its log-loss.
        challenger_ece: Its expected calibration error, 0 to 1.
        champion_ece: The champion's.
        difference: By how much the challenger's log-loss is lower; below 0 when it is higher.
        confidence: Level of the interval of the difference.
        rows: How many rows.
        holdouts: Base dates whose holdout rows they are, the newest first.
    """

    challenger: float
    champion: float
    challenger_ece: float
    champion_ece: float
    difference: Estimate
    confidence: float
    rows: int
    holdouts: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # mypy #14461
    @property
    def verdict(self) -> Reliability:
        """Whose probabilities are worse: the whole interval lies on one side of 0."""
        if self.difference.low > 0:
            return Reliability.champion_worse
        return Reliability.challenger_worse if self.difference.high < 0 else Reliability.alike


class FloorVerdict(StrEnum):
    """How a value compares with its floor."""

    met = "met"
    uncertain = "too few rows to say"
    below = "below beyond doubt"
    missed = "below"
    """In what earlier releases wrote: they took every value below the floor for a failure."""


class Floor(Part):
    """A least value that a challenger must reach: a share of rows.

    Attributes:
        what: Names the class or the slice.
        value: Reached; 0 when there are no rows.
        least: Required.
        rows: It was measured on.
        verdict: Whether the value lies below the floor, and whether that may be chance.
        p_value: Probability of a value as low as this one, or lower, for a model that lies exactly
            at the floor. Not adjusted; None in what earlier releases wrote.
        champion: What the champion reaches on the same rows; None without one.
        champion_verdict: The same of the champion; None without one.
        paired_p_value: Probability that chance alone puts the challenger so far below the champion
            on the same rows; None unless both values are below the floor.
        lower_than_champion: Whether it is lower beyond doubt; None unless both are below.
    """

    what: str
    value: float
    least: float
    rows: int
    verdict: FloorVerdict
    p_value: float | None = None
    champion: float | None = None
    champion_verdict: FloorVerdict | None = None
    paired_p_value: float | None = None
    lower_than_champion: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_release(cls, data: Any) -> Any:
        """Only the value and the floor were recorded."""
        if isinstance(data, dict) and "verdict" not in data and {"value", "least"} <= set(data):
            missed = data["value"] < data["least"]
            return data | {"verdict": FloorVerdict.missed if missed else FloorVerdict.met}
        return data

    @computed_field  # type: ignore[prop-decorator]  # mypy #14461
    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.value >= self.least

    @property
    def shared(self) -> bool:
        """Whether it says nothing against the challenger that the champion would do better.

        The challenger lies below it beyond doubt, the champion's value is below it as well, and the
        challenger is not lower than the champion beyond doubt.
        """
        return self.verdict == FloorVerdict.below and self.lower_than_champion is False


class Decision(Part):
    """What was decided on a challenger, and why.

    Attributes:
        promoted: Whether it is the champion now.
        ground: Why.
        sentence: The same for a person.
        comparison: With the champion; None without one, or when there was nothing to compare.
        floors: What the challenger had to reach.
        golden_rows: How many golden rows its package answered as the pipeline does, in a server;
            None if it was not promoted, or by an earlier release.
        by_evidence: The ground for which it would have been promoted, if its package served, or if
            nobody had to approve that.
        probabilities: How the probabilities compare with the champion's; None without one, or in
            what earlier releases wrote.
        holdouts: Base dates whose holdout rows were pooled, this one first; empty in what earlier
            releases wrote.
        prediction_days: The first and the last prediction day of answers that were served, and that
            another model had scored in the shadow, if their labels were evidence; else None.
        despite: What speaks against it, which a person was told and overruled, each in a few words.
        approval: What it has to do with an approval; None if nothing.
        windows: Whether the newest evidence agrees with the older; where it does not, floors and
            comparison are those of the newest. None if that was not tested.
    """

    promoted: bool
    ground: Ground
    sentence: str
    comparison: Comparison | None = None
    floors: tuple[Floor, ...] = ()
    golden_rows: int | None = None
    by_evidence: Ground | None = None
    probabilities: ProbabilityComparison | None = None
    holdouts: tuple[str, ...] = ()
    prediction_days: tuple[str, str] | None = None
    despite: tuple[str, ...] = ()
    approval: Approval | None = None
    windows: WindowContrast | None = None


class DecisionRecord(Record):
    """One decision: numbered, and never changed.

    Attributes:
        number: Its place among all decisions, from 1.
        time: When it was taken.
        by: Who decided: `gate`, `probation`, or a person.
        reason: What a person gave as reason.
        dagster_run_id: The run that decided.
        model: The model that it is about.
        before: The champion until then.
        decision: What was decided, with the evidence.
        champion: The registered version that is the champion from now on.
        previous: The one that was the champion before.
        preceding_sha256: A hash of the file of the decision before, by which a change of it is
            seen; None in what earlier releases wrote.
    """

    VERSION: ClassVar[int] = 2
    FILE: ClassVar[str] = DECISION_FILE
    REMEDY: ClassVar[str] = (
        "restore it from a backup if it lies in promotions/, or materialize champion_model for"
        " this base date if it lies in models/"
    )

    number: int
    time: AwareDatetime
    by: str
    reason: str | None
    dagster_run_id: str | None
    model: ModelIdentity
    before: ModelIdentity | None
    decision: Decision
    champion: str | None
    previous: str | None
    preceding_sha256: str | None = None

    @property
    def by_person(self) -> bool:
        """Whether a person decided."""
        return self.by not in PLATFORM

    @property
    def is_rollback(self) -> bool:
        """Whether the model before came back, because the champion had to go."""
        found = self.decision
        # Earlier releases gave a person's rollback the ground of any decision by a person.
        by_sentence = found.ground == Ground.person and found.sentence.startswith("Rolled back by ")
        return found.promoted and (found.ground == Ground.rolled_back or by_sentence)
