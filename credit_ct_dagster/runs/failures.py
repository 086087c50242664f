"""How a failure of the platform appears in a Dagster run."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from credit_ct_dagster.errors.base import CreditCtError, UnavailableError, runbook_section

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

    Args:
        error: The cause; its code and the place in the runbook are in the failure's metadata.
        base_dt: The base date that it happened to. [default: the sentence already names it]
    """
    subject = f"Base date {base_dt}: " if base_dt else ""
    made = dg.Failure(
        f"{subject}{error}", metadata=reference_metadata(error.code), allow_retries=False
    )
    made.__cause__ = error
    return made


def reference_metadata(code: str) -> dict[str, dg.MetadataValue]:
    """A code, and where the runbook explains it: a link when RUNBOOK_URL is one."""
    section = runbook_section(code)
    is_link = section.startswith(("http://", "https://"))
    link = dg.MetadataValue.url(section) if is_link else dg.MetadataValue.text(section)
    return {CODE: dg.MetadataValue.text(code), RUNBOOK: link}


def check_code(name: str) -> str:
    """The code of a failed check: its name, as in `CT-CHECK-DRIFT-IS-SMALL`."""
    return f"CT-CHECK-{name.upper().replace('_', '-')}"


@contextmanager
def failing_clearly(context: dg.AssetExecutionContext) -> Iterator[None]:
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
        failed = failure(error, context.partition_key)
        if not isinstance(error, UnavailableError):
            raise failed from error
        attempt, attempts = context.retry_number + 1, OUTAGE_RETRIES.max_retries + 1
        context.log.warning(f"{failed.description} Attempt {attempt} of {attempts}.")
        wait = OUTAGE_RETRIES.calculate_delay(attempt)
        raise dg.RetryRequested(OUTAGE_RETRIES.max_retries, wait) from failed
