"""How good the answers of a prediction day were, by the labels that have come since."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import dagster as dg

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.customer_scores import customer_scores
from credit_ct_dagster.assets.source_tables import credit_score
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.served_performance import (
    EstimatedPerformance,
    ServedPerformance,
    TagPerformance,
)
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.evidence.earlier_days import records_before
from credit_ct_dagster.evidence.learned_labels import answers_of_day
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.metadata.tables import interval, rounded, table_of, version_of
from credit_ct_dagster.modeling.watching.performance_rules import PerformanceRules
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.failures import failing_clearly
from credit_ct_dagster.ui.packed_records import packed_record

_R = TypeVar("_R", ServedPerformance, EstimatedPerformance)


class PerformanceConfig(PerformanceRules, dg.Config):
    """How the answers of a prediction day are measured by their labels."""


@refuses_bad_values(PerformanceConfig)
@dg.asset(
    deps=[credit_score, customer_scores],
    group_name="monitoring",
    owners=["team:ml-platform"],
    kinds={"sql", "html"},
    io_manager_key="artifacts",
    metadata={FOLDER: files.MONITORING_FOLDER},
)
def served_performance(
    context: dg.AssetExecutionContext,
    config: PerformanceConfig,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    promotions: dg.ResourceParam[Promotions],
    dagster_ui: DagsterUI,
    estimated_performance: ArtifactFolder,
) -> dg.Output[dict[str, Any]]:
    """What labels say of a prediction day's answers, per model and group of customers.

    Requests and batch scores count alike. Labels come weeks later, and not for every customer: the
    share with a label, and who has none, stand beside each figure. A label that the model may have
    learned from does not count. Materialized again while labels arrive. A page shows the days up to
    this one, with what was estimated; a table has every figure.
    """
    # Measured: pandas and SciPy take a second to import, which only this step needs.
    from credit_ct_dagster.modeling.pages.served_performance import PerformancePage
    from credit_ct_dagster.modeling.watching.figures_table import table_of_figures
    from credit_ct_dagster.modeling.watching.performance import served_performance as measured

    base_dt, known_at = context.partition_key, datetime.now(UTC).replace(microsecond=0)
    with failing_clearly(context):
        answers, learned_until = answers_of_day(
            feature_store, promotions, artifacts.model_name, base_dt, config.label_days
        )
        record = measured(base_dt, answers, config, known_at, learned_until).model_copy(
            update={"model_name": artifacts.model_name}
        )
        estimate = estimated_performance.read(EstimatedPerformance)
        page = PerformancePage(
            model_name=artifacts.model_name,
            measured=[*_before(ServedPerformance, artifacts, config, context), record],
            estimated=[
                *_before(EstimatedPerformance, artifacts, config, context),
                estimate,
            ],
        )
    shown = _metadata(record)
    path = estimated_performance.path / files.PERFORMANCE_PAGE_FILE
    shown["page"] = dg.MetadataValue.path(str(path))
    # The UI's server has Dagster's history, and no artifacts.
    shown["page_in_browser"] = dg.MetadataValue.url(dagster_ui.performance_path(base_dt))
    shown |= packed_record(record)
    return dg.Output(
        {
            files.SERVED_PERFORMANCE_FILE: record,
            files.PERFORMANCE_PAGE_FILE: page.html(),
            files.PERFORMANCE_TABLE_FILE: table_of_figures(record, estimate),
        },
        metadata=shown,
    )


def _before(
    record: type[_R],
    artifacts: ArtifactsIOManager,
    config: PerformanceConfig,
    context: dg.AssetExecutionContext,
) -> list[_R]:
    return records_before(artifacts, record, context.partition_key, config.days, context.log)


def _metadata(record: ServedPerformance) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "answers": record.answers,
        "labelled": record.labelled,
        "labels_learned_from": record.learned,
        "sentence": " ".join([record.sentence, *(each.sentence for each in record.models)]),
    }
    if record.models:
        shown["models"] = table_of([_row_of(each) for each in record.models])
        # Numbers by themselves are plotted over the days in the UI.
        most = record.models[0]
        shown["coverage"] = round(most.coverage.value, 4)
        if most.metrics:
            shown["accuracy"] = round(most.metrics.accuracy.value, 4)
            shown["macro_f1"] = round(most.metrics.macro_f1.value, 4)
            shown["log_loss"] = round(most.metrics.log_loss.value, 4)
    return shown


def _row_of(model: TagPerformance) -> dict[str, Any]:
    """A row of the table that people see."""
    metrics = model.metrics
    return {
        "version": version_of(model.model_tag),
        "answers": model.answers,
        "labelled": model.labelled,
        "accuracy": rounded(metrics.accuracy.value) if metrics else None,
        "interval": interval(metrics.accuracy) if metrics else None,
        "floors_missed": len(model.below),
    }
