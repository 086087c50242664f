"""What was recorded of the prediction days before one."""

import logging
from typing import TypeVar

from credit_ct_dagster.contracts.files import MONITORING_FOLDER
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.days import days_before
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.stores import MissingArtifactError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager

_R = TypeVar("_R", bound=Record)


def records_before(
    artifacts: ArtifactsIOManager, record: type[_R], base_dt: str, days: int, log: logging.Logger
) -> list[_R]:
    """The records of the days before a prediction day, the earliest first.

    A day without one is left out; so is one whose record cannot be read, with a warning: what is
    known of the other days is worth more than a failure.

    Args:
        artifacts: Where they are.
        record: Their kind.
        base_dt: The prediction day; its own record is not among them.
        days: How many days to look back.
        log: Of the run.

    Raises:
        UnavailableError: The artifacts cannot be reached.
    """
    first = days_before(base_dt, days)
    found = []
    for day, folder in artifacts.open_all(MONITORING_FOLDER):
        if not first <= day < base_dt:
            continue
        try:
            found.append(folder.read(record))
        except MissingArtifactError:
            continue
        except UnavailableError:
            raise
        except CreditCtError as error:
            log.warning(f"Prediction day {day} is left out: {error}")
    return found
