"""Runs for alerts to report: assets and checks that succeed and fail."""

import dagster as dg

from credit_ct_dagster.checks.results import result
from credit_ct_dagster.partitions import Calendar

BASE_DT = "2025-02-02"
SENTENCE = f"Base date {BASE_DT}: the window has expired. See CT-ROWS-1: docs/runbook.md#ct-rows-1"
DAYS = Calendar().partitions


@dg.asset(partitions_def=DAYS)
def model_card() -> None:
    """Succeeds."""


@dg.asset(partitions_def=DAYS)
def champion_health() -> None:
    """Succeeds."""


@dg.asset(partitions_def=DAYS, name="model_card")
def failing_model_card() -> None:
    """Fails."""
    raise dg.Failure(SENTENCE, allow_retries=False)


def _failed(
    context: dg.AssetCheckExecutionContext, sentence: str, severity: dg.AssetCheckSeverity
) -> dg.AssetCheckResult:
    return result(context, passed=False, observed=0, limit=1, sentence=sentence, severity=severity)


@dg.asset_check(asset="model_card")
def drift_is_small(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Warns."""
    return _failed(context, "income drifted.", dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset="model_card", blocking=True)
def rows_are_present(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Stops the run."""
    return _failed(context, "no rows.", dg.AssetCheckSeverity.ERROR)


def sentence_of(check: str, sentence: str) -> str:
    code = f"CT-CHECK-{check.upper().replace('_', '-')}"
    reference = f"See {code}: docs/runbook.md#{code.lower()}"
    return f"{check}: Base date {BASE_DT}: {sentence} {reference}"
