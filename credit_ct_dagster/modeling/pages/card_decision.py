"""What a model card says of the decisions on its model.

It changes with every decision after the card was made; the evidence below it does not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from credit_ct_dagster.contracts.decision import DecisionRecord, Ground
from credit_ct_dagster.modeling.judging.standing import Standing, State
from credit_ct_dagster.modeling.pages.rendering import rendered

_TEMPLATE = "sections/decision.html.j2"
_PLACE = re.compile(
    # What earlier releases wrote has no marks, and nothing inside of the block.
    r'<!--decision-->.*?<!--/decision-->|<div class="decision.*?</div>',
    re.DOTALL,
)
_TITLES = {
    State.serves: "Promoted",
    State.replaced: "No longer in service",
    State.waits: "Awaiting approval",
    State.expired: "Not promoted",
    State.superseded: "Not promoted",
    State.overtaken: "Not promoted",
    State.stays_out: "Not promoted",
}
_ENDED = {
    State.replaced: "This model was in service, until that of base date {other} took its place.",
    State.superseded: "This model did not go into service: before a person had approved it, a newer"
    " one, of base date {other}, awaited approval in its place.",
    State.overtaken: "This model did not go into service: before a person had approved it, that of"
    " base date {other} did.",
    State.expired: "This model did not go into service: nobody has approved it in time.",
}
_PLAIN = {
    Ground.first: "This model went into service: it is the first one that meets the bank's minimum"
    " standards.",
    Ground.better: "This model went into service: on customers that neither model has seen, it is"
    " clearly better than its predecessor.",
    Ground.aged: "This model went into service: its predecessor had grown old, and on customers"
    " that neither model has seen, this one is not worse.",
    Ground.worse: "This model did not go into service: on customers that neither model has seen, it"
    " is not better than the model in service.",
    Ground.insufficient_evidence: "This model did not go into service: on customers that it has not"
    " seen, there is not enough evidence to be certain that it should.",
    Ground.below_floor: "This model did not go into service: for at least one class or group of"
    " customers, it does not meet the bank's minimum standards.",
    Ground.older: "This model did not go into service: the model in service, or one that awaits"
    " approval, is of a more recent base date.",
    Ground.cooling_down: "This model did not go into service yet: it is better, but the model in"
    " service was replaced only recently.",
    Ground.no_agreement: "This model did not go into service yet: it is better, but the models of"
    " more base dates must confirm that first.",
    Ground.package_does_not_serve: "This model did not go into service: when it was started for a"
    " trial, it did not answer as it had been judged.",
    Ground.registered_again: "This model was registered again, because somebody had deleted its"
    " version; which model is in service did not change.",
    Ground.person: "A person decided that this model is in service; the reason is on record.",
    Ground.confirmed: "This model stays in service: by what became of the customers since, it is"
    " not worse than its predecessor.",
    Ground.rolled_back: "This model went into service again: by what became of the customers since,"
    " it is clearly better than the model that had taken its place.",
    Ground.awaiting_approval: "This model is not in service yet: by the evidence it should be, and"
    " a person has to approve that first.",
    Ground.rejected: "This model did not go into service: a person decided against it; the reason"
    " is on record.",
    Ground.expired: _ENDED[State.expired],
}
_BY_ANSWERS = (
    "This model went into service: it was tried beside the model in service, and by what became of"
    " the customers since, it is clearly better."
)

_KEPT = "This model stays in service: a person decided to keep it; the reason is on record."
_BACK = "In service again"
_BACK_BY_PERSON = (
    "This model went into service again: a person took the model that had taken its place out of"
    " service; the reason is on record."
)


@dataclass(frozen=True)
class CardDecision:
    """The decisions on a model.

    Attributes:
        record: The decision for which the card was made, with its evidence.
        standing: Where the model stands now.
    """

    record: DecisionRecord
    standing: Standing

    @property
    def title(self) -> str:
        """In a word or two."""
        if self.standing.serves and self.standing.decision.is_rollback:
            return _BACK
        return _TITLES[self.standing.state]

    @property
    def plainly(self) -> str:
        """In plain words."""
        if self.standing.state in _ENDED:
            return _ENDED[self.standing.state].format(other=self.standing.newest.model.base_dt)
        record = self.standing.decision
        decision = record.decision
        if decision.ground == Ground.better and decision.prediction_days:
            return _BY_ANSWERS
        if record.is_rollback and record.by_person:
            return _BACK_BY_PERSON
        if self.standing.stays and decision.ground == Ground.person:
            return _KEPT
        return _PLAIN[decision.ground]

    @property
    def later(self) -> Sequence[DecisionRecord]:
        """What was decided since, oldest first."""
        found = [self.standing.decision, self.standing.newest]
        later = {each.number: each for each in found if each.number > self.record.number}
        return [later[number] for number in sorted(later)]

    def html(self) -> str:
        """The block of the card."""
        return rendered(_TEMPLATE, decisions=self)

    def put_on(self, card: str) -> str:
        """A card with this block in the place of its own; unchanged if it has none."""
        return _PLACE.sub(lambda _: self.html().strip(), card, count=1)
