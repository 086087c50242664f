"""Log lines: text, or one JSON object per line, of the shape that Dagster's servers write.

`dagster dev`, the daemon, the webserver and the code server have `--log-format json` for their own
lines. The messages of runs and sensors take another way, through `coloredlogs`, and have no such
option.
"""

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.errors.base import code_in
from credit_ct_dagster.errors.operation import UnexpectedError

if TYPE_CHECKING:  # half a second to import, which text does not need
    from dagster import DagsterEvent
    from structlog.typing import EventDict

_PACKAGE = "credit_ct_dagster"
_PARTITION_TAG = "dagster/partition"
_EXTRAS = ("base_dt", "run_id", "kind", "code")


def are_json() -> bool:
    """Whether this process logs JSON (LOG_FORMAT)."""
    return os.environ.get("LOG_FORMAT") == "json"


class LineFormatter(logging.Formatter):
    """A formatter for lines of text: their time is in UTC, as in those of JSON, and says so."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


def json_formatter() -> logging.Formatter:
    """A formatter for any handler: event, level, logger and timestamp.

    A line of a run also has `base_dt`, `run_id`, `job` and `step`. A line of Dagster itself has
    `dagster_event` and, about a failure, `error`. A failure and a failed check have a `code`.
    """
    import structlog

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
    """From now on this process logs JSON: runs, sensors, warnings and the platform's own modules.

    Dagster makes its console loggers with `coloredlogs.install`, and gives no way to choose others
    for every run: a logger of the definitions is used only by runs whose configuration names it.
    So the function is replaced. Once Dagster has an option, this has to go.
    """
    import coloredlogs

    if coloredlogs.install is _install:  # a code location may be loaded more than once
        return
    coloredlogs.install = _install
    platform = logging.getLogger(_PACKAGE)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter())
    # In a step, Dagster captures the platform's loggers (python_logs in dagster.yaml) by a second
    # handler, which knows the run: that one writes the line then.
    handler.addFilter(
        lambda record: platform.handlers == [handler] or not record.name.startswith(_PACKAGE)
    )
    platform.addHandler(handler)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(handler)


def _install(
    level: int | str | None = None, *, logger: logging.Logger | None = None, **_colors: Any
) -> None:
    import coloredlogs

    handler = coloredlogs.StandardErrorHandler()
    handler.setFormatter(json_formatter())
    target = logger or logging.getLogger()
    target.addHandler(handler)
    if level is not None:
        target.setLevel(level)


def _add_run(_logger: Any, _method: str, line: "EventDict") -> "EventDict":
    """Take from Dagster's record what its text only holds in one long string."""
    meta = getattr(line["_record"], "dagster_meta", {})
    event = meta.get("dagster_event")
    data = event.event_specific_data if event else None
    error = getattr(data, "error", None)
    known = {
        "event": meta.get("orig_message"),
        "base_dt": (meta.get("job_tags") or {}).get(_PARTITION_TAG),
        "run_id": meta.get("run_id"),
        "job": meta.get("job_name"),
        "step": meta.get("step_key"),
        "sensor": meta.get("name"),
        "dagster_event": event.event_type_value if event else None,
        "error": error.to_string() if error else None,
        "code": _code(event) if event else None,
    }
    line.update((name, value) for name, value in known.items() if value is not None)
    return line


def _code(event: "DagsterEvent") -> str | None:
    """The code of a failed step, of a failed run or of a failed check."""
    data = event.event_specific_data
    error = getattr(data, "error", None)
    if event.is_failure:
        return code_in(error.to_string() if error else event.message or "") or UnexpectedError.code
    metadata = getattr(data, "metadata", None) or {}
    return str(metadata["code"].value) if "code" in metadata else None
