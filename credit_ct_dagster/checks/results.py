"""What every check reports."""

from collections.abc import Callable, Iterator
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any

import dagster as dg

from credit_ct_dagster.errors.base import with_reference
from credit_ct_dagster.runs.failures import blocked, check_code, reference_metadata
from credit_ct_dagster.runs.history import BASE_DATE

OBSERVED = "observed"
LIMIT = "limit"
NOT_COMPARED = "not compared"
"""Observed where a check passes because there was nothing to compare; its sentence says why."""

_NOT_EVALUATED = (
    "Not evaluated: this run has no base date. Materialize the asset for a base date: its checks"
    " are evaluated then."
)


def needs_base_date(check: Callable[..., Any]) -> Any:  # Dagster expects other types of it
    """Report what a check found of a base date, in the log of its run as on its page.

    In a run without a base date, as the UI's "Execute all" starts it, the check reports nothing and
    succeeds. One that blocks and failed also fails its step with its sentence: Dagster itself only
    names the check, above a stack trace.

    Args:
        check: Returns its result; one of several checks yields them, and can be subset.
    """
    several = isgeneratorfunction(check)

    @wraps(check)
    def evaluated(
        context: dg.AssetCheckExecutionContext, *given: Any, **named: Any
    ) -> Iterator[Any]:
        if context.has_partition_key:
            found = check(context, *given, **named)
            for each in found if several else [found]:
                yield each
                _fail_if_blocked(context, each)
        else:
            context.log.warning(_NOT_EVALUATED)
            if not several:  # Dagster expects something of it
                yield dg.Output(None)

    return evaluated


def _fail_if_blocked(context: dg.AssetCheckExecutionContext, found: dg.AssetCheckResult) -> None:
    [spec, *others] = context.check_specs
    if others or found.passed or not spec.blocking:
        return
    if found.severity == dg.AssetCheckSeverity.ERROR:
        raise blocked(spec.name, found.description or "")


def base_date_of(context: dg.AssetCheckExecutionContext) -> str:
    """The base date of the run, which has one (`needs_base_date`)."""
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
        metadata={
            BASE_DATE: base_dt,
            OBSERVED: _for_people(observed),
            LIMIT: _for_people(limit),
            **metadata,
        },
    )


def _for_people(value: Any) -> Any:
    """A share may be small: four digits that count, and no sixteen."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
