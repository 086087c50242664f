"""What every check reports."""

from typing import Any

import dagster as dg

BASE_DATE = "base_dt"
OBSERVED = "observed"
LIMIT = "limit"


def base_date_of(context: dg.AssetCheckExecutionContext) -> str:
    """The base date of the run.

    Raises:
        dagster.Failure: The run has none, as when the UI executes a check by itself.
    """
    if not context.has_partition_key:
        raise dg.Failure(
            "A check looks at one base date: materialize its asset for that base date instead of"
            " executing the check by itself.",
            allow_retries=False,
        )
    return context.partition_key


def result(
    context: dg.AssetCheckExecutionContext,
    *,
    passed: bool,
    observed: Any,
    limit: Any,
    sentence: str,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    **metadata: Any,
) -> dg.AssetCheckResult:
    """The outcome for the base date of the run, with what was seen beside what is allowed."""
    base_dt = base_date_of(context)
    return dg.AssetCheckResult(
        passed=passed,
        severity=severity,
        description=f"Base date {base_dt}: {sentence}",
        metadata={BASE_DATE: base_dt, OBSERVED: observed, LIMIT: limit, **metadata},
    )
