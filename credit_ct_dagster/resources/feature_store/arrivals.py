"""The ledger of arrivals: when each state of a label or a feature row was first seen.

Source tables say on which day a row is dated, not when it came. `credit_arrivals` has one line per
state of a row, and no line is ever changed or deleted, so that "what was known when" is a fact.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import inf

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from credit_ct_dagster.errors.stores import MergeBusyError
from credit_ct_dagster.locks import take_server_lock
from credit_ct_dagster.resources.feature_store.arrival_lines import (
    RowRange,
    arrivals_table,
    create_arrivals,
    known_label,
    stored,
)
from credit_ct_dagster.resources.feature_store.arrival_recording import Recording, complete_since
from credit_ct_dagster.resources.feature_store.columns import has_table
from credit_ct_dagster.resources.feature_store.engine import Database, until_not_rolled_back
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.label_delays import (
    LabelDelays,
    delays_of,
    quantiles_of,
)
from credit_ct_dagster.resources.feature_store.named import statements
from credit_ct_dagster.resources.feature_store.row_hashes import define_functions
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS

_LOCK_TIMEOUT_SECONDS = 600


class Arrivals:
    """The ledger of a database.

    Its columns: `table_name` (of the labels or of the features), the key of the row (its date is
    `YYYY-MM-DD`), `fingerprint` (a hash of the class, or of the features without personal data),
    `first_seen` (UTC) and `since_the_beginning`. The first five are the primary key: a row that
    changes gets one more line; one that returns to an earlier state, or is deleted, gets none.

    **When the ledger begins, nobody knows when the rows that are there came.** All of them get a
    line with `since_the_beginning`, whose `first_seen` is no time of arrival. Once they all have
    one, a line without a key (all four columns of it are empty) says so by its `first_seen`:
    whatever is found from then on did arrive.
    """

    def __init__(self, database: Database) -> None:
        """Read nothing yet.

        Args:
            database: `FeatureStore.database`.
        """
        self._database = database

    def record(
        self,
        tables: Collection[str] = (LABELS, FEATURES),
        since: str | None = None,
        *,
        until: str | None = None,
        now: datetime | None = None,
        most_seconds: float | None = None,
        wait_seconds: int = _LOCK_TIMEOUT_SECONDS,
    ) -> dict[str, int]:
        """Give a line to each state of a row that has none; recording twice adds nothing.

        As long as a table's ledger is not complete, all of its rows are recorded, whatever their
        day: in pieces, after each of which a killed process, or the next call, goes on. Rows whose
        date is not written YYYY-MM-DD are left out.

        Args:
            tables: Which source tables; one that does not exist is left out.
            since: Only rows dated from this day on, once the ledger is complete. [default: all]
            until: Only rows dated up to this day.
            now: When they are seen, with a time zone. [default: now]
            most_seconds: After so many seconds, the beginning goes on with the next call.
                [default: until it is complete]
            wait_seconds: How long to wait for another process that records.

        Returns:
            Per table that exists, the number of new lines.

        Raises:
            MissingRightsError: There is no ledger, and the user may not create it.
            MissingColumnError: A table lacks a column.
            UnsuitableTableError: A column has a type that cannot hold what is expected.
            MergeBusyError: Another process has been recording for so long.
            FeatureStoreError: The database does not answer, or refuses.
        """
        rows, seen = RowRange(since, until), now or datetime.now(UTC)
        ends = inf if most_seconds is None else time.monotonic() + most_seconds

        def recorded() -> dict[str, int]:
            with self._exclusive(wait_seconds) as connection:
                with connection.begin():
                    create_arrivals(connection, self._database.location)
                recording = Recording(connection, self._database.location, seen)
                found = {name: recording.of_table(name, rows, ends) for name in tables}
            return {name: count for name, count in found.items() if count is not None}

        return until_not_rolled_back(recorded)

    def complete_since(self, connection: Connection, table: str = LABELS) -> datetime | None:
        """Since when every row of a table is recorded, in UTC; None: not yet, or no ledger."""
        if not has_table(connection, arrivals_table()):
            return None
        return complete_since(connection, table)

    def known_by(self, connection: Connection, sources: Sources, alias: str = "label") -> str:
        """An SQL condition: whether a label, as it is now, was known at a moment.

        To be added to the WHERE of a statement on the labels `AS label`, which then needs the
        bind parameter `:known_at`, a text: `stored(moment)` of `arrival_lines`. An index serves it;
        it needs no function of the connection, so that ConnectorX can read it, too.

        A label that was there when the ledger began counts as known at every moment; so does every
        label as long as the ledger is not complete. Without a ledger, the condition is `1 = 1` and
        has no parameter. A label whose class was corrected is unknown until the correction was
        seen.

        Args:
            connection: To the database.
            sources: The source tables; only that of labels is looked at.
            alias: Of the table of labels in the statement.
        """
        if not has_table(connection, arrivals_table()):
            return "1 = 1"
        return known_label(sources, alias)

    def delays(self, days: int = 62, *, now: datetime | None = None) -> LabelDelays | None:
        """How many days after their date labels arrived lately; None without a complete ledger.

        What was there when the ledger began is not counted, and of a label that was corrected only
        its first arrival.

        Args:
            days: Labels that were first seen in so many days up to `now`.
            now: With a time zone. [default: now]

        Raises:
            FeatureStoreError: The database does not answer, or refuses.
        """
        since = stored((now or datetime.now(UTC)) - timedelta(days=days))
        named = statements("arrivals.sql")
        with self._database.transaction() as connection:
            began = self.complete_since(connection)
            if began is None:
                return None
            found, changed = (
                connection.execute(
                    sa.text(named[name].format(earlier_line=named["earlier_line"])),
                    {"since": since},
                ).all()
                for name in ("label_delays", "changed_rows")
            )
        delays = delays_of((str(day), str(hour), int(labels)) for day, hour, labels in found)
        return LabelDelays(
            days=days,
            labels=sum(delays.values()),
            quantiles=quantiles_of(delays),
            changed={str(table): int(rows) for table, rows in changed},
            complete_since=began,
        )

    @contextmanager
    def _exclusive(self, wait_seconds: int) -> Iterator[Connection]:
        """A connection that records while no other process does.

        On a server it reads what is committed, without locks on source rows: recording neither
        waits for a load nor holds one up.
        """
        with self._database.connection(writes=True) as connection:
            if connection.dialect.name == "sqlite":
                define_functions(connection, busy_seconds=wait_seconds)
            else:
                connection.execution_options(isolation_level="READ COMMITTED")
                lock = f"credit_ct.arrivals.{self._database.url.database}"
                if not take_server_lock(connection, lock, wait_seconds):
                    raise MergeBusyError(
                        f"Another process has been recording arrivals in {self._database.location}"
                        f" for {wait_seconds} s. Nothing is lost: whoever records next finds these"
                        " rows."
                    )
            yield connection
