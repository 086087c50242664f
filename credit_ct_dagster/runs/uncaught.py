"""What `dagster` on the command line raises about base dates, as one sentence of the platform.

Dagster judges `--partition`, `--partition-range` and the tags of a run before any code of the
platform runs, and ends with its traceback. The code location is loaded by then, in the same
process, so it can report what Python would print.
"""

import re
import sys
from collections.abc import Callable
from types import TracebackType

from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.inputs import BaseDateError, NoBaseDateError
from credit_ct_dagster.partitions import Calendar

NO_BASE_DATE = (
    "This run has no base date. Give it one: credit-ct run --partition D, or"
    """ dagster job execute … --tags '{"dagster/partition": "D"}'."""
)
_RANGE = (
    "A range of base dates cannot be run at once: each has a run of its own. Launch a backfill from"
    " the lineage in the UI, or run credit-ct run --partition D for each."
)
_KEY = re.compile(
    r"(?:partition with key|partition key|partition) [`'\"]([^`'\"]+)[`'\"]"
    r"|time data '([^']+)' does not match format '%Y-%m-%d"
)
_KINDS = {
    "DagsterUnknownPartitionError",
    "DagsterInvalidSubsetError",
    "DagsterInvalidInvocationError",
    "CheckError",
    "ValueError",
}


def sentence_for(error: BaseException, calendar: Calendar) -> CreditCtError | None:
    """What an error of Dagster means; None for one that is not about a base date."""
    if type(error).__name__ not in _KINDS:
        return None
    text = str(error)
    if "Partition ranges with the CLI" in text:
        return NoBaseDateError(_RANGE)
    if "no '--partition' option" in text:
        return NoBaseDateError(NO_BASE_DATE)
    named = _KEY.search(text)
    if not named:
        return None
    try:
        calendar.parse(named[1] or named[2])
    except BaseDateError as refused:
        return refused
    return None


def report_base_dates_in_one_line(calendar: Calendar) -> None:
    """Print one sentence instead of a traceback when Dagster refuses a base date of this process.

    Args:
        calendar: The base dates that there are.
    """
    before: Callable[..., object] = sys.excepthook

    def report(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        meant = sentence_for(error, calendar)
        if meant is None:
            before(kind, error, traceback)
            return
        sys.stderr.write(f"Error: {meant}\n")

    sys.excepthook = report
