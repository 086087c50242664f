"""What is wrong with what was served, beyond doubt, and whether it starts a training."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Self

from credit_ct_dagster.contracts.record import Part


class TriggerKind(StrEnum):
    """What is wrong."""

    below_floor = "below_floor"
    """The champion's classes are right less often than a floor, on labels that arrived."""
    below_estimate = "below_estimate"
    """They are right less often than its probabilities promise, which only labels can show."""
    skew = "skew"
    """Features are served otherwise than the feature store has them."""
    drift = "drift"
    """The customers who are served are others than those that the champion was trained on."""
    volume = "volume"
    """There are far fewer answers than on the days before."""
    probation = "probation"
    """The champion is worse than the model whose place it took, on the same answers."""

    @property
    def calls_for_training(self) -> bool:
        """Whether a model of newer rows may be the remedy.

        It is none for a faulty feed (skew, volume), and a champion on probation has a predecessor
        to return to.
        """
        return self in (TriggerKind.below_floor, TriggerKind.below_estimate, TriggerKind.drift)


class Retrain(StrEnum):
    """Whether triggers start a training, and with which preset of the search."""

    off = "off"
    bank = "bank"
    quality = "quality"


class Trigger(Part):
    """One thing that is wrong, with its evidence.

    Attributes:
        kind: What it is.
        code: The check that fails for it, in the runbook.
        sentence: What happened, on which days.
        action: What to do.
        champion: The tag of the package that it is about; empty if it is about no package.
        days: The prediction days that are the evidence, oldest first.
        needed: How many such days the rule needs: a later trigger is other evidence only if as many
            of its days are newer than these.
        fingerprint: Of the evidence: the same for the same kind, package and days, also when
            further labels of these days have arrived.
    """

    kind: TriggerKind
    code: str
    sentence: str
    action: str
    champion: str
    days: tuple[str, ...]
    needed: int = 1
    fingerprint: str

    @property
    def since(self) -> str:
        """The first day of the evidence."""
        return self.days[0]

    @property
    def until(self) -> str:
        """The last day of the evidence."""
        return self.days[-1]


class Watch(Part):
    """What the rules found on a prediction day.

    Attributes:
        triggers: What is wrong, the most urgent first; empty when nothing is.
        unknown: Per kind that could not be judged, why.
        retrain: Whether a trigger starts a training, as configured.
        cool_down_days: Days from one such training to the next.
    """

    triggers: tuple[Trigger, ...] = ()
    unknown: Mapping[TriggerKind, str] = {}
    retrain: Retrain = Retrain.off
    cool_down_days: int = 14

    def of(self, kind: TriggerKind) -> Trigger | None:
        """The trigger of a kind; None if nothing is wrong with it."""
        return next((each for each in self.triggers if each.kind == kind), None)


class Retraining(Part):
    """A training that a trigger started.

    Attributes:
        day: The prediction day whose record called for it.
        kind: Of the trigger.
        champion: The tag of the package that the trigger was about.
        until: The last day of its evidence.
        fingerprint: Of its evidence.
    """

    day: str
    kind: TriggerKind
    champion: str
    until: str
    fingerprint: str

    @classmethod
    def of(cls, trigger: Trigger, day: str) -> Self:
        """The training that a trigger starts."""
        return cls(
            day=day,
            kind=trigger.kind,
            champion=trigger.champion,
            until=trigger.until,
            fingerprint=trigger.fingerprint,
        )


def fingerprint_of(kind: TriggerKind, champion: str, days: Sequence[str]) -> str:
    """A hash of evidence: of its kind, its package and its days."""
    text = json.dumps([kind.value, champion, *days], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
