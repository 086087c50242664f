"""What a person needs to know about the model of a base date."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.drift import DriftReport
from credit_ct_dagster.contracts.identity import Lineage
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.evidence.measured_models import figures_of, report_of
from credit_ct_dagster.evidence.same_run import require_decided_on, require_searched
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import raw_splits
from credit_ct_dagster.modeling.judging.standing import standing_since
from credit_ct_dagster.operations.shown_decisions import ShownDecisions
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster.resources.stored_pages import stored_pages
from credit_ct_dagster.runs.failures import failing_clearly


@dg.asset(
    group_name="serving",
    owners=["team:ml-platform"],
    kinds={"html"},
    io_manager_key="artifacts",
    metadata={FOLDER: files.MODEL_FOLDER},
)
def model_card(
    context: dg.AssetExecutionContext,
    champion_model: ArtifactFolder,
    tuned_runs: ArtifactFolder,
    preprocessed_splits: ArtifactFolder,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    promotions: dg.ResourceParam[Promotions],
    tracking: MlflowTracking,
    dagster_ui: DagsterUI,
    base_date_lock: BaseDateLock,
    policy: ModelPolicy,
) -> dg.Output[dict[str, Any]]:
    """A page on the model: what was decided, how good and how fair it is, and where it is from.

    The same as JSON next to it. The page is also logged to the MLflow run of the model.
    """
    # Measured: what assesses a model takes 2 s to import, which only this step needs.
    from credit_ct_dagster.modeling.judging.evaluation import mean_contributions
    from credit_ct_dagster.modeling.judging.stability import predictions_sha256
    from credit_ct_dagster.modeling.pages.model_card import Links, ModelCard

    base_dt = context.partition_key
    with failing_clearly(context):
        base_date_lock.ensure_held()
        record, search = champion_model.read(DecisionRecord), tuned_runs.read(SearchSummary)
        splits = preprocessed_splits.read(SplitsSummary)
        require_searched(search, splits)
        require_decided_on(record.model, search)
        model = promotions.newest_package(record.model)
        package = promotions.load(model)
        raw = raw_splits(artifacts, base_dt, ["val", "holdout"])
        holdout = raw["holdout"]
        report = report_of(package, record, raw, promotions, artifacts, policy.declared)
        lineage = Lineage(
            **model.model_dump(exclude={"registered_model"}),
            registered_model=tracking.model_name,
            predictions_sha256=predictions_sha256(holdout, package.scorer.score_rows(holdout)),
            predicted_rows=len(holdout),
        )
        drift = champion_model.read(DriftReport)
        standing = standing_since(record, promotions.records(), datetime.now(UTC))
        html = ModelCard(
            lineage=lineage,
            links=Links(
                dagster_run=dagster_ui.run_url(lineage.dagster_run_id),
                mlflow_run=tracking.run_url(lineage.mlflow_run_id),
                mlflow_served_by=tracking.served_by,
            ),
            splits=splits,
            search=search,
            report=report,
            package=package.record,
            scorer=package.data,
            importances=mean_contributions(package.scorer, holdout),
            drift=drift.columns,
            drift_not_computed=drift.not_computed,
            record=record,
            standing=standing,
        ).html()
        tracking.log_text(lineage.mlflow_run_id, html, files.MODEL_CARD_FILE)
        if (
            standing.newest.number != record.number
        ):  # whoever decided since may not have been able to show it
            shown = ShownDecisions(promotions, dagster_ui, context.log_event, context.log)
            shown.show_beside_card(record.model, standing)
    return dg.Output(
        {
            files.MODEL_CARD_FILE: html,
            files.LINEAGE_FILE: lineage,
            files.ASSESSMENT_FILE: report,
        },
        metadata={
            "model_card": dg.MetadataValue.url(dagster_ui.card_path(base_dt)),
            "decision": standing.sentence,
            **figures_of(report),
            "card_file": dg.MetadataValue.path(str(tuned_runs.path / files.MODEL_CARD_FILE)),
            "registered_version": lineage.registered_version,
            "bentoml_tag": lineage.bentoml_tag,
            # In full in the file: what cannot be broken makes the column wider than the page.
            "predictions_sha256": lineage.predictions_sha256[:12],
            **stored_pages(artifacts.model_name, {files.MODEL_CARD_FILE: html}),
        },
    )
