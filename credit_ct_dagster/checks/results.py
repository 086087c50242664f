"""What every check reports."""

from typing import Any

import dagster as dg

from credit_ct_dagster.errors.base import with_reference
from credit_ct_dagster.errors.inputs import NoBaseDateError
from credit_ct_dagster.runs.failures import check_code, failure, reference_metadata
from credit_ct_dagster.runs.history import BASE_DATE

OBSERVED = "observed"
LIMIT = "limit"


def base_date_of(context: dg.AssetCheckExecutionContext) -> str:
    """The base date of the run.

    Raises:
        dagster.Failure: The run has none, as when the UI executes a check by itself.
    """
    if not context.has_partition_key:
        raise failure(
            NoBaseDateError(
                "A check needs a base date: materialize its asset for that base date instead of"
                " executing the check by itself."
            )
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
    name: str | None = None,
    **metadata: Any,
) -> dg.AssetCheckResult:
    """The result for the base date of the run.

    Args:
        context: Of the check.
        passed: Whether the check passed; otherwise its code is added.
        observed: The value that was checked.
        limit: The value up to which, or from which on, it is accepted.
        sentence: What was found and, when the check failed, what to do.
        severity: What a failure means.
        name: Of the check, where one function has several. [default: the only one]
        metadata: Further values.
    """
    base_dt = base_date_of(context)
    description = f"Base date {base_dt}: {sentence}"
    if not passed:
        code = check_code(name or context.check_specs[0].name)
        description = with_reference(description, code)
        metadata |= reference_metadata(code)
    return dg.AssetCheckResult(
        passed=passed,
        check_name=name,
        severity=severity,
        description=description,
        metadata={BASE_DATE: base_dt, OBSERVED: observed, LIMIT: limit, **metadata},
    )
