"""Where a model stands, by the decisions on it and on others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from credit_ct_dagster.contracts.decision import DecisionRecord, Ground
from credit_ct_dagster.partitions import day_of


class State(StrEnum):
    """What became of a model until now."""

    serves = "in service"
    replaced = "replaced"
    """It was in service, until another model took its place."""
    waits = "awaiting approval"
    superseded = "superseded"
    """It awaited approval, until a newer challenger did in its place."""
    overtaken = "overtaken"
    """It awaited approval, until another model than the one it was compared with served."""
    expired = "approval expired"
    """Nobody has approved it in time, which the next decision will record."""
    stays_out = "not promoted"


@dataclass(frozen=True)
class Standing:
    """Where a model stands.

    Attributes:
        state: What became of it.
        decision: The newest decision on the model itself.
        ended_by: The decision on another model by which it was replaced, superseded or overtaken.
        asked: Whether it awaits approval, or ever did.
        promotion: The decision by which it went into service; None if none on record did that.
    """

    state: State
    decision: DecisionRecord
    ended_by: DecisionRecord | None = None
    asked: bool = False
    promotion: DecisionRecord | None = None

    @property
    def newest(self) -> DecisionRecord:
        """The decision by which it stands so."""
        return self.ended_by or self.decision

    @property
    def serves(self) -> bool:
        """Whether it is the champion."""
        return self.state == State.serves

    @property
    def stays(self) -> bool:
        """Whether it served already when the newest decision on it was taken."""
        return self.serves and self.promotion not in (None, self.decision)

    @property
    def summary(self) -> str:
        """A few words for a table."""
        decided, newest = self.decision.decision, self.newest
        by = _by(newest)
        match self.state:
            case State.serves if self.stays:
                entry = _into_service(self.promotion or self.decision)
                is_confirmed = decided.ground == Ground.confirmed
                return f"{entry}; {decided.ground.value if is_confirmed else 'kept'}{by}"
            case State.serves:
                return _into_service(self.decision)
            case State.replaced:
                return f"replaced by {newest.model.base_dt}{by}"
            case State.superseded:
                return f"superseded by {newest.model.base_dt}"
            case State.overtaken:
                return f"not promoted: {newest.model.base_dt} became the champion{by}"
            case State.waits:
                return f"awaiting approval until {day_of(expiry_of(self.decision).timestamp())}"
            case State.expired:
                return f"not promoted: {State.expired.value}"
        return f"not promoted: {decided.ground.value}{by}"

    @property
    def sentence(self) -> str:
        """The same in full."""
        newest = self.newest
        other = f"base date {newest.model.base_dt} (decision {newest.number})"
        match self.state:
            case State.replaced:
                return f"The model of {other} took its place. {newest.decision.sentence}"
            case State.superseded:
                return f"The model of {other}, which is newer, awaits approval in its place."
            case State.overtaken:
                return (
                    f"The model of {other} became the champion while this one awaited approval, so"
                    " that it was compared with one that no longer serves."
                )
            case State.expired:
                return (
                    "Not promoted: nobody has approved it until"
                    f" {day_of(expiry_of(self.decision).timestamp())} (decision {newest.number})."
                )
        return newest.decision.sentence


def standing_of(
    records: Sequence[DecisionRecord], mlflow_run_id: str, now: datetime
) -> Standing | None:
    """Where a model stands; None if nothing was decided on it.

    Args:
        records: Every decision, oldest first.
        mlflow_run_id: The run of the model.
        now: With a time zone: an approval may have expired.
    """
    found: Standing | None = None
    champion: str | None = None
    for record in records:
        decided, changes = record.decision, record.champion != champion
        champion = record.champion
        if decided.ground == Ground.registered_again:
            continue
        if record.model.mlflow_run_id == mlflow_run_id:
            state = _state_by(record)
            asked = state == State.waits or (found is not None and found.asked)
            stays = found is not None and found.serves and state == State.serves
            went = found.promotion if found and stays else record if decided.promoted else None
            found = Standing(state, record, asked=asked, promotion=went)
        elif found is None:
            continue
        elif found.serves and decided.promoted:
            found = replace(found, state=State.replaced, ended_by=record)
        elif found.state == State.waits and decided.promoted and changes:
            found = replace(found, state=State.overtaken, ended_by=record)
        elif found.state == State.waits and _superseded_by(record) == found.decision.number:
            found = replace(found, state=State.superseded, ended_by=record)
    if found and found.state == State.waits and now >= expiry_of(found.decision):
        return replace(found, state=State.expired)
    return found


def standing_since(
    record: DecisionRecord, records: Sequence[DecisionRecord], now: datetime
) -> Standing:
    """Where the model of a decision stands; by this decision, if none is on record any more.

    Args:
        record: The decision.
        records: As `standing_of`.
        now: Likewise.
    """
    found = standing_of(records, record.model.mlflow_run_id, now)
    return found or Standing(_state_by(record), record)


def serves_already(record: DecisionRecord) -> str:
    """What a run says that finds its model in service, by an earlier decision."""
    day = day_of(record.time.timestamp())
    ground = "kept by a person" if is_kept(record) else record.decision.ground.value
    return f"The champion already, by decision {record.number} of {day} ({ground})"


def standings(records: Sequence[DecisionRecord], now: datetime) -> Mapping[str, Standing]:
    """Per base date, where the model stands that was decided on last."""
    runs = {
        each.model.base_dt: each.model.mlflow_run_id
        for each in records
        if each.decision.ground != Ground.registered_again
    }
    found = {base_dt: standing_of(records, run, now) for base_dt, run in runs.items()}
    return {base_dt: standing for base_dt, standing in found.items() if standing}


def awaiting(records: Sequence[DecisionRecord], now: datetime) -> DecisionRecord | None:
    """The decision that asks a person for an approval; None if none does.

    One waits at a time: a newer one takes the place of the one before.
    """
    return _newest_request(records, now, State.waits)


def expired_request(records: Sequence[DecisionRecord], now: datetime) -> DecisionRecord | None:
    """The decision whose approval has expired, which is not on record yet; None if none has."""
    return _newest_request(records, now, State.expired)


def expiry_of(request: DecisionRecord) -> datetime:
    """Until when a person may approve what a decision asks for."""
    approval = request.decision.approval
    assert approval is not None
    assert approval.expires is not None
    return approval.expires


def question_of(request: DecisionRecord) -> str:
    """What a person is asked, with the commands that answer."""
    answers = f"--decision {request.number} --by NAME --reason TEXT"
    return (
        f"{request.decision.sentence} To let it serve: credit-ct approve {answers}."
        f" To refuse: credit-ct reject {answers}."
    )


def _newest_request(
    records: Sequence[DecisionRecord], now: datetime, state: State
) -> DecisionRecord | None:
    asked = [each for each in records if each.decision.ground == Ground.awaiting_approval]
    if not asked:
        return None
    found = standing_of(records, asked[-1].model.mlflow_run_id, now)
    return asked[-1] if found and found.state == state and found.decision == asked[-1] else None


def _state_by(record: DecisionRecord) -> State:
    """Where a decision on a model leaves it."""
    if record.decision.promoted or record.decision.ground == Ground.confirmed:
        return State.serves
    is_asked = record.decision.ground == Ground.awaiting_approval
    return State.waits if is_asked else State.stays_out


def is_kept(record: DecisionRecord) -> bool:
    """Whether a person let the model stay that was the champion already."""
    is_champion = record.before and record.before.mlflow_run_id == record.model.mlflow_run_id
    return record.decision.promoted and not record.is_rollback and bool(is_champion)


def _into_service(record: DecisionRecord) -> str:
    """How a model went into service, in a few words."""
    if record.is_rollback:
        return f"in service again by rollback{_by(record)}"
    return f"promoted: {record.decision.ground.value}{_by(record)}"


def _by(record: DecisionRecord) -> str:
    return f" ({record.by})" if record.by_person else ""


def _superseded_by(record: DecisionRecord) -> int | None:
    return record.decision.approval.supersedes if record.decision.approval else None
