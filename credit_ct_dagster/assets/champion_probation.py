"""Whether the champion keeps its place, by the labels of answers that were served."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.shadow_scores import shadow_scores
from credit_ct_dagster.assets.source_tables import credit_score
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.decision import PROBATION, DecisionRecord, Ground
from credit_ct_dagster.contracts.probation import ProbationRecord
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.evidence.evaluated_probation import EvaluatedProbation
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactsIOManager
from credit_ct_dagster.metadata.tables import compared_row, table_of
from credit_ct_dagster.modeling.judging.standing import awaiting, question_of
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules
from credit_ct_dagster.operations.shown_decisions import ShownDecisions
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster.runs.failures import failing_clearly
from credit_ct_dagster.runs.purposes import AWAITING_APPROVAL, PROMOTED_FROM_SHADOW, ROLLED_BACK


class ProbationConfig(ProbationRules, dg.Config):
    """When a champion is confirmed or goes, and when a challenger in the shadow is promoted."""


@refuses_bad_values(ProbationConfig)
@dg.asset(
    deps=[shadow_scores, credit_score],
    group_name="monitoring",
    owners=["team:ml-platform"],
    kinds={"mlflow", "sql"},
    io_manager_key="artifacts",
    metadata={FOLDER: files.MONITORING_FOLDER},
)
def champion_probation(
    context: dg.AssetExecutionContext,
    config: ProbationConfig,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    promotions: dg.ResourceParam[Promotions],
    policy: dg.ResourceParam[ModelPolicy],
    calendar: Calendar,
    dagster_ui: DagsterUI,
) -> dg.Output[dict[str, Any]]:
    """Whether the champion keeps its place, and whether a challenger in the shadow takes it.

    Champion and the model before are compared on the same answers, once their labels are known: it
    is confirmed, or worse beyond doubt (a check fails; with `probation: rollback`, the model before
    serves again), or undecided. Only the newest prediction day decides; an earlier one that is
    materialized again is reported.
    """
    day = context.partition_key
    with failing_clearly(context):
        known = len(promotions.records())
        record = EvaluatedProbation(
            promotions,
            artifacts,
            ServedAnswers(feature_store.database, artifacts.model_name),
            policy,
            config,
            day,
            may_decide=day == calendar.newest(),
            dagster_run_id=context.run.run_id,
            log=context.log,
        ).record()
        decisions = promotions.records()
        change = _change_of_champion(record, decisions) if record.may_decide else {}
        # An attempt before this one may have been killed before it showed what it decided.
        own = {record.decision, *(each.decision for each in record.challengers)}
        shown = ShownDecisions(promotions, dagster_ui, context.log_event, context.log)
        shown.show(
            [*(each for each in decisions[:known] if each.number in own), *decisions[known:]]
        )
    context.log.info(record.sentence)
    return dg.Output({files.PROBATION_FILE: record}, metadata=_metadata(record) | change)


def _change_of_champion(
    record: ProbationRecord, decisions: Sequence[DecisionRecord]
) -> dict[str, str]:
    """Why another model is the champion, or is to be, by a person's approval.

    By this run, or an attempt of it that was interrupted.
    """
    of_champion = [each for each in decisions if each.number == record.decision]
    if of_champion and of_champion[0].decision.ground == Ground.rolled_back:
        return {ROLLED_BACK: record.sentence}
    numbers = {each.decision for each in record.challengers}
    waiting = awaiting(decisions, datetime.now(UTC))
    for each in decisions:
        if each.number not in numbers or each.by != PROBATION:
            continue
        if each == waiting:
            return {AWAITING_APPROVAL: question_of(each)}
        if each.decision.promoted:
            sentence = (
                f"The challenger of base date {each.model.base_dt} is the champion, by decision"
                f" {each.number}: {each.decision.sentence}"
            )
            return {PROMOTED_FROM_SHADOW: sentence}
    return {}


def _metadata(record: ProbationRecord) -> dict[str, Any]:
    comparison = record.comparison
    shown: dict[str, Any] = {
        "probation": record.sentence,
        "policy": record.policy.value,
        "decides": record.may_decide,
        "verdict": record.verdict.value if record.verdict else "none",
        "in_a_row": f"{record.in_a_row} of {record.needed_in_a_row}",
    }
    if comparison:
        shown["labelled"] = comparison.rows
        # Numbers by themselves are plotted over the days in the UI.
        shown["difference"] = round(comparison.difference.value, 4)
        shown["comparison"] = table_of([compared_row(comparison)])
    if record.decision is not None:
        shown["decision_number"] = record.decision
    if record.challengers:
        shown["challengers"] = table_of(
            [
                {
                    "base_dt": each.model.base_dt,
                    "since": each.since,
                    "until": each.until,
                    "labelled": each.comparison.rows if each.comparison else 0,
                    "in_a_row": each.in_a_row,
                    "decision": each.sentence,
                }
                for each in record.challengers
            ]
        )
    return shown
