"""At which hours the schedules start their runs (`schedules` in RUN_CONFIG)."""

from datetime import time
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_AN_HOUR = 60
_LAST_HOUR = 22
"""An hour later it is still the same day."""


def _text(value: object) -> object:
    """Without quotes, YAML makes a number of 12:00: seconds, or minutes."""
    if not isinstance(value, str | time):
        raise ValueError('write "HH:MM", in quotes')
    return value


_Moment = Annotated[time, BeforeValidator(_text)]


class Hours(BaseModel):
    """The time of day of each schedule in Seoul, `HH:MM`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    daily_training_schedule: _Moment = Field(
        default=time(6),
        description="Trains yesterday's base date, unless its data arrived earlier. It should be"
        " trained three hours later: otherwise an alert is sent",
    )
    daily_customer_scores_schedule: _Moment = Field(
        default=time(8), description="Scores the customers of yesterday's base date"
    )
    daily_monitoring_schedule: _Moment = Field(
        default=time(9, 30),
        description="Looks at what was served yesterday, and once more an hour later if customers"
        " were being scored until then, or the run failed. Until 22:59. An alert is sent if nothing"
        " is known an hour and a half later",
    )
    nightly_pruning_schedule: _Moment = Field(
        default=time(3), description="Deletes what is old, where PRUNE_ON_SCHEDULE is true"
    )

    @model_validator(mode="after")
    def _are_of_one_day(self) -> Self:
        for name in type(self).model_fields:
            moment: time = getattr(self, name)
            if moment.second or moment.microsecond or moment.tzinfo:
                raise ValueError(f"{name}: write HH:MM, in Asia/Seoul")
        if self.daily_monitoring_schedule.hour > _LAST_HOUR:
            raise ValueError("daily_monitoring_schedule: write 22:59, or an earlier time")
        return self

    @property
    def due(self) -> dict[str, int]:
        """By when the work of the schedules should be done, as `Calendar` takes it."""
        return {
            "training_due": _minutes(self.daily_training_schedule) + 3 * _AN_HOUR,
            "health_due": _minutes(self.daily_monitoring_schedule) + _AN_HOUR * 3 // 2,
        }


def _minutes(moment: time) -> int:
    """A time of day in minutes after midnight."""
    return moment.hour * _AN_HOUR + moment.minute


def cron(moment: time, *, and_later: bool = False) -> str:
    """Every day at a time of day, as cron writes it.

    Args:
        moment: The time of day.
        and_later: Whether an hour later as well.
    """
    hours = f"{moment.hour},{moment.hour + 1}" if and_later else f"{moment.hour}"
    return f"{moment.minute} {hours} * * *"


def shown(moment: time) -> str:
    """A time of day for a person."""
    return f"{moment:%H:%M} Asia/Seoul"
