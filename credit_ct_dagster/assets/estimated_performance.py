"""How good the answers of a prediction day are estimated to be, before labels come."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.customer_scores import customer_scores
from credit_ct_dagster.assets.source_tables import credit_score
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.served_performance import EstimatedPerformance, TagEstimate
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.evidence.earlier_days import records_before
from credit_ct_dagster.evidence.learned_labels import answers_of_day
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactsIOManager
from credit_ct_dagster.metadata.tables import interval, rounded, table_of, version_of
from credit_ct_dagster.modeling.watching.performance_rules import EstimationRules
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.failures import failing_clearly
from credit_ct_dagster.ui.packed_records import packed_record


class EstimationConfig(EstimationRules, dg.Config):
    """How the answers of a prediction day are estimated by their probabilities."""


@refuses_bad_values(EstimationConfig)
@dg.asset(
    deps=[credit_score, customer_scores],
    group_name="monitoring",
    owners=["team:ml-platform"],
    kinds={"sql", "json"},
    io_manager_key="artifacts",
    metadata={FOLDER: files.MONITORING_FOLDER},
)
def estimated_performance(
    context: dg.AssetExecutionContext,
    config: EstimationConfig,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    promotions: dg.ResourceParam[Promotions],
) -> dg.Output[dict[str, Any]]:
    """Accuracy and macro-F1 of a prediction day's answers, estimated by their probabilities.

    Known on the day itself, for answers whose labels come weeks later; with a record of how far off
    the estimates of earlier days were. An estimate cannot see concept drift: that the same
    customers turn out otherwise than before. Only labels can: see served_performance.
    """
    # Measured: pandas takes half a second to import, which only this step needs.
    from credit_ct_dagster.modeling.watching.estimation import estimated_performance as estimated

    base_dt, known_at = context.partition_key, datetime.now(UTC).replace(microsecond=0)
    with failing_clearly(context):
        answers, learned_until = answers_of_day(
            feature_store, promotions, artifacts.model_name, base_dt, config.label_days
        )
        earlier = records_before(artifacts, EstimatedPerformance, base_dt, config.days, context.log)
        record = estimated(base_dt, answers, config, known_at, earlier, learned_until).model_copy(
            update={"model_name": artifacts.model_name}
        )
    shown = _metadata(record) | packed_record(record)
    return dg.Output({files.ESTIMATED_PERFORMANCE_FILE: record}, metadata=shown)


def _metadata(record: EstimatedPerformance) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "answers": record.answers,
        "without_label": record.without_label,
        "labels_learned_from": record.learned,
        "sentence": " ".join([record.sentence, *(each.sentence for each in record.models)]),
        "blind_to": record.blind_to,
    }
    if record.models:
        shown["models"] = table_of([_row_of(each) for each in record.models])
        # Numbers by themselves are plotted over the days in the UI.
        most = record.models[0]
        if most.answers:
            shown["estimated_accuracy"] = round(most.answers.accuracy.value, 4)
            shown["estimated_macro_f1"] = round(most.answers.macro_f1.value, 4)
        if most.how_far_off:
            shown["estimated_minus_real_accuracy"] = round(most.how_far_off.accuracy.value, 4)
    return shown


def _row_of(model: TagEstimate) -> dict[str, Any]:
    """A row of the table that people see: of answers without a label, and of earlier days."""
    unknown, record = model.without_label, model.record
    return {
        "version": version_of(model.model_tag),
        "answers": unknown.answers if unknown else None,
        "accuracy": rounded(unknown.accuracy.value) if unknown else None,
        "interval": interval(unknown.accuracy) if unknown else None,
        "usual_error": rounded(record.accuracy.mean_absolute) if record else None,
    }
