"""Promotions that wait for a person: what is asked, and what is answered.

Everything here is done under the lock for decisions. A request is bound to the package and to the
rows that were judged, and to the champion that they were compared with; one waits at a time.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.approval import Approval, ApprovalPolicy
from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.decisions.deciding import Deciding
from credit_ct_dagster.errors.models import ChangedSinceRequestError, NotAwaitingApprovalError
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.judging.standing import (
    awaiting,
    expired_request,
    standing_of,
)
from credit_ct_dagster.partitions import moment_of

if TYPE_CHECKING:
    from credit_ct_dagster.decisions.promotions import Promotions


def with_approval(
    deciding: Deciding, model: ModelIdentity, decision: Decision, rules: GateRules
) -> Decision:
    """What becomes of a decision to promote a model when a person has to approve it.

    The same request is not made twice, a model that a person rejected is not asked for again, and a
    newer challenger takes the place of one that waits.

    Args:
        deciding: Holds the lock.
        model: The model.
        decision: By the evidence, once the package was validated.
        rules: Of the gate.
    """
    if not decision.promoted or rules.approval == ApprovalPolicy.off:
        return decision
    now, champion = datetime.now(UTC).replace(microsecond=0), deciding.champion()

    def not_promoted(ground: Ground, sentence: str, approval: Approval | None = None) -> Decision:
        return decision.model_copy(
            update={
                "promoted": False,
                "ground": ground,
                "by_evidence": decision.ground,
                "sentence": sentence,
                "approval": approval,
            }
        )

    rejection = _rejection_of(deciding, model, champion)
    if rejection:
        return not_promoted(
            Ground.rejected,
            f"Not promoted: {rejection.by} has rejected it (decision {rejection.number}):"
            f" {rejection.reason}",
        )
    waiting = awaiting(deciding.records, now)
    if waiting and _is_same(waiting.model, model) and _is_same(waiting.before, champion):
        return waiting.decision
    if waiting and waiting.model.base_dt > model.base_dt and not rules.replace_newer:
        return not_promoted(
            Ground.older,
            f"Not promoted: the model of {waiting.model.base_dt}, a newer base date, awaits"
            f" approval (decision {waiting.number}).",
        )
    expires = now + timedelta(days=rules.approval_days)
    found = decision.sentence.removeprefix("Promoted: ")
    return not_promoted(
        Ground.awaiting_approval,
        f"Awaiting approval until {moment_of(expires)}: {found}",
        Approval(
            expires=expires,
            supersedes=waiting.number if waiting else None,
            found=decision.sentence,
        ),
    )


def approve(
    promotions: "Promotions", deciding: Deciding, number: int, *, by: str, reason: str
) -> DecisionRecord:
    """Let a model that awaits approval take the champion's place.

    Args:
        promotions: The decisions.
        deciding: Holds the lock.
        number: Of the decision that asked.
        by: Who approves.
        reason: Why.

    Raises:
        NotAwaitingApprovalError: Nothing waits under this number.
        ChangedSinceRequestError: The model, its rows or the champion is another one since.
        MissingPackageError: The package no longer exists.
        ChangedPackageError: The package has other contents.
        PackageDoesNotServeError: It does not answer as the pipeline does.
    """
    request = request_of(deciding, number)
    decision, approval = request.decision, request.decision.approval
    assert approval is not None
    _require_unchanged(promotions, deciding, request)
    # Its version may have been deleted in MLflow since.
    model = deciding.register(request.model.base_dt, request.model.mlflow_run_id)
    approved = decision.model_copy(
        update={
            "promoted": True,
            "ground": decision.by_evidence or Ground.person,
            "by_evidence": None,
            "sentence": f"{approval.found} Approved by {by}: {reason}",
            "golden_rows": promotions.require_serves(model),
            "approval": Approval(request=number),
        }
    )
    return deciding.record(model, approved, by=by, reason=reason)


def reject(deciding: Deciding, number: int, *, by: str, reason: str) -> DecisionRecord:
    """Record that a model which awaits approval is not promoted.

    Args:
        deciding: Holds the lock.
        number: Of the decision that asked.
        by: Who rejects it.
        reason: Why.

    Raises:
        NotAwaitingApprovalError: Nothing waits under this number.
    """
    request = request_of(deciding, number)
    decision = Decision(
        promoted=False,
        ground=Ground.rejected,
        sentence=f"Rejected by {by}: {reason}",
        approval=Approval(request=number),
    )
    return deciding.record(request.model, decision, by=by, reason=reason)


def request_of(deciding: Deciding, number: int) -> DecisionRecord:
    """The decision that asked for an approval, and still does.

    Args:
        deciding: Has the decisions.
        number: Of the decision.

    Raises:
        NotAwaitingApprovalError: It does not.
    """
    now = datetime.now(UTC)
    found = [each for each in deciding.records if each.number == number]
    waiting = awaiting(deciding.records, now)
    instead = (
        f"What awaits approval is decision {waiting.number}, on the model of base date"
        f" {waiting.model.base_dt}."
        if waiting
        else "Nothing awaits approval."
    )
    if not found or found[0].decision.ground != Ground.awaiting_approval:
        raise NotAwaitingApprovalError(f"Decision {number} asks for no approval. {instead}")
    [request] = found
    if waiting and waiting.number == number:
        return request
    standing = standing_of(deciding.records, request.model.mlflow_run_id, now)
    assert standing is not None
    raise NotAwaitingApprovalError(
        f"The model of base date {request.model.base_dt} does not await approval by decision"
        f" {number} any more. {standing.sentence.removesuffix('.')}. {instead}"
    )


def record_expired(deciding: Deciding) -> None:
    """Record that nobody has approved a model in time, if that is not on record yet."""
    request = expired_request(deciding.records, datetime.now(UTC))
    if request:
        sentence = f"Not promoted: nobody has approved it in time (decision {request.number})."
        expired = Decision(
            promoted=False,
            ground=Ground.expired,
            sentence=sentence,
            approval=Approval(request=request.number),
        )
        deciding.record(request.model, expired)


def _require_unchanged(
    promotions: "Promotions", deciding: Deciding, request: DecisionRecord
) -> None:
    """Make sure that what would be promoted is what was judged, and against whom it was."""
    model, champion = request.model, deciding.champion()
    again = (
        f"Nothing was promoted. Materialize champion_model for {model.base_dt} to have the gate"
        " judge it anew."
    )
    if not _is_same(request.before, champion):
        judged, now = (each.bentoml_tag if each else "none" for each in (request.before, champion))
        raise ChangedSinceRequestError(
            f"The model of base date {model.base_dt} was compared with the champion {judged}, and"
            f" the champion is {now} since. {again}"
        )
    promotions.packages.require_unchanged(model, model.package_sha256)
    newest = promotions.packages.newest(model.base_dt, model.mlflow_run_id)
    search = promotions.artifacts.open(MODEL_FOLDER, model.base_dt).read(SearchSummary)
    is_same_package = newest is not None and newest.bentoml_tag == model.bentoml_tag
    is_same_search = (search.mlflow.best_run_id, search.data_fingerprint) == (
        model.mlflow_run_id,
        model.data_fingerprint,
    )
    if not (is_same_package and is_same_search):
        what = "trained" if is_same_package else "packaged"
        raise ChangedSinceRequestError(
            f"The model of base date {model.base_dt} was {what} again since decision"
            f" {request.number} asked to approve package {model.bentoml_tag}. {again}"
        )


def _rejection_of(
    deciding: Deciding, model: ModelIdentity, champion: ModelIdentity | None
) -> DecisionRecord | None:
    """The decision by which a person refused this package in the place of this champion."""
    for record in reversed(deciding.records):
        if record.by_person and record.model.mlflow_run_id == model.mlflow_run_id:
            is_rejection = record.decision.ground == Ground.rejected
            is_same = _is_same(record.model, model) and _is_same(record.before, champion)
            return record if is_rejection and is_same else None
    return None


def _is_same(first: ModelIdentity | None, second: ModelIdentity | None) -> bool:
    """Whether both are the same package of the same model; a version may be registered again."""
    if first is None or second is None:
        return first is second
    return (first.mlflow_run_id, first.bentoml_tag) == (second.mlflow_run_id, second.bentoml_tag)
