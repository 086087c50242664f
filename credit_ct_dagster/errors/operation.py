"""Alerts, runs and Dagster."""

from credit_ct_dagster.errors.base import CreditCtError, UnavailableError


class AlertNotDeliveredError(UnavailableError):
    """A mail server or a webhook did not accept an alert."""

    code = "CT-ALERT-1"


class AlertRefusedError(AlertNotDeliveredError):
    """A mail server or a webhook refused an alert, and would refuse it again.

    Attributes:
        concerns_alert: Whether its answer is about this alert; otherwise it may be about all, as
            when a password is wrong.
    """

    code = "CT-ALERT-2"

    def __init__(self, sentence: str, concerns_alert: bool) -> None:
        super().__init__(sentence)
        self.concerns_alert = concerns_alert


class RunFailedError(CreditCtError):
    """A run failed; the sentence is its own reason, with the reference that belongs to it."""

    code = "CT-RUN-1"

    def __str__(self) -> str:
        return self.sentence


class ProcessKilledError(CreditCtError):
    """The process that executed a run was killed."""

    code = "CT-RUN-2"


class InstanceBusyError(CreditCtError):
    """Another command is opening Dagster's history."""

    code = "CT-DAGSTER-1"


class DaemonSilentError(CreditCtError):
    """Dagster's daemon gives no sign of life."""

    code = "CT-DAGSTER-2"


class AutomationOffError(CreditCtError):
    """Schedules or sensors are switched off."""

    code = "CT-DAGSTER-3"


class BackfillFailedError(CreditCtError):
    """A backfill failed before it had started all of its runs; only ever an alert."""

    code = "CT-DAGSTER-4"


class HistoryUnavailableError(CreditCtError):
    """Dagster's history cannot be opened, or its database does not answer."""

    code = "CT-DAGSTER-5"


class UnexpectedError(CreditCtError):
    """A failure that the platform does not know."""

    code = "CT-UNEXPECTED-1"


class LibraryChangedError(CreditCtError):
    """A library that was upgraded lacks what the platform uses of it."""

    code = "CT-UNEXPECTED-2"
