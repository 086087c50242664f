"""Failures that a person can act on."""


class CreditCtError(Exception):
    """A failure whose message says what happened, to which base date, and what to do.

    The command line prints the message alone; Dagster shows it as the reason of the failed step
    and does not retry it, because the same input fails the same way.
    """


class UnavailableError(CreditCtError):
    """A server did not answer. A later attempt may succeed, so steps are retried."""


class FeatureStoreError(CreditCtError):
    """The feature store cannot be reached, lacks a table or a right, or refused a statement."""


class FeatureStoreUnavailableError(FeatureStoreError, UnavailableError):
    """The feature store did not answer."""


class EmptyWindowError(CreditCtError, ValueError):
    """A base date has no rows to train on."""


class DataError(CreditCtError, ValueError):
    """Rows that cannot be loaded or trained on as they are."""


class NotToldError(UnavailableError):
    """A mail server or a webhook did not take an alert."""
