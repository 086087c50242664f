"""Log lines for machines: one JSON object per line, of the shape that Dagster's servers write.

`dagster dev`, the daemon, the webserver and the code server have `--log-format json` for their own
lines. What a run and a sensor say goes another way, through `coloredlogs`, and has no such option.
"""

import logging
import sys
from typing import Any

import coloredlogs
import structlog
from structlog.typing import EventDict

_PACKAGE = "credit_ct_dagster"
_PARTITION_TAG = "dagster/partition"
_EXTRAS = ("base_dt", "run_id", "kind")


def json_formatter() -> logging.Formatter:
    """A formatter for any handler: event, level, logger, timestamp, and where it was said.

    A line of a run also has `base_dt`, `run_id`, `job`, `step` and, when Dagster itself says it,
    `dagster_event` and `error`.
    """
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(allow=_EXTRAS),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            _add_run,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )


def write_json() -> None:
    """From now on this process logs JSON: runs, sensors, warnings, and the platform besides.

    Dagster makes its console loggers with `coloredlogs.install`, and gives no way to choose others
    for every run: a logger of the definitions is used only by runs whose configuration names it.
    So the function is replaced. Once Dagster has an option, this has to go.
    """
    coloredlogs.install = _install
    platform = logging.getLogger(_PACKAGE)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter())
    # In a step, Dagster captures the platform's loggers (python_logs in dagster.yaml) by a handler
    # beside this one, and knows the run: the line is its own then.
    handler.addFilter(
        lambda record: platform.handlers == [handler] or not record.name.startswith(_PACKAGE)
    )
    platform.addHandler(handler)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(handler)


def _install(
    level: int | str | None = None, *, logger: logging.Logger | None = None, **_colors: Any
) -> None:
    handler = coloredlogs.StandardErrorHandler()
    handler.setFormatter(json_formatter())
    target = logger or logging.getLogger()
    target.addHandler(handler)
    if level is not None:
        target.setLevel(level)


def _add_run(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Take from Dagster's record what its text only holds in one long string."""
    meta = getattr(line["_record"], "dagster_meta", {})
    event = meta.get("dagster_event")
    error = getattr(event.event_specific_data, "error", None) if event else None
    known = {
        "event": meta.get("orig_message"),
        "base_dt": (meta.get("job_tags") or {}).get(_PARTITION_TAG),
        "run_id": meta.get("run_id"),
        "job": meta.get("job_name"),
        "step": meta.get("step_key"),
        "sensor": meta.get("name"),
        "dagster_event": event.event_type_value if event else None,
        "error": error.to_string() if error else None,
    }
    line.update((name, value) for name, value in known.items() if value is not None)
    return line
