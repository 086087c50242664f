"""Dagster's daemon, which writes of its sensors only what is new: `dagster-daemon`, otherwise."""

import logging

from credit_ct_dagster.ui.dagster_processes import run_daemon

_SENSORS = "dagster.daemon.SensorDaemon"
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


def main() -> None:
    """Execute the command."""
    logging.getLogger(_SENSORS).addFilter(OnlyNews())
    run_daemon()


if __name__ == "__main__":
    main()
