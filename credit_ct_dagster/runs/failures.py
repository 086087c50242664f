"""How a failure of the platform appears in a Dagster run."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from credit_ct_dagster.errors.base import (
    CreditCtError,
    UnavailableError,
    runbook_section,
    with_reference,
)
from credit_ct_dagster.errors.inputs import BaseDateError, EmptyWindowError, NoBaseDateError
from credit_ct_dagster.runs.dagster_internals import PlainFailure
from credit_ct_dagster.runs.uncaught import NO_BASE_DATE

CODE = "code"
"""Metadata of a failed step, and of a failed check: the code of the error."""
RUNBOOK = "runbook"
"""Metadata of a failed step, and of a failed check: where the runbook explains the code."""
OUTAGE_RETRIES = dg.RetryPolicy(
    max_retries=4, delay=4, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""After 4, 12, 28 and 60 s, each 4 s more or less: a server that starts again needs a minute."""


def failure(error: CreditCtError, base_dt: str | None = None) -> dg.Failure:
    """What a step, a check or a resource raises so that Dagster fails it and does not retry it.

    The run's page shows the sentence, with the code and the place in the runbook, and no stack
    trace: it is no bug.

    Args:
        error: The cause; its code and the place in the runbook are in the failure's metadata.
        base_dt: The base date that it happened to. [default: the sentence already names it]
    """
    subject = f"Base date {base_dt}: " if base_dt else ""
    text = str(error)
    if base_dt and isinstance(error, BaseDateError | EmptyWindowError):
        cleared = (
            "If the base date was a mistake, the lineage shows it as failed until"
            f" credit-ct prune --failed-runs-of {base_dt} --yes."
        )
        text = with_reference(f"{error.sentence} {cleared}", error.code)
    made = PlainFailure(f"{subject}{text}", reference_metadata(error.code))
    made.__cause__ = error
    return made


def base_date_of_run(context: dg.AssetExecutionContext) -> str:
    """The base date of the run.

    Raises:
        dagster.Failure: The run has none, or a range of them.
    """
    if not context.has_partition_key:
        raise failure(NoBaseDateError(NO_BASE_DATE))
    return context.partition_key


def reference_metadata(code: str) -> dict[str, dg.MetadataValue]:
    """A code, and where the runbook explains it: a link when RUNBOOK_URL is one."""
    section = runbook_section(code)
    is_link = section.startswith(("http://", "https://"))
    link = dg.MetadataValue.url(section) if is_link else dg.MetadataValue.text(section)
    return {CODE: dg.MetadataValue.text(code), RUNBOOK: link}


def check_code(name: str) -> str:
    """The code of a failed check: its name, as in `CT-CHECK-DRIFT-IS-SMALL`."""
    return f"CT-CHECK-{name.upper().replace('_', '-')}"


def blocked(check: str, description: str) -> dg.Failure:
    """What a check that blocks raises when it has reported that it failed.

    Args:
        check: Its name.
        description: Of its result.
    """
    return PlainFailure(f"{check}: {description}", reference_metadata(check_code(check)))


@contextmanager
def failing_clearly(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
) -> Iterator[None]:
    """Name the base date in a failure, and retry only what another attempt can correct.

    The policy is not given to Dagster, which would also retry unexpected errors, and Ctrl-C.

    Raises:
        dagster.Failure: An error that the same input causes again.
        dagster.RetryRequested: A server did not answer; after the last attempt, Dagster fails the
            step with the same failure.
    """
    try:
        yield
    except CreditCtError as error:
        raised = failure_or_retry(error, context.partition_key, context.retry_number, context.log)
        raise raised from raised.__cause__


def failure_or_retry(
    error: CreditCtError, base_dt: str, retry_number: int, log: logging.Logger
) -> dg.Failure | dg.RetryRequested:
    """What a step raises for an error: a request to try again if a later attempt may succeed.

    Args:
        error: The cause.
        base_dt: The base date that it happened to.
        retry_number: How often the step was retried before.
        log: Of the run.
    """
    failed = failure(error, base_dt)
    if not isinstance(error, UnavailableError):
        return failed
    attempt, attempts = retry_number + 1, OUTAGE_RETRIES.max_retries + 1
    log.warning(f"{failed.description} Attempt {attempt} of {attempts}.")
    requested = dg.RetryRequested(
        OUTAGE_RETRIES.max_retries, OUTAGE_RETRIES.calculate_delay(attempt)
    )
    # Dagster fails the step with its cause after the last attempt.
    requested.__cause__ = failed
    return requested
