"""A history of many base dates: what one trained base date left in every store, under other dates.

To train 700 base dates takes hours. What the stores hold of one is copied instead, with its real
sizes: events and runs of Dagster, artifacts, packages, and decisions in their unbroken chain.
"""

import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import sqlalchemy as sa

_MOMENT = re.compile(r'(?<="timestamp": )(\d{10}\.\d+)(, "timezone")?')
_CREATED = re.compile(r"(?<=creation_time: ')[^']+")
_POINTER = re.compile(r'(?<="dagster/input_event_pointer/)(\w+": ")(\d+)')
_RUNS, _TAGS, _EVENTS = "runs", "run_tags", "event_logs"
_EVENT_TAGS, _CHECKS = "asset_event_tags", "asset_check_executions"
_MATERIALIZED = "ASSET_MATERIALIZATION"

Row = dict[str, Any]


@dataclass(frozen=True)
class Names:
    """What is different about the copy of a base date.

    Attributes:
        base_dt: Its base date.
        days: How many days later than the original it is.
        age: How many days before now it was made.
        texts: Other texts by those of the original: dates, ids of runs, versions of packages.
        numbers: Other ids of events by those of the original.
    """

    base_dt: str
    days: int
    age: int
    texts: Mapping[str, str]
    numbers: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, base_dt: str, original: str, newest: str, runs: Sequence[str], versions: Sequence[str]
    ) -> Self:
        """Names for a copy: its runs and packages are new ones; the newest was made just now."""
        day, first, last = map(date.fromisoformat, (base_dt, original, newest))
        texts = {original: base_dt} | {each: str(uuid4()) for each in runs}
        texts |= {each: secrets.token_hex(len(each) // 2) for each in versions}
        return cls(base_dt, (day - first).days, (last - day).days, texts)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self.texts)))

    def text(self, original: str) -> str:
        """A text of the original as the copy has it, moments included."""
        found = self._pattern.sub(lambda match: self.texts[match[0]], original)
        if "input_event_pointer" in found:
            found = _POINTER.sub(lambda match: match[1] + str(self._number(int(match[2]))), found)
        return _MOMENT.sub(self._moment, found)

    def _moment(self, match: re.Match[str]) -> str:
        """When something happened; or, with a time zone, when a base date begins or ends."""
        days = self.days if match[2] else -self.age
        return repr(float(match[1]) + days * 86_400) + (match[2] or "")

    def value(self, column: str, original: Any) -> Any:
        """The same of a value in a column of a database."""
        if isinstance(original, str):
            return self.text(original)
        if isinstance(original, datetime):
            return original - timedelta(days=self.age)
        if column in {"start_time", "end_time"} and original is not None:
            return original - self.age * 86_400
        if column.endswith(("event_id", "storage_id")) and original is not None:
            return self._number(original)
        return original

    def row(self, original: Row) -> Row:
        """The same of a row, without its own number."""
        return {name: self.value(name, of) for name, of in original.items() if name != "id"}

    def _number(self, original: int) -> int:
        return self.numbers.get(original, original)


