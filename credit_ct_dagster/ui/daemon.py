"""Dagster's daemon, which writes only what is new: `dagster-daemon`, otherwise."""

import logging

from credit_ct_dagster.ui.dagster_processes import run_daemon

_SENSORS = "dagster.daemon.SensorDaemon"
_WARN_ONLY = [
    f"dagster.daemon.{name}"
    for name in ("BackfillDaemon", "MonitoringDaemon", "QueuedRunCoordinatorDaemon")
]
"""They write every 30 seconds how far runs are, which the UI shows; a run says that it starts."""
_BEGINS = "Checking for new runs for sensor"
_SKIPPED = " skipped: "


class OnlyNews(logging.Filter):
    """Lets a sensor say that it has nothing to do once, until it says something else.

    Dagster writes two lines for every tick, and has no option for it. The ticks are in the UI.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        line = record.getMessage()
        if line.startswith(_BEGINS):
            return False
        sensor, skipped, reason = line.partition(_SKIPPED)
        if not skipped:
            self._said.pop(f"Sensor {line.partition(' for ')[2]}", None)
            return True
        before = self._said.get(sensor)
        self._said[sensor] = reason
        return reason != before


def is_warning(record: logging.LogRecord) -> bool:
    """Whether a line is of a warning or worse."""
    return record.levelno >= logging.WARNING


def main() -> None:
    """Execute the command."""
    logging.getLogger(_SENSORS).addFilter(OnlyNews())
    for name in _WARN_ONLY:
        # Dagster resets levels of loggers when it sets up its own.
        logging.getLogger(name).addFilter(is_warning)
    run_daemon()


if __name__ == "__main__":
    main()
