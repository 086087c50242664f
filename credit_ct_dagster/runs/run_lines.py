"""What the runs of a code server write to its terminal: that they begin and end, and warnings."""

import logging
import multiprocessing
import sys

import coloredlogs
import dagster as dg

from credit_ct_dagster.partitions import PARTITION_TAG

_ENDED = {
    dg.DagsterEventType.RUN_START: "started",
    dg.DagsterEventType.RUN_SUCCESS: "succeeded",
    dg.DagsterEventType.RUN_FAILURE: "failed",
    dg.DagsterEventType.RUN_CANCELED: "was canceled",
}
_dagsters_install = coloredlogs.install


def write_few_lines() -> None:
    """From now on runs in this process write few lines, if a code server started it.

    Their logs are in the UI. Dagster writes them to the terminal as well, with every event, and has
    no option for it: an instance's `python_log_level` would take the events from the UI, too. A
    command that executes a run, as `dagster job execute`, writes them all.
    """
    # A process that another one starts has the arguments of the first.
    is_of_server = sys.argv[1:3] == ["api", "grpc"] and multiprocessing.parent_process() is not None
    if not is_of_server or coloredlogs.install is not _dagsters_install:
        return
    coloredlogs.install = _install


def _install(
    level: int | str | None = None, *, logger: logging.Logger | None = None, **colors: object
) -> None:
    _dagsters_install(level, logger=logger, **colors)
    for handler in (logger or logging.getLogger()).handlers:
        handler.addFilter(is_news)


def is_news(record: logging.LogRecord) -> bool:
    """Whether a line of a run is written; shortens one about its beginning or its end."""
    meta = getattr(record, "dagster_meta", None)
    if meta is None or meta["dagster_event"] is None:
        return record.levelno >= logging.WARNING
    ended = _ENDED.get(meta["dagster_event"].event_type)
    if ended is None:
        return False
    base_dt = (meta["job_tags"] or {}).get(PARTITION_TAG)
    of_base_date = f" of {base_dt}" if base_dt else ""
    record.levelno = max(record.levelno, logging.INFO)
    record.levelname = logging.getLevelName(record.levelno)
    record.msg = f"{meta['job_name']}{of_base_date} {ended}: run {meta['run_id']}"
    return True
