"""Loading large CSV files into MariaDB: rows per second, memory, and the server's own LOAD DATA."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.database import client, server
from benchmarks.measure import Turn, at_least, judge, take_turns, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.sandbox import Sandbox, sandbox
from benchmarks.windows import BASE_DT
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS
from credit_ct_dagster_tests.mariadb import MariaDB

_ROWS_PER_SECOND = 50_000
_PEAK_MIB = 500
_PIECE_ROWS = 50_000
_PAIRS = 3


def run(plan: Plan) -> Findings:
    """Load sample rows as `credit-ct load` does, against LOAD DATA of the same rows.

    LOAD DATA reads files in which nothing is to be checked, in one client; its time is what the
    server needs. Keys are in random order. Imports are not counted as time, but as memory.
    """
    rows = 2 * plan.loaded_rows
    with sandbox() as here, server() as running:
        _write_files(here.folder, plan.loaded_rows)
        size = sum((here.folder / f"{name}.csv").stat().st_size for name in (LABELS, FEATURES))
        bare, ours = take_turns(
            [lambda: _bare(here.folder, running), lambda: _ours(here, running)],
            min(plan.pairs, _PAIRS),
        )
    facts = [turn.facts for turn in ours]
    rate = at_least(
        f"load {rows:,} rows of CSV into MariaDB",
        [rows / turn.seconds for turn in ours],
        _ROWS_PER_SECOND,
        "rows/s",
    )
    rate.notes.append(
        f"{plan.loaded_rows:,} labels and as many feature rows, {size / 2**20:,.0f} MiB: checked"
        f" in {facts[0]['check_seconds']:.0f} s with {facts[0]['check_cpu']:.0f} s of processor"
        f" time, written in {facts[0]['write_seconds']:.0f} s with {facts[0]['write_cpu']:.0f} s;"
        f" then their arrival is recorded, {sum(facts[0]['arrivals'].values()):,} lines in"
        f" {facts[0]['record_seconds']:.0f} s, which does not count here"
    )
    memory = within(
        f"peak memory of loading {rows:,} rows",
        [each["peak_gib"] * 1024 for each in facts],
        _PEAK_MIB,
        "MiB",
    )
    memory.notes.append(f"{facts[0]['before_gib'] * 1024:,.0f} MiB of them are the imports")
    return Findings([rate, memory, judge("load, against LOAD DATA of ready files", bare, ours)])


def _ours(here: Sandbox, running: MariaDB) -> Turn:
    url = running.new_database()
    there = Sandbox(here.folder, here.environment | {"FEATURE_STORE_URL": url})
    files = [str(here.folder / f"{name}.csv") for name in (LABELS, FEATURES)]
    turn = there.measure("benchmarks.loaded", "--labels", files[0], "--features", files[1])
    _drop(running, url)
    return turn


def _bare(folder: Path, running: MariaDB) -> Turn:
    store = FeatureStore(url=running.new_database())
    store.create_missing_tables()
    seconds = 0.0
    for name in (LABELS, FEATURES):
        sql = (
            f"LOAD DATA LOCAL INFILE '{folder / name}.ready' INTO TABLE {name}"
            " FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"';"
        )
        seconds += client(store.url, sql)
    _drop(running, store.url)
    return Turn(seconds)


def _drop(running: MariaDB, url: str) -> None:
    running.execute(f"DROP DATABASE {url.rpartition('/')[2]}")


def _write_files(folder: Path, rows: int) -> None:
    """Write labels and features: `.csv` to be loaded, `.ready` for LOAD DATA."""
    names = (LABELS, FEATURES)
    for name, columns in zip(names, (schema.LABEL_COLUMNS, schema.FEATURE_COLUMNS), strict=True):
        (folder / f"{name}.csv").write_text(",".join(columns) + "\n")
        (folder / f"{name}.ready").write_bytes(b"")
    for pair in _pieces(rows):
        for name, frame in zip(names, pair, strict=True):
            table = pa.Table.from_pandas(frame, preserve_index=False)
            for suffix, missing in ((".csv", ""), (".ready", r"\N")):
                with (folder / f"{name}{suffix}").open("ab") as file:
                    file.write(_lines(table, missing))


def _lines(table: pa.Table, missing: str) -> pa.Buffer:
    cells = [pc.cast(each, pa.string()).combine_chunks() for each in table.columns]
    quoted = [
        pc.binary_join_element_wise('"', each, '"', "")
        if pc.any(pc.match_substring(each, ",")).as_py()
        else each
        for each in cells
    ]
    lines = pc.binary_join_element_wise(
        *quoted, ",", null_handling="replace", null_replacement=missing
    )
    return pc.binary_join_element_wise(lines, "", "\n").buffers()[2]


def _pieces(rows: int) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Sample rows that fit in memory, whose keys are in random order over all pieces."""
    pieces = -(-rows // _PIECE_ROWS)
    for piece in range(pieces):
        count = min(_PIECE_ROWS, rows - piece * _PIECE_ROWS)
        pair = generate(count, date.fromisoformat(BASE_DT), seed=piece)
        for frame in pair:
            for name in ("id", schema.CUSTOMER):
                frame[name] = (frame[name].astype(int) * pieces + piece).astype(str)
        yield pair


GROUPS: dict[str, Callable[[Plan], Findings]] = {"loading": run}
