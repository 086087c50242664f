"""What one model answered on a day, to requests and in batches, with the labels that came later."""

from datetime import datetime
from typing import TYPE_CHECKING

from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.served import (
    beside,
    features,
    joined,
    maturing,
    volumes,
)
from credit_ct_dagster.resources.feature_store.served.beside import BesideTheStore
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pandas as pd

LABEL_DAYS = 31
"""How many days after its features a label may be dated: the longest label window."""


class ServedAnswers:
    """The answers of one model: `credit_predictions` and `credit_customer_scores`, only read.

    A day is a prediction day: that in Seoul on which a request was answered, or the base date of a
    batch. A table that does not exist yet has no rows.

    The label of an answer: of the same customer, the earliest one that is dated from `d` to
    `d + label_days`, both included. `d` is the day of the features: `feature_date` of a request,
    `date` of a score; where that is unknown, no day, or one that stands for an unknown one such as
    9999-12-31, it is the prediction day. A label that is none of `schema.CLASSES` is none. Of
    several labels with one date, the highest id counts.
    """

    def __init__(self, database: Database, model_name: str) -> None:
        """Read nothing yet.

        Args:
            database: `FeatureStore.database`: holds labels and features, log and scores.
            model_name: Whose answers (MODEL_NAME): the tags of its packages begin with
                `MODEL_NAME:`.
        """
        self._database = database
        self._model_name = model_name

    def of_day(
        self,
        day: str,
        *,
        label_days: int = LABEL_DAYS,
        known_at: datetime | None = None,
        most_rows: int | None = None,
    ) -> "pd.DataFrame":
        """Every answer of a day, with its label if it has one yet.

        Args:
            day: The prediction day, `YYYY-MM-DD`.
            label_days: How many days after the features a label may be dated.
            known_at: With a time zone: hides the labels that the ledger of arrivals first saw
                later; without a ledger it hides none. [default: every label there is]
            most_rows: Of more answers, the sample that `features_of_day` has. [default: all]

        Returns:
            Columns `columns.ANSWERS`, one row per answer, ordered by source and key:
            `source` ("request" or "batch"), `key` (request id, or `id|customer|date`),
            the customer (None where a request names none), `model_tag`, `predicted`,
            `schema.PROBABILITIES` (float64), `label` and `label_date` (None: no label yet),
            `schema.GROUPED` (numbers as float64, NaN where missing; words, None where missing),
            `latency_ms` (NaN in batches), `time` (datetime64[us] in UTC
            without a zone; NaT in batches). The index counts from 0.

        Raises:
            FeatureStoreError: The database does not answer, refuses, or has an unusable table.
        """
        return joined.answers_of_day(self._tables(), day, label_days, known_at, most_rows)

    def of_keys(
        self,
        keys: "pd.DataFrame",
        *,
        label_days: int = LABEL_DAYS,
        known_at: datetime | None = None,
    ) -> "pd.DataFrame":
        """Some answers of several days: found by indexes, where `of_day` reads the log of a day.

        Args:
            keys: Columns `day`, `source` and `key`, among others; one that is not there is left
                out.
            label_days: As in `of_day`.
            known_at: Likewise.

        Returns:
            Column `day`, then those of `of_day`; ordered by day, source and key.

        Raises:
            FeatureStoreError: As `of_day`.
        """
        return joined.answers_of_keys(self._tables(), keys, label_days, known_at)

    def features_of_day(self, day: str, *, most_rows: int) -> "pd.DataFrame":
        """The features that the answers of a day were computed from, ready to be scored again.

        Args:
            day: The prediction day.
            most_rows: Of more answers, a sample: those of the customers with the lowest hashes, so
                that it is the same customers every day.

        Returns:
            Columns `columns.FEATURES`: `source`, `key`, the customer, then `schema.FEATURES`,
            numbers as float64 with NaN, words as objects with None; ordered by source and key.
            Requests: as scored, from the log. Scores: from the table of features by their key;
            one whose row is not there any more is left out.

        Raises:
            FeatureStoreError: As `of_day`.
        """
        return features.features_of_day(self._tables(), day, most_rows)

    def beside_the_store(self, day: str, *, most_rows: int) -> BesideTheStore:
        """The features of a day's requests beside those that the feature store had for them.

        Those of the store are the newest row of the customer that is dated from `d - 31` to `d`,
        of several the one with the highest id; `d` as for labels. A row that the ledger of arrivals
        first saw after the answer is none of them, and one whose values changed since is not known.

        Args:
            day: The prediction day.
            most_rows: Of more requests with a customer, a sample, as in `features_of_day`.

        Raises:
            FeatureStoreError: As `of_day`.
        """
        return beside.beside_the_store(self._tables(), day, most_rows)

    def labels_arrived_since(
        self, moment: datetime, first_day: str, last_day: str, *, label_days: int = LABEL_DAYS
    ) -> list[str]:
        """The prediction days whose answers may have a label that the ledger first saw later.

        Answers and labels are compared by their dates alone, not by customer: of a day with more
        than 1,000 answers of a kind, by the dates of so many.

        Args:
            moment: With a time zone.
            first_day: The first prediction day to look at; each costs a query or two.
            last_day: The last one, included.
            label_days: As in `of_day`.

        Returns:
            Days `YYYY-MM-DD`, the earliest first; empty without a ledger.

        Raises:
            FeatureStoreError: As `of_day`.
        """
        return maturing.days_with_later_labels(
            self._tables(), moment, (first_day, last_day), label_days
        )

    def volumes(self, first_day: str, last_day: str) -> "pd.DataFrame":
        """How many answers were given, of which class and how fast; counted by the database.

        Args:
            first_day: The first prediction day.
            last_day: The last one, included.

        Returns:
            Columns `columns.VOLUMES`, one row per day, source and tag, in this order: `day`,
            `source`, `model_tag`, `answers` and `columns.COUNTS` (int64), `latency_p50_ms`,
            `latency_p95_ms`, `latency_p99_ms` (rounded to 0.1 ms below 100 ms, to 1 ms below 1 s,
            to 10 ms from there on; NaN in batches), `first_time` and `last_time` (datetime64[us] in
            UTC without a zone; of a batch both are when it was scored). Days without answers have
            no row.

        Raises:
            FeatureStoreError: As `of_day`.
        """
        return volumes.volumes_of_days(self._tables(), first_day, last_day)

    def _tables(self) -> ServedTables:
        return ServedTables.of(self._database, self._model_name)
