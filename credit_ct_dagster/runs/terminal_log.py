"""A Dagster logger for a person at a terminal: messages of steps, without Dagster's own events."""

import logging
import textwrap
from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg

from credit_ct_dagster import logs
from credit_ct_dagster.partitions import TIMEZONE

_WIDTH = 80
_INDENT = " " * len("HH:MM:SS KST  ")


@dg.logger({}, description="Messages of steps, within 80 columns, or JSON (LOG_FORMAT)")
def terminal_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    """Log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logs.json_formatter() if logs.are_json() else _StepFormatter())
    handler.addFilter(_is_of_a_step)
    log = logging.Logger("credit_ct.terminal", level=logging.INFO)
    log.addHandler(handler)
    return log


def _is_of_a_step(record: logging.LogRecord) -> bool:
    """Dagster's own records are events, or name the steps that it skips after a failure."""
    meta = _meta(record)
    skipped = str(meta.get("orig_message", "")).startswith("Dependencies for step")
    return meta.get("dagster_event") is None and not skipped


class _StepFormatter(logging.Formatter):
    """Time in Seoul, step and message, which Dagster adds to the record."""

    def format(self, record: logging.LogRecord) -> str:
        meta = _meta(record)
        step = f"{meta['step_key']}: " if meta.get("step_key") else ""
        message = meta.get("orig_message", record.getMessage())
        moment = datetime.fromtimestamp(record.created, ZoneInfo(TIMEZONE))
        lines = f"{moment:%H:%M:%S %Z}  {step}{message}".splitlines()
        return "\n".join(map(_wrapped, lines))


def _wrapped(line: str) -> str:
    """What has no blank, as an address, stays whole."""
    return textwrap.fill(
        line, _WIDTH, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False
    )


def _meta(record: logging.LogRecord) -> dict:
    return getattr(record, "dagster_meta", {})
