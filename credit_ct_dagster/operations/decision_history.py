"""Every decision, as people read it: when, who, what, from which model to which, and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg

from credit_ct_dagster.contracts.decision import (
    RETRAINING,
    Decision,
    DecisionRecord,
    FloorVerdict,
    Ground,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.modeling.judging.standing import is_kept
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.purposes import TRIGGER_TAG

_OUTCOMES = {
    Ground.awaiting_approval,
    Ground.rejected,
    Ground.expired,
    Ground.confirmed,
    Ground.registered_again,
}
_EVIDENCE = (
    "comparison", "floors", "probabilities", "holdouts", "prediction_days", "golden_rows",
)  # fmt: skip


@dataclass(frozen=True)
class NamedModel:
    """A model by the names that people use."""

    base_dt: str
    registered_version: str
    bentoml_tag: str

    @classmethod
    def of(cls, model: ModelIdentity | None) -> "NamedModel | None":
        """The same model; None without one."""
        if model is None:
            return None
        return cls(model.base_dt, model.registered_version, model.bentoml_tag)

    def __str__(self) -> str:
        return f"version {self.registered_version} of {self.base_dt}"


@dataclass(frozen=True)
class PastDecision:
    """A decision of the past.

    Attributes:
        number: Of the decision; None for a training that a trigger started.
        time: When it was taken.
        by: Who decided: `gate`, `probation`, `retraining`, or a person.
        by_person: Whether a person did.
        outcome: What was decided, in a word or two.
        sentence: The same in full, with the evidence.
        reason: What a person gave as reason.
        base_dt: Of the model that it is about.
        model: That model; None for a training.
        before: The champion until then; None without one.
        after: The champion from then on; None without one.
        dagster_run_id: The run that decided, or that was started.
        evidence: What is on record of it; empty without any.
        despite: What a person knew to speak against it.
        approval: What it has to do with an approval; None if nothing.
    """

    number: int | None
    time: datetime
    by: str
    by_person: bool
    outcome: str
    sentence: str
    base_dt: str
    reason: str | None = None
    model: NamedModel | None = None
    before: NamedModel | None = None
    after: NamedModel | None = None
    dagster_run_id: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    despite: Sequence[str] = ()
    approval: Mapping[str, Any] | None = None

    @property
    def champion(self) -> str:
        """From which model to which."""
        if self.number is None:
            return f"trains base date {self.base_dt}"
        if self.before == self.after:
            return f"champion stays: {self.after}" if self.after else "no model is in service"
        return f"{self.before or 'none'} -> {self.after or 'none'}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON; times in UTC, as in the records."""
        shown = asdict(self) | {"time": self.time.isoformat().replace("+00:00", "Z")}
        return {{"before": "from", "after": "to"}.get(key, key): shown[key] for key in shown}


def decision_history(
    records: Sequence[DecisionRecord], trainings: Iterable[dg.RunRecord]
) -> list[PastDecision]:
    """Every decision, the newest first.

    Args:
        records: Those on models, oldest first.
        trainings: Runs that a trigger started.
    """
    found: list[PastDecision] = []
    rest = sorted(map(_on_training, trainings), key=lambda each: each.time, reverse=True)
    # Decisions by their numbers: the clock of a machine may be wrong.
    for decision in reversed(list(_on_models(records))):
        while rest and rest[0].time >= decision.time:
            found.append(rest.pop(0))
        found.append(decision)
    return found + rest


def _on_models(records: Sequence[DecisionRecord]) -> Iterator[PastDecision]:
    versions: dict[str, ModelIdentity] = {}
    for record in records:
        if record.before:
            versions.setdefault(record.before.registered_version, record.before)
        versions[record.model.registered_version] = record.model
        decision = record.decision
        yield PastDecision(
            number=record.number,
            time=record.time,
            by=record.by,
            by_person=record.by_person,
            outcome=_outcome(record),
            sentence=decision.sentence + _superseding(decision) + _evidence_beside(record),
            base_dt=record.model.base_dt,
            reason=record.reason,
            model=NamedModel.of(record.model),
            before=NamedModel.of(
                record.before or _unchanged(record, versions.get(record.champion or ""))
            ),
            after=NamedModel.of(versions.get(record.champion or "")),
            dagster_run_id=record.dagster_run_id,
            evidence={
                name: value
                for name, value in decision.model_dump(mode="json", include={*_EVIDENCE}).items()
                if value
            },
            despite=decision.despite,
            approval=decision.approval.model_dump(mode="json") if decision.approval else None,
        )


def _unchanged(record: DecisionRecord, champion: ModelIdentity | None) -> ModelIdentity | None:
    """The champion of a record that does not name the one before, and changed none."""
    return champion if record.decision.ground == Ground.registered_again else None


def _outcome(record: DecisionRecord) -> str:
    decision = record.decision
    if decision.promoted:
        if record.is_rollback:
            return "rolled back"
        if is_kept(record):
            return "kept"
        is_choice = decision.ground == Ground.person
        return "promoted" if is_choice else f"promoted: {decision.ground.value}"
    if decision.ground in _OUTCOMES:
        return decision.ground.value
    return f"not promoted: {decision.ground.value}"


def _superseding(decision: Decision) -> str:
    before = decision.approval.supersedes if decision.approval else None
    return f" It supersedes decision {before}." if before else ""


def _evidence_beside(record: DecisionRecord) -> str:
    """The evidence in words, where the sentence is a person's and has none."""
    decision = record.decision
    if not record.by_person or decision.approval:
        return ""
    found = [*_compared(decision), *_floors(decision)]
    return f" (Evidence: {'; '.join(found)}.)" if found else ""


def _compared(decision: Decision) -> Iterator[str]:
    if decision.comparison:
        compared = decision.comparison
        yield (
            f"{compared.figures}, better by {compared.difference.signed}, on {compared.rows:,} rows"
        )


def _floors(decision: Decision) -> Iterator[str]:
    if decision.floors:
        below = [each for each in decision.floors if each.verdict == FloorVerdict.below]
        yield f"{len(below)} of {len(decision.floors)} floors missed beyond doubt"


def _on_training(run: dg.RunRecord) -> PastDecision:
    tags = run.dagster_run.tags
    base_dt = tags.get(PARTITION_TAG, "")
    return PastDecision(
        number=None,
        time=run.create_timestamp,
        by=RETRAINING,
        by_person=False,
        outcome="training started",
        sentence=f"A training of base date {base_dt} was started by {tags[TRIGGER_TAG]}.",
        base_dt=base_dt,
        dagster_run_id=run.dagster_run.run_id,
    )
