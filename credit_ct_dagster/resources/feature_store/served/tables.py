"""The tables that answers are read from as they are, and the statements of `served.sql` on them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from credit_ct_dagster.days import days_before
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import end_of
from credit_ct_dagster.resources.feature_store import arrow, reading
from credit_ct_dagster.resources.feature_store.arrival_lines import (
    ARRIVALS,
    arrivals_table,
    lines_of_row,
)
from credit_ct_dagster.resources.feature_store.arrivals import Arrivals
from credit_ct_dagster.resources.feature_store.columns import has_table, require_written
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.named import statements
from credit_ct_dagster.resources.feature_store.requirements import usable_features, usable_labels
from credit_ct_dagster.resources.feature_store.scores import scores_table
from credit_ct_dagster.resources.feature_store.served.dialects import (
    as_bytes,
    as_text,
    as_utf8,
    day_in_seoul,
    literal,
    microseconds,
    rounded,
    value_of,
)
from credit_ct_dagster.resources.feature_store.served.keys import is_row_of
from credit_ct_dagster.resources.feature_store.shapes import shape_of
from credit_ct_dagster.resources.feature_store.tables import Tables
from credit_ct_dagster.serving.log.table import predictions_table

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pyarrow as pa


@dataclass(frozen=True)
class ServedTables:
    """The tables as they are now.

    Attributes:
        database: Holds them.
        model_name: Whose answers are read.
        has_log: Whether there is a log of predictions.
        has_scores: Whether there are scores of customers.
        has_ledger: Whether arrivals are recorded.
        labels: The table of labels, if there is one.
        label_is_known: An SQL condition: whether a label was known at `:known_at`.
        features: The table of features, if there is one.
        singles: The numbers that training rows hold in single precision.
        key_collation: Of the keys of scores.
    """

    database: Database
    model_name: str
    has_log: bool
    has_scores: bool
    has_ledger: bool
    labels: Sources | None
    label_is_known: str
    features: Sources | None
    singles: tuple[str, ...]
    key_collation: str | None

    @classmethod
    def of(cls, database: Database, model_name: str) -> Self:
        """Look at the tables.

        Raises:
            MissingColumnError: One of them lacks a column.
            UnsuitableTableError: A column has a type that cannot hold what is expected.
            FeatureStoreUnavailableError: The database does not answer.
        """
        sources, place = Tables.of_schema(), database.location
        log, scores, ledger = predictions_table(), scores_table(), arrivals_table()
        with database.transaction() as connection:
            present = {
                table.name
                for table in (log, scores, ledger, *sources.sources)
                if has_table(connection, table)
            }
            for table in (log, scores, ledger):
                if table.name in present:
                    require_written(connection, table, place)
            labels, features, keys = None, None, None
            if sources.labels.name in present:
                labels = usable_labels(connection, place)
            if sources.features.name in present:
                features = usable_features(connection, place)
            if scores.name in present:
                keys = shape_of(connection, scores).columns[schema.ID].collation
            return cls(
                database,
                model_name,
                has_log=log.name in present,
                has_scores=scores.name in present,
                has_ledger=ledger.name in present,
                labels=labels,
                label_is_known=(
                    Arrivals(database).known_by(connection, labels) if labels else "1 = 1"
                ),
                features=features,
                singles=tuple(reading.singles(connection)),
                key_collation=keys,
            )

    def of_day(self, day: str) -> dict[str, object]:
        """The values of bind parameters that name a prediction day."""
        return self.of_days(day, day)

    def of_days(self, first_day: str, last_day: str) -> dict[str, object]:
        """The values of bind parameters that name prediction days, both included."""
        return {
            "begins": in_utc(end_of(days_before(first_day, 1))),
            "ends": in_utc(end_of(last_day)),
            "first_day": first_day,
            "last_day": last_day,
        }

    def read(
        self,
        name: str,
        types: Mapping[str, str],
        values: Mapping[str, object],
        **expressions: str,
    ) -> "pa.Table":
        """The result of a statement; see `arrow.read` and `statement`."""
        return arrow.read(self.database, self.statement(name, values, **expressions), types)

    def statement(
        self, name: str, values: Mapping[str, object], **expressions: str
    ) -> sa.TextClause:
        """A statement with its values.

        Args:
            name: Of the statement.
            values: By the names of their bind parameters, others are left out; a list for `IN`.
            expressions: What stands for further placeholders of the statement.
        """
        sql = statements("served.sql")[name].format(**self._expressions | expressions)
        known = {
            "model_name": self.model_name,
            "prefix": f"{self.model_name}:",
            "prefix_length": len(self.model_name) + 1,
            **values,
        }
        used = set(re.findall(r":(\w+)", sql))
        return sa.text(sql).bindparams(
            *(
                sa.bindparam(name, value, expanding=isinstance(value, list))
                for name, value in known.items()
                if name in used
            )
        )

    def sample(self, name: str) -> dict[str, str]:
        """What restricts a statement to customers whose hash is below `:cut`.

        Args:
            name: Which alias names the customer: `request`, `score` or `label`.
        """
        return {f"{name}_in_sample": f"{self._expressions[f'{name}_hash']} < :cut"}

    def is_among(self, column: str, texts: Sequence[str]) -> str:
        """Whether a text of one of our own tables is one of some; an index on it serves it."""
        listed = (literal(each, self.database.file is not None) for each in texts)
        return f"{column} IN ({', '.join(listed)})"

    @property
    def dialect(self) -> Dialect:
        """Of the database."""
        return self.database.engine.dialect

    @cached_property
    def _expressions(self) -> dict[str, str]:
        """What stands for the placeholders of `served.sql`, whatever is asked."""
        sqlite = self.database.file is not None
        request = f"COALESCE(prediction.{schema.CUSTOMER}, prediction.request_id)"
        ours = "SUBSTR(prediction.model_tag, 1, :prefix_length)"
        is_ours = f"{as_bytes(ours, sqlite)} = {as_bytes(':prefix', sqlite)}"
        return {
            "key": self.dialect.identifier_preparer.quote_identifier("key"),
            "is_ours": is_ours,
            "is_request_of_day": f"prediction.time >= :begins AND prediction.time < :ends"
            f" AND {is_ours}",
            "is_score_of_day": "score.model_name = :model_name AND score.base_dt = :first_day",
            "may_be_of_nobody": "1 = 1",
            "label_is_known": "1 = 1",
            "probabilities": as_text("prediction.probabilities", sqlite),
            "logged_features": as_text("prediction.features", sqlite),
            "score_probabilities": ",\n    ".join(
                f"score.{name} AS {name}" for name in schema.PROBABILITIES.values()
            ),
            "logged_groups": self._groups(
                {
                    name: value_of("prediction.features", name, self.dialect)
                    for name in schema.GROUPED
                }
            ),
            "answered_at": microseconds("prediction.time", sqlite),
            "first_answered_at": microseconds("MIN(prediction.time)", sqlite),
            "last_answered_at": microseconds("MAX(prediction.time)", sqlite),
            "first_scored_at": microseconds("MIN(score.scored_at)", sqlite),
            "last_scored_at": microseconds("MAX(score.scored_at)", sqlite),
            "prediction_day": day_in_seoul("prediction.time", sqlite),
            "rounded_latency": rounded("prediction.latency_ms"),
            "request_hash": f"CRC32({as_utf8(request, sqlite)})",
            "score_hash": f"CRC32({as_utf8(f'score.{schema.CUSTOMER}', sqlite)})",
            **dict.fromkeys(("request_in_sample", "score_in_sample", "label_in_sample"), "1 = 1"),
            **self._of_labels(),
            **self._of_features(),
        }

    def _groups(self, expressions: Mapping[str, str]) -> str:
        """What slices are cut by, as further columns of a statement."""
        quote = self.dialect.identifier_preparer.quote
        return "".join(f",\n    {value} AS {quote(name)}" for name, value in expressions.items())

    def _of_labels(self) -> dict[str, str]:
        if self.labels is None:
            return {}
        labels, table = self.labels, self.labels.labels
        customer = labels.value("label", table, schema.CUSTOMER)
        return {
            "label_id": labels.value("label", table, schema.ID),
            "label_customer": customer,
            "label_hash": f"CRC32({as_utf8(customer, table.is_sqlite)})",
            "label_day": labels.value("label", table, schema.DATE),
            "label_class": labels.value("label", table, schema.TARGET),
            "label_in_window": labels.in_window("label", table),
        }

    def _of_features(self) -> dict[str, str]:
        if self.features is None:
            # ConnectorX reads no NULL without a type.
            nothing = {
                name: "NULLIF(0e0, 0e0)" if name in schema.NUMERIC else "NULLIF('', '')"
                for name in schema.GROUPED
            }
            return {"groups": self._groups(nothing), "with_features": ""}
        sources, table = self.features, self.features.features
        quote = self.dialect.identifier_preparer.quote
        is_row = is_row_of(sources, "feature", "score", self.key_collation)
        groups = {name: sources.value("feature", table, name) for name in schema.GROUPED}
        if not table.is_sqlite:
            # A double, whatever number the column holds: the text protocol rounds a single one.
            groups |= {name: f"{groups[name]} + 0e0" for name in groups if name in schema.NUMERIC}
        seen_at = microseconds("seen.first_seen", table.is_sqlite)
        return {
            # 0: it was there when the ledger began, or the ledger does not know it.
            "seen_at": f"CASE WHEN seen.since_the_beginning = 0 THEN {seen_at} ELSE 0 END"
            if self.has_ledger
            else "0",
            "with_arrivals": f"LEFT JOIN {ARRIVALS} AS seen"
            f" ON {lines_of_row(sources, 'feature', table)}"
            if self.has_ledger
            else "",
            "feature_columns": ", ".join(
                f"{sources.value('feature', table, name)} AS {quote(name)}"
                for name in [*schema.KEY, *schema.FEATURES]
            ),
            "feature_in_window": sources.in_window("feature", table),
            "is_row_of_score": is_row,
            "with_features": f"LEFT JOIN {quote(table.name)} AS feature ON {is_row}",
            "groups": self._groups(groups),
        }


def in_utc(moment: datetime) -> datetime:
    """A moment as the tables have them: in UTC, without a time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)
