"""The service that answers with the champion."""

from credit_ct_dagster.errors.base import CreditCtError, UnavailableError


class NoChampionError(CreditCtError):
    """There is no champion to serve."""

    code = "CT-SERVE-1"


class ChampionNotWatchedError(UnavailableError):
    """The service cannot see which model is the champion."""

    code = "CT-SERVE-2"


class UnusableAddressError(CreditCtError):
    """The service, or the UI, cannot listen on its address: it is taken, or not of this machine."""

    code = "CT-SERVE-3"


class UnprotectedServiceError(CreditCtError):
    """The service would listen to other machines without API keys."""

    code = "CT-SERVE-4"


class ServiceNotStartedError(CreditCtError):
    """The workers of the service could not start."""

    code = "CT-SERVE-5"


class ServiceDegradedError(CreditCtError):
    """The service does not serve the champion, or its log of predictions is not in the database."""

    code = "CT-SERVE-6"


class ServiceSilentError(CreditCtError):
    """The service that SERVICE_URL names does not answer."""

    code = "CT-SERVE-7"
