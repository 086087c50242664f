"""Which champion is on probation, and which challengers are in the shadow.

All of it follows from the records of decisions. A person's decision ends a probation: whoever is
promoted is the next on probation, and a model that served before and comes back is on none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from credit_ct_dagster.contracts.decision import GATE, DecisionRecord, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import ProbationPolicy
from credit_ct_dagster.days import days_after
from credit_ct_dagster.modeling.judging.gate_rules import PastVerdict
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.partitions import day_of

_UNDECIDED = {Ground.insufficient_evidence, Ground.no_agreement}


@dataclass(frozen=True)
class Tenure:
    """A model that became the champion.

    Attributes:
        promotion: The decision.
        is_return: Whether it is the model that served before, which came back.
    """

    promotion: DecisionRecord
    is_return: bool

    @property
    def since(self) -> str:
        """The day in Seoul on which it became the champion."""
        return decided_on(self.promotion)


@dataclass(frozen=True)
class OnProbation:
    """A champion that has taken the place of another model.

    Attributes:
        promotion: The decision that promoted it.
        previous: The model before.
        until: The last prediction day.
        ended: The decision that ended it before; None while it is open.
    """

    promotion: DecisionRecord
    previous: ModelIdentity
    until: str
    ended: DecisionRecord | None

    @property
    def champion(self) -> ModelIdentity:
        """The model on probation."""
        return self.promotion.model

    @property
    def since(self) -> str:
        """The first prediction day: that of the promotion."""
        return decided_on(self.promotion)


@dataclass(frozen=True)
class InShadow:
    """A challenger that scores in the shadow.

    Attributes:
        record: The gate's first decision that the evidence against this champion was not enough.
        since: Its first prediction day, that of the decision: an older base date is scored as long.
        until: Its last one.
        open_until: The day until which labels of its answers are waited for.
        ended: The decision that ended it before; None while it is open.
    """

    record: DecisionRecord
    since: str
    until: str
    open_until: str
    ended: DecisionRecord | None = None

    @property
    def model(self) -> ModelIdentity:
        """The challenger."""
        return self.record.model


def decided_on(record: DecisionRecord) -> str:
    """The day in Seoul on which a decision was taken."""
    return day_of(record.time.timestamp())


def tenure_on(records: Sequence[DecisionRecord], day: str) -> Tenure | None:
    """The model that was the champion at the end of a day; None before the first promotion.

    Args:
        records: Every decision, oldest first.
        day: In Seoul.
    """
    return next((each for each in _tenures(records) if each.since <= day), None)


def came_back_on(records: Sequence[DecisionRecord]) -> str | None:
    """The day on which the champion came back by a rollback, by whomever; None if it did not."""
    newest = next(_tenures(records), None)
    return newest.since if newest and newest.is_return else None


def probation_on(
    records: Sequence[DecisionRecord], day: str, rules: ShadowRules
) -> tuple[OnProbation | None, str]:
    """The champion on probation on a prediction day.

    Args:
        records: Every decision, oldest first.
        day: The prediction day.
        rules: How long a probation is.

    Returns:
        It, and why there is none, if there is none.
    """
    tenure = tenure_on(records, day)
    if tenure is None:
        return None, f"No model had been promoted by {day}, so none was on probation."
    promotion, named = tenure.promotion, _named(tenure.promotion.model)
    if tenure.is_return:
        return None, (
            f"The champion, {named}, came back by decision {promotion.number}: it has served"
            " before, so it is not on probation."
        )
    previous = promotion.before
    if previous is None or previous.mlflow_run_id == promotion.model.mlflow_run_id:
        return None, (
            f"The champion, {named}, took no other model's place (decision {promotion.number}), so"
            " it is not on probation."
        )
    found = OnProbation(
        promotion=promotion,
        previous=previous,
        until=days_after(decided_on(promotion), rules.probation_days - 1),
        ended=_ended(records, promotion),
    )
    if found.ended and decided_on(found.ended) <= day:
        return None, (
            f"The probation of {named} ended with decision {found.ended.number}:"
            f" {found.ended.decision.sentence}"
        )
    if day > found.until:
        return None, (
            f"The probation of {named} ended on {found.until}, undecided: after"
            f" {rules.probation_days} days, labels had not shown that it is worse than the model of"
            f" {previous.base_dt} before it, nor that it is not."
        )
    return found, ""


def challengers_on(
    records: Sequence[DecisionRecord], day: str, rules: ShadowRules
) -> list[InShadow]:
    """The challengers whose evidence in the shadow is open on a prediction day, the oldest first.

    Those that the gate could not decide on, against the champion of that day. Who is in the shadow
    stays until its days are over; a later one takes a place that is free on its first day, or none.
    Where probation is off, nobody is in the shadow.

    Args:
        records: Every decision, oldest first.
        day: The prediction day.
        rules: How many places there are, and for how long.
    """
    tenure = tenure_on(records, day)
    if tenure is None or rules.probation == ProbationPolicy.off:
        return []
    champion = tenure.promotion.model
    admitted: list[InShadow] = []
    undecided = _undecided(records, rules).values()
    for each in sorted(undecided, key=lambda found: (found.since, found.record.number)):
        before = each.record.before
        if before is None or before.mlflow_run_id != champion.mlflow_run_id or each.since > day:
            continue
        # The model that was rolled back would be judged against the one that took its place.
        if tenure.is_return and each.model.base_dt < tenure.since:
            continue
        scoring = [other for other in admitted if _scores_on(other, each.since)]
        if len(scoring) < rules.most_challengers:
            admitted.append(each)
    return [
        each
        for each in admitted
        if day <= each.open_until and not (each.ended and decided_on(each.ended) <= day)
    ]


def tags_of(records: Sequence[DecisionRecord], model: ModelIdentity) -> set[str]:
    """The tags of all packages that decisions know of a model: it may be packaged again."""
    known = [found for record in records for found in (record.model, record.before) if found]
    tags = {each.bentoml_tag for each in known if each.mlflow_run_id == model.mlflow_run_id}
    return tags | {model.bentoml_tag}


def history_of(
    records: Sequence[DecisionRecord], champion: ModelIdentity | None, without: str | None = None
) -> list[PastVerdict]:
    """What the gate found about earlier challengers, oldest first.

    What labels said later is no verdict of a base date's holdout, and what a person decided none
    of the gate's: it may repeat the evidence that was at hand.

    Args:
        records: Every decision, oldest first.
        champion: The model in service; it may have been registered again since it was compared.
        without: A base date to leave out: that of a challenger whose holdout is evidence already.
    """
    run = champion.mlflow_run_id if champion else None
    return [
        PastVerdict(
            record.model.base_dt,
            champion.registered_version
            if champion and record.before.mlflow_run_id == run
            else record.before.registered_version,
            (record.decision.by_evidence or record.decision.ground) in Ground.of_better(),
        )
        for record in records
        if record.before and record.decision.comparison and record.by == GATE
        if record.model.base_dt != without
    ]


def _tenures(records: Sequence[DecisionRecord]) -> Iterator[Tenure]:
    """Every model that became the champion, the newest first."""
    for place in range(len(records) - 1, -1, -1):
        record = records[place]
        if record.decision.promoted:
            preceding = records[place - 1].previous if place else None
            yield Tenure(record, preceding is not None and preceding == record.champion)


def _ended(records: Sequence[DecisionRecord], promotion: DecisionRecord) -> DecisionRecord | None:
    """The decision that ended a probation: another promotion, or that the champion is confirmed."""
    later = (each for each in records if each.number > promotion.number)
    return next(
        (
            each
            for each in later
            if each.decision.promoted or each.decision.ground == Ground.confirmed
        ),
        None,
    )


def _undecided(records: Sequence[DecisionRecord], rules: ShadowRules) -> Mapping[str, InShadow]:
    """Per base date, the challenger that the gate could not decide on, if that is the newest.

    Once its time in the shadow has begun, or was ended, the gate does not begin it again: not for
    the same model against the same champion.
    """
    found: dict[str, InShadow] = {}
    ended: dict[tuple[str, str | None], DecisionRecord] = {}
    for record in records:
        base_dt, pair = record.model.base_dt, _compared(record)
        earlier = found.get(base_dt)
        if record.decision.ground == Ground.registered_again:
            continue
        if record.by == GATE and record.decision.ground in _UNDECIDED:
            if earlier is None or _compared(earlier.record) != pair:
                since = max(base_dt, decided_on(record))
                until = days_after(since, rules.shadow_days - 1)
                open_until = days_after(since, rules.probation_days - 1)
                found[base_dt] = InShadow(record, since, until, open_until, ended.get(pair))
        elif record.by == GATE:
            found.pop(base_dt, None)
        elif earlier and earlier.ended is None and _compared(earlier.record)[0] == pair[0]:
            ended[_compared(earlier.record)] = record
            found[base_dt] = replace(earlier, ended=record)
    return found


def _compared(record: DecisionRecord) -> tuple[str, str | None]:
    """The MLflow runs of a model and of the champion that it was compared with."""
    return record.model.mlflow_run_id, record.before.mlflow_run_id if record.before else None


def _scores_on(challenger: InShadow, day: str) -> bool:
    ended = challenger.ended and decided_on(challenger.ended) <= day
    return challenger.since <= day <= challenger.until and not ended


def _named(model: ModelIdentity) -> str:
    return f"version {model.registered_version} of base date {model.base_dt}"
