"""A MariaDB server with many rows, for benchmarks."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pyarrow import csv

from benchmarks.windows import BASE_DT, Tables
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB


@contextmanager
def server(*options: str) -> Iterator[MariaDB]:
    """A server that holds a million rows in memory.

    Args:
        options: Further ones of `mariadbd`.
    """
    if MariaDB.program() is None:
        raise SystemExit("mariadbd is not installed: apt-get install mariadb-server")
    with (
        tempfile.TemporaryDirectory() as folder,
        MariaDB.running(
            Path(folder),
            "--innodb-buffer-pool-size=3G",
            "--innodb-log-file-size=1G",
            "--local-infile=1",
            *options,
        ) as running,
    ):
        yield running


def database_with(running: MariaDB, rows: int, *, all_in_window: bool) -> FeatureStore:
    """A database with sample labels and their features.

    Args:
        running: The server.
        rows: How many labels.
        all_in_window: Whether all labels lie in the window of `BASE_DT`, not within 8 months.
    """
    labels, features = generate(rows, date.fromisoformat(BASE_DT), seed=0)
    if all_in_window:
        days = np.array(LabelWindow.of(BASE_DT).days)
        day = np.random.default_rng(0).choice(days, rows)
        labels["date"], features["date"] = day, day
    return database_of(running, (labels, features))


def database_of(running: MariaDB, tables: Tables) -> FeatureStore:
    """A database with the given labels and features."""
    store = FeatureStore(url=running.new_database())
    store.create_missing_tables()
    with tempfile.TemporaryDirectory() as folder:
        for table, frame in zip(("credit_score", "credit_score_features"), tables, strict=True):
            _bulk_load(store.url, table, frame.sort_values(["id", "customer_id"]), Path(folder))
    return store


def _bulk_load(url: str, table: str, frame: pd.DataFrame, folder: Path) -> None:
    """Load a table; Arrow writes its file in a tenth of the time that pandas takes."""
    path = folder / f"{table}.tsv"
    columns = pa.Table.from_pandas(frame, preserve_index=False).cast(
        pa.schema([(name, pa.string()) for name in frame.columns])
    )
    csv.write_csv(
        pa.table({name: pc.fill_null(columns[name], "\\N") for name in frame.columns}),
        path,
        csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none"),
    )
    client(
        url,
        f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {table} ({', '.join(frame.columns)});"
        f" ANALYZE TABLE {table};",
    )
    path.unlink()


def client(url: str, sql: str) -> float:
    """Run SQL in the MariaDB client; returns how many seconds it took."""
    parts = sa.make_url(url)
    program = shutil.which("mariadb")
    assert program is not None
    started = time.perf_counter()
    subprocess.run(
        [program, "--no-defaults", "--local-infile=1", "-h127.0.0.1", f"-P{parts.port}",
         f"-u{parts.username}", str(parts.database)],
        input=sql, text=True, check=True, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - started