@dataclass
class DagsterHistory:
    """What a Dagster instance recorded of some runs, and how to record it under other names.

    Attributes:
        runs: The database of runs.
        events: That of events of assets, the same one unless it is SQLite.
        shards: Folder with a database of events per run; None unless it is SQLite.
    """

    runs: sa.Engine
    events: sa.Engine
    shards: Path | None

    @classmethod
    def on_sqlite(cls, history: Path) -> Self:
        """The files below a folder such as `var/dagster/history`."""
        shards = history / "runs"
        files = (history / "runs.db", shards / "index.db")
        runs, events = (sa.create_engine(f"sqlite:///{each}") for each in files)
        return cls(runs, events, shards)

    @cached_property
    def _tables(self) -> dict[str, sa.Table]:
        found: dict[str, sa.Table] = {}
        for engine, names in (
            (self.runs, [_RUNS, _TAGS]),
            (self.events, [_EVENTS, _EVENT_TAGS, _CHECKS, "asset_keys"]),
        ):
            metadata = sa.MetaData()
            metadata.reflect(engine, only=names)
            found |= {name: metadata.tables[name] for name in names}
        return found

    def run_ids(self, base_dt: str) -> list[str]:
        """The runs of a base date, oldest first."""
        runs = self._tables[_RUNS]
        query = sa.select(runs.c.run_id).where(runs.c.partition == base_dt).order_by(runs.c.id)
        with self.runs.connect() as connection:
            return [str(run_id) for (run_id,) in connection.execute(query)]

    def copy(self, originals: Sequence[str], copies: Sequence[Names]) -> None:
        """Record some runs once more per copy, in the order of the copies."""
        with self.runs.connect() as connection:
            of_runs = {
                name: self._rows(connection, name, run_id=originals) for name in (_RUNS, _TAGS)
            }
        with self.events.connect() as connection:
            of_events = {
                name: self._rows(connection, name, run_id=originals) for name in (_EVENTS, _CHECKS)
            }
            numbers = [row["id"] for row in of_events[_EVENTS]]
            of_events[_EVENT_TAGS] = self._rows(connection, _EVENT_TAGS, event_id=numbers)
        with self.runs.begin() as connection:
            for names in copies:
                self._insert(connection, of_runs, names)
        with self.events.begin() as connection:
            for names in copies:
                last = connection.scalar(sa.select(sa.func.max(self._tables[_EVENTS].c.id)))
                names.numbers.update(
                    zip(numbers, range(last + 1, last + 1 + len(numbers)), strict=True)
                )
                self._insert(connection, of_events, names)
            self._note_newest(connection)
        if self.shards:
            for original in originals:
                for names in copies:
                    _copy_shard(self.shards, original, names)

    def _rows(self, connection: sa.Connection, table: str, **where: Sequence[Any]) -> list[Row]:
        found = self._tables[table]
        [(column, values)] = where.items()
        query = sa.select(found).where(found.c[column].in_(values)).order_by(found.c.id)
        return [dict(row._mapping) for row in connection.execute(query)]

    def _insert(
        self, connection: sa.Connection, rows: Mapping[str, list[Row]], names: Names
    ) -> None:
        for table, originals in rows.items():
            copied = [names.row(row) for row in originals]
            if table == _EVENTS:
                for row, original in zip(copied, originals, strict=True):
                    row["id"] = names.numbers[original["id"]]
            if copied:
                connection.execute(sa.insert(self._tables[table]), copied)

    def _note_newest(self, connection: sa.Connection) -> None:
        """Let the table of assets name the newest materialization of each."""
        events, assets = self._tables[_EVENTS], self._tables["asset_keys"]
        newest = (
            sa.select(sa.func.max(events.c.id))
            .where(events.c.dagster_event_type == _MATERIALIZED)
            .group_by(events.c.asset_key)
        )
        for row in connection.execute(sa.select(events).where(events.c.id.in_(newest))).all():
            record = (
                f'{{"__class__": "EventLogRecord", "event_log_entry": {row.event},'
                f' "storage_id": {row.id}}}'
            )
            connection.execute(
                sa.update(assets)
                .where(assets.c.asset_key == row.asset_key)
                .values(
                    last_materialization=record,
                    last_run_id=row.run_id,
                    last_materialization_timestamp=row.timestamp,
                    cached_status_data=None,
                )
            )


def _copy_shard(folder: Path, original: str, names: Names) -> None:
    run_id = names.texts[original]
    copy = folder / f"{run_id}.db"
    shutil.copyfile(folder / f"{original}.db", copy)
    with closing(sqlite3.connect(copy)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        database.create_function("other_text", 1, lambda text: text and names.text(text))
        database.execute(
            "UPDATE event_logs SET run_id = ?, partition = other_text(partition),"
            " event = other_text(event), timestamp = datetime(timestamp, ?)",
            [run_id, f"-{names.age} days"],
        )


def copy_folder(original: Path, copy: Path, text: Callable[[str], str]) -> None:
    """Copy a folder: texts under other names, all other files as links, which takes no space."""
    for path in _files_below(original):
        target = copy / path.relative_to(original)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".json", ".yaml"}:
            target.write_text(text(path.read_text()))
            shutil.copymode(path, target)
        else:
            os.link(path, target)


def copy_package(original: Path, names: Names) -> None:
    """Copy a package in the BentoML store: it has no role, and was made when its base date was."""

    def text(content: str) -> str:
        without_role = re.sub(r"\n  role: \w+", "", content)
        return _CREATED.sub(
            lambda match: (
                datetime.fromisoformat(match[0]) - timedelta(days=names.age)
            ).isoformat(),
            names.text(without_role),
        )

    copy_folder(original, original.with_name(names.texts[original.name]), text)


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
