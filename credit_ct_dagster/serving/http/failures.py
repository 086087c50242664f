"""What the caller and the log read of a failure: no value of a row.

Messages of libraries may quote one, and so do local variables; the places in the code do not.
"""

import logging
import traceback
from http import HTTPStatus

from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.operation import UnexpectedError
from credit_ct_dagster.serving.http.refusals import RefusedError, unavailable

logger = logging.getLogger(__name__)


def failed(error: Exception, route: str) -> RefusedError:
    """Log a failure that is not the caller's, and give the answer to it.

    Args:
        error: What was raised. A sentence of the platform is logged; that of a library is not.
        route: Which request it happened to.
    """
    if isinstance(error, CreditCtError):
        logger.error("%s was not answered: %s", route, error, extra={"code": error.code})
        message = "The service cannot answer now; its log has the reason under this code."
        if isinstance(error, UnavailableError):
            return unavailable(error.code, message)
        return RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, error.code, message)
    places = "".join(traceback.format_tb(error.__traceback__))
    logger.error(
        "%s was not answered: %s\n%s",
        route,
        type(error).__name__,
        places,
        extra={"code": UnexpectedError.code},
    )
    return RefusedError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        UnexpectedError.code,
        "An unexpected failure; the log of the service has its place in the code.",
    )
