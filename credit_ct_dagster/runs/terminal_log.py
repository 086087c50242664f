"""A Dagster logger for a person at a terminal: what the steps say, without Dagster's own events."""

import logging

import dagster as dg

from credit_ct_dagster.settings import get_settings


@dg.logger({}, description="What the steps say, one short line each, or JSON (LOG_FORMAT)")
def terminal_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    """Log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter())
    handler.addFilter(_is_said_by_a_step)
    log = logging.Logger("credit_ct.terminal", level=logging.INFO)
    log.addHandler(handler)
    return log


def _formatter() -> logging.Formatter:
    if get_settings().log_format == "text":
        return _StepFormatter(datefmt="%H:%M:%S")
    # structlog takes half a second to import, which text does not need.
    from credit_ct_dagster.logs import json_formatter

    return json_formatter()


def _is_said_by_a_step(record: logging.LogRecord) -> bool:
    """Dagster's own records are events, or tell of steps that it skips after a failure."""
    meta = _meta(record)
    skipped = str(meta.get("orig_message", "")).startswith("Dependencies for step")
    return meta.get("dagster_event") is None and not skipped


class _StepFormatter(logging.Formatter):
    """Time, step and message: Dagster keeps them beside the text it composes."""

    def format(self, record: logging.LogRecord) -> str:
        meta = _meta(record)
        step = f"{meta['step_key']}: " if meta.get("step_key") else ""
        message = meta.get("orig_message", record.getMessage())
        return f"{self.formatTime(record, self.datefmt)}  {step}{message}"


def _meta(record: logging.LogRecord) -> dict:
    return getattr(record, "dagster_meta", {})
