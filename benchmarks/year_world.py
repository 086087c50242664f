"""The world of the simulated year: who asks, what becomes of them, and what goes wrong when.

The rows of a sample window are the world, as in `streams`: every day draws its own requests from
it, each of a customer of its own. So nothing changes by itself, and what a model is truly worth is
known exactly: its share of right answers among all rows of the world.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from benchmarks.windows import sample
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import TIMEZONE

BEFORE = 75
"""Days before the first one, of which the first champion's labels are."""
LABEL_DAYS = 31
"""A label is dated within so many days of the answer."""
DELAY, DELAY_DEVIATION = 30.0, 10.0
LEAST_DELAY, MOST_DELAY = 5, 60

_ORIGIN = date(2024, 12, 31)
_WEEKEND = 0.6
_COLLAPSED = 0.1
_MONTHS = 12.0
_STORE_DAYS = 5
"""A customer's newest row in the feature store is up to so many days old."""
_SEOUL = ZoneInfo(TIMEZONE)


def date_of(number: int) -> str:
    """The date of a day of the year, of which the first has the number 1."""
    return (_ORIGIN + timedelta(days=number)).isoformat()


def number_of(day: str) -> int:
    """The number of a date."""
    return (date.fromisoformat(day) - _ORIGIN).days


def morning_after(number: int) -> datetime:
    """When a day is watched: at 09:30 in Seoul, on the day after it."""
    return datetime.combine(_ORIGIN + timedelta(days=number + 1), time(9, 30), _SEOUL)


@dataclass(frozen=True)
class Scenario:
    """What goes wrong on which day.

    Attributes:
        days: How many days there are.
        mild: On this day a person promotes a model that is slightly worse.
        concept: From this day on, customers turn out otherwise.
        unit: From this day on, the feed sends years of credit history instead of months.
        promotion: On this day a person promotes a bad model.
        collapse: From this day on, hardly anybody asks.
        mild_lasts: Days after which the person takes the slightly worse model back, if it still
            serves: a probation is over by then, and the concept has not drifted yet.
        unit_lasts: Days after which the feed is repaired even if nobody noticed anything.
        collapse_lasts: For how many days.
        customers: Rows of the world.
        per_day: Requests on a working day, on average.
    """

    days: int = 365
    mild: int = 40
    concept: int = 150
    unit: int = 220
    promotion: int = 260
    collapse: int = 300
    mild_lasts: int = 62
    unit_lasts: int = 14
    collapse_lasts: int = 7
    customers: int = 20_000
    per_day: int = 300


@dataclass(frozen=True)
class Requests:
    """The requests of a day.

    Attributes:
        number: Of the day.
        places: The row of the world of each, shape (requests,).
        rows: Keys, features as the store has them, and the label that will arrive.
        times: When each was answered, in UTC.
        label_dates: The date of each label, as a number of a day.
        arrivals: The day on which each label arrives.
    """

    number: int
    places: np.ndarray
    rows: pd.DataFrame
    times: list[datetime]
    label_dates: np.ndarray
    arrivals: np.ndarray

    def asked(self, *, months_are_years: bool) -> pd.DataFrame:
        """The features as they are sent."""
        return sent(self.rows[schema.FEATURES], months_are_years=months_are_years)


def sent(features: pd.DataFrame, *, months_are_years: bool) -> pd.DataFrame:
    """Features as the feed sends them."""
    if not months_are_years:
        return features
    return features.assign(credit_history_age=features["credit_history_age"] / _MONTHS)


@dataclass(frozen=True)
class World:
    """All customers there are, a row each.

    Attributes:
        rows: Raw features, shape (customers,).
        truth: The class of each before the concept drifts, and after; shape (2, customers).
        scenario: What goes wrong when.
        seed: Of everything that is drawn.
    """

    rows: pd.DataFrame
    truth: np.ndarray
    scenario: Scenario
    seed: int

    @classmethod
    def of(cls, scenario: Scenario, seed: int) -> Self:
        """Draw the customers.

        From the day of the drift on, whoever has more debt than half of the customers falls by one
        class: Good becomes Standard, and Standard becomes Poor. So a model can learn it, once it
        has labels, and no feature shows it.
        """
        labels, features = sample(scenario.customers, seed)
        rows = labels.merge(features, on=schema.KEY).reset_index(drop=True)
        before = rows[schema.TARGET].map(schema.CLASSES.index).to_numpy()
        indebted = (rows["outstanding_debt"] > rows["outstanding_debt"].median()).to_numpy()
        after = np.where(indebted, np.maximum(before - 1, 0), before)
        classes = np.array(schema.CLASSES, dtype=object)
        return cls(rows[schema.FEATURES], classes[np.stack([before, after])], scenario, seed)

    def requests(self, number: int) -> Requests:
        """The requests of a day; the same whenever they are asked for.

        There are fewer at weekends, and nearly none while the volume has collapsed.
        """
        rng = np.random.default_rng((self.seed, number + BEFORE))
        mean = self.scenario.per_day * (_WEEKEND if self._weekday(number) >= 5 else 1.0)
        collapse = self.scenario.collapse
        if collapse <= number < collapse + self.scenario.collapse_lasts:
            mean *= _COLLAPSED
        count = max(1, int(rng.poisson(mean)))
        places = rng.integers(len(self.rows), size=count)
        delays = rng.normal(DELAY, DELAY_DEVIATION, count).round().clip(LEAST_DELAY, MOST_DELAY)
        seconds = np.sort(rng.integers(24 * 3600, size=count))
        start = datetime.combine(_ORIGIN + timedelta(days=number), time(), _SEOUL)
        ids = [f"{number + BEFORE:03}{place:05}" for place in range(count)]
        keys = {
            "id": ids,
            schema.CUSTOMER: ids,
            "date": [date_of(number - int(age)) for age in rng.integers(_STORE_DAYS, size=count)],
        }
        rows = self.rows.iloc[places].reset_index(drop=True)
        return Requests(
            number=number,
            places=places,
            rows=rows.assign(**keys, **{schema.TARGET: self.truth_on(number)[places]}),
            times=[(start + timedelta(seconds=int(each))).astimezone(UTC) for each in seconds],
            # The last day of the window at the latest; what is later arrives later only.
            label_dates=number + np.minimum(delays.astype(int) - 1, LABEL_DAYS - _STORE_DAYS),
            arrivals=number + delays.astype(int),
        )

    def truth_on(self, number: int) -> np.ndarray:
        """The class of every customer, as of a day."""
        return self.truth[int(number >= self.scenario.concept)]

    def moved(self) -> float:
        """The share of all customers whose class changes with the concept."""
        return float((self.truth[0] != self.truth[1]).mean())

    def worth(self, classes: np.ndarray, number: int) -> float:
        """The true accuracy, on a day, of a model that gives these classes to all customers."""
        return float((classes == self.truth_on(number)).mean())

    @staticmethod
    def _weekday(number: int) -> int:
        return (_ORIGIN + timedelta(days=number)).weekday()
