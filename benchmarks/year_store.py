"""The feature store of the simulated year: SQLite, filled day by day as a bank would."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.year_models import MODEL_NAME, YearModel
from benchmarks.year_world import (
    BEFORE,
    LABEL_DAYS,
    MOST_DELAY,
    Requests,
    World,
    date_of,
    morning_after,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS
from credit_ct_dagster.scorer.scorer import Scored
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster.serving.log.table import LogTable

_LATENCY_MS = 5.0
_ARRIVAL = "arrival"
_OLDEST_DAYS = MOST_DELAY - LABEL_DAYS + 10
"""How long before its arrival a label may be dated, and some days more."""


class _Answers(ServedAnswers):
    """Looks at the shape of the tables once: in this year, nobody alters them."""

    def _tables(self) -> ServedTables:
        return self._known

    @cached_property
    def _known(self) -> ServedTables:
        return super()._tables()


@dataclass
class YearStore:
    """The source tables, the prediction log and the ledger of arrivals.

    Attributes:
        world: Who asks.
        folder: Of the database.
    """

    world: World
    folder: Path
    _waiting: list[pd.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Create the tables."""
        self.store.create_missing_tables()
        self.log.prepare()

    @property
    def url(self) -> str:
        """Of the database."""
        return f"sqlite:///{self.folder / 'feature_store.db'}"

    @cached_property
    def store(self) -> FeatureStore:
        """The platform's feature store."""
        return FeatureStore(url=self.url)

    @cached_property
    def answers(self) -> ServedAnswers:
        """What was answered, as the platform reads it."""
        return _Answers(self.store.database, MODEL_NAME)

    @cached_property
    def log(self) -> LogTable:
        """The prediction log, as the service writes it."""
        return LogTable(self.url, "FEATURE_STORE_URL", 60)

    def close(self) -> None:
        """Close what is open."""
        self.log.close()

    def begin(self) -> None:
        """The days before the first one: customers, and labels as far as they have arrived."""
        before = [self.world.requests(number) for number in range(1 - BEFORE, 1)]
        self._waiting += map(_labels, before)
        self.store.upsert({FEATURES: pd.concat([_features(each) for each in before])})
        for number in range(1 - BEFORE, 1):
            self._insert_labels(number)
        self.store.arrivals.record([LABELS], now=_night(0))

    def serve(self, requests: Requests, model: YearModel, asked: pd.DataFrame) -> Scored:
        """Answer the requests of a day, and log the answers; the customers are in the store.

        Args:
            requests: Of the day.
            model: The champion.
            asked: The features as they are sent.
        """
        scored = model.answers(asked)
        self.store.upsert({FEATURES: _features(requests)})
        self.log.insert(_predictions(requests, model, asked, scored))
        self._waiting.append(_labels(requests))
        return scored

    def receive(self, number: int) -> None:
        """The labels that arrive on a day, and their lines in the ledger."""
        self._insert_labels(number)
        since = date_of(number - _OLDEST_DAYS)
        self.store.arrivals.record([LABELS], since, now=_night(number))

    def training_rows(self, number: int) -> pd.DataFrame:
        """The rows of a base date, as far as labels have arrived."""
        return self.store.source_rows(date_of(number))

    def _insert_labels(self, number: int) -> None:
        waiting = pd.concat(self._waiting)
        arrived = waiting[_ARRIVAL] == number
        if arrived.any():
            self.store.upsert({LABELS: waiting[arrived].drop(columns=_ARRIVAL)})
        self._waiting = [waiting[waiting[_ARRIVAL] > number]]


def _night(number: int) -> datetime:
    """When the ledger sees what arrived on a day: hours before it is looked at."""
    return morning_after(number) - timedelta(hours=4)


def _features(requests: Requests) -> pd.DataFrame:
    """The customers' rows of the feature store; personal data is made up."""
    return requests.rows[[*schema.KEY, *schema.FEATURES]].assign(name="", ssn="")


def _labels(requests: Requests) -> pd.DataFrame:
    """The labels of a day's requests, each with the day on which it arrives."""
    dates = [date_of(int(number)) for number in requests.label_dates]
    labels = requests.rows[["id", schema.CUSTOMER, schema.TARGET]]
    return labels.assign(date=dates, **{_ARRIVAL: requests.arrivals})


def _predictions(
    requests: Requests, model: YearModel, asked: pd.DataFrame, scored: Scored
) -> list[Prediction]:
    likeliest = np.array(schema.CLASSES)[scored.probabilities.argmax(axis=1)]
    return [
        Prediction(
            request_id=f"{model.tag}-{customer}",
            time=time,
            model_tag=model.tag,
            base_dt=model.identity.base_dt,
            credit_score=str(given),
            is_most_probable=bool(given == likely),
            probabilities=dict(zip(schema.CLASSES, shares, strict=True)),
            features=features,
            latency_ms=_LATENCY_MS,
            customer_id=customer,
            registered_version=model.identity.registered_version,
        )
        for customer, time, given, likely, shares, features in zip(
            requests.rows[schema.CUSTOMER],
            requests.times,
            scored.classes,
            likeliest,
            scored.probabilities.tolist(),
            asked[schema.FEATURES].to_dict("records"),
            strict=True,
        )
    ]
