"""What a sensor saw at its last tick, as Dagster keeps it for the next one."""

from typing import TypeVar

import dagster as dg

from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.errors.base import CreditCtError

_R = TypeVar("_R", bound=Record)


def stored_cursor(
    context: dg.SensorEvaluationContext, kind: type[_R], sensor: str, otherwise: str
) -> _R | None:
    """The cursor of a sensor; None if it has none, or one that cannot be read, which is logged.

    Args:
        context: Of the tick.
        kind: Of the cursor.
        sensor: The name of the sensor.
        otherwise: What follows from a cursor that cannot be read, in a sentence.
    """
    if not context.cursor:
        return None
    try:
        return kind.from_json(context.cursor.encode(), f"The cursor of {sensor}")
    except CreditCtError as error:
        context.log.warning(f"{error} {otherwise}", extra={"code": error.code})
        return None
