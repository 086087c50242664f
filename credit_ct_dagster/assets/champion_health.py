"""How the champion does on a prediction day, on one page."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactsIOManager
from credit_ct_dagster.metadata.markdown import shown_lines
from credit_ct_dagster.modeling.watching.health import HealthRules
from credit_ct_dagster.operations.service import Service
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.service_address import ServiceAddress
from credit_ct_dagster.runs.failures import failing_clearly
from credit_ct_dagster.ui.packed_records import packed_record


class HealthConfig(HealthRules, dg.Config):
    """When what was served calls for somebody."""


@refuses_bad_values(HealthConfig)
@dg.asset(
    deps=[
        "shadow_scores",
        "served_performance",
        "estimated_performance",
        "serving_skew",
        "champion_probation",
    ],
    group_name="monitoring",
    owners=["team:ml-platform"],
    kinds={"html", "sql"},
    io_manager_key="artifacts",
    metadata={FOLDER: files.MONITORING_FOLDER},
)
def champion_health(
    context: dg.AssetExecutionContext,
    config: HealthConfig,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    promotions: dg.ResourceParam[Promotions],
    calendar: Calendar,
    service_address: ServiceAddress,
    dagster_ui: DagsterUI,
) -> dg.Output[dict[str, Any]]:
    """A page on a prediction day: does the champion serve, how much, how fast and how well.

    Sentences come first, the most urgent on top, each with its code and what to do; plots of the
    last two months below. The same as JSON next to it, which credit-ct watch prints.
    """
    # Measured: pandas, which counts are read by, takes half a second to import.
    from credit_ct_dagster.evidence.measured_health import HealthSources
    from credit_ct_dagster.modeling.pages.health import HealthPage
    from credit_ct_dagster.modeling.watching.health_record import health_record

    base_dt, now = context.partition_key, datetime.now(UTC).replace(microsecond=0)
    with failing_clearly(context):
        sources = HealthSources(
            artifacts=artifacts,
            promotions=promotions,
            answers=ServedAnswers(feature_store.database, artifacts.model_name),
            service=Service(
                service_address.url,
                service_address.key,
                is_expected=service_address.is_expected,
                packages=promotions.packages,
            ),
            calendar=calendar,
            log=context.log,
        )
        record = health_record(
            sources.measured(base_dt, config, now),
            config,
            sources.before(base_dt),
            model_name=artifacts.model_name,
            made_at=now,
            dagster_run_id=context.run.run_id,
        )
        folder = artifacts.open(files.MONITORING_FOLDER, base_dt)
        html = HealthPage(
            record,
            run_url=dagster_ui.run_url(context.run.run_id),
            asset_url=dagster_ui.asset_url(
                context.asset_key, {"view": "partitions", "partition": base_dt}
            ),
            performance_url=(
                files.PERFORMANCE_PAGE_FILE if files.PERFORMANCE_PAGE_FILE in folder else None
            ),
        ).html()
    shown = _metadata(record, str(folder.path / files.HEALTH_PAGE_FILE))
    # The UI's server has Dagster's history, and no artifacts.
    shown = {
        "page_in_browser": dg.MetadataValue.url(dagster_ui.health_path(base_dt)),
        **shown,
        **packed_record(record),
    }
    return dg.Output({files.HEALTH_FILE: record, files.HEALTH_PAGE_FILE: html}, metadata=shown)


def _metadata(record: HealthRecord, page: str) -> dict[str, Any]:
    """A few lines: what is wrong, and where the page is."""
    counted = Counter(each.severity.value for each in record.sentences)
    lines = [
        f"**{each.severity}** {each.topic}: {each.text}"
        + (f" {each.action}" if each.action else "")
        + (f" ({each.code})" if each.code else "")
        for each in record.sentences
    ]
    return {
        "healthy": record.is_healthy,
        "worst": record.worst.value,
        "critical": counted["critical"],
        "warnings": counted["warning"],
        **shown_lines("sentences", lines, "on the page"),
        "answers": record.today.rows(),
        "open_decisions": len(record.open_decisions),
        "page": dg.MetadataValue.path(page),
    }
