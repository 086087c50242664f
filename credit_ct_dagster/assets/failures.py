"""How a failure of the platform appears in a Dagster run."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._utils.error import SerializableErrorInfo

from credit_ct_dagster.errors import CreditCtError, UnavailableError

OUTAGE_RETRIES = dg.RetryPolicy(
    max_retries=4, delay=4, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""After 4, 12, 28 and 60 s, each 4 s more or less: a server that starts again needs a minute."""

_CLASS_OF_OURS = re.compile(r"^(dagster\.\S+\.Failure|credit_ct_dagster\.errors\.\w+): ")


@contextmanager
def failing_clearly(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Name the base date in a failure, and retry only what another attempt can mend.

    An attempt begins with the lock of the base date, which is gone when its server went away.
    The policy is not given to Dagster, which would also retry what nobody foresaw, and Ctrl-C.

    Args:
        context: Of an asset that requires the resource `base_date_lock`.
    """
    try:
        context.resources.base_date_lock.keep()
        yield
    except CreditCtError as error:
        failure = dg.Failure(f"Base date {context.partition_key}: {error}", allow_retries=False)
        failure.__cause__ = error
        if not isinstance(error, UnavailableError):
            raise failure from error
        wait = OUTAGE_RETRIES.calculate_delay(context.retry_number + 1)
        context.log.warning(f"{failure.description} Attempt {context.retry_number + 1} of"
                            f" {OUTAGE_RETRIES.max_retries + 1}.")  # fmt: skip
        raise dg.RetryRequested(OUTAGE_RETRIES.max_retries, wait) from failure


def reason_of(events: Iterable[dg.DagsterEvent]) -> str | None:
    """The step that failed first and its sentence, or what ended the run; None when nothing did."""
    blocked = []
    for event in events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if check.blocking and not check.passed:
                blocked.append(f"{check.check_name}: {check.description}")
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                return f"{event.step_key}: {data.user_failure_data.description}"
            if blocked:
                return " ".join(blocked)
            if data.error:
                return f"{event.step_key}: {_said(data.error)}"
        if event.is_failure and event.event_type == dg.DagsterEventType.RUN_FAILURE:
            # A run whose process was killed has a message alone.
            error = event.event_specific_data and event.job_failure_data.error
            return _said(error) if error else event.message
    return None


def _said(error: SerializableErrorInfo) -> str:
    """What an error says; of a failure of ours, as of a resource or a check, the sentence alone."""
    return _CLASS_OF_OURS.sub("", (error.cause or error).message.strip())
