"""`credit-ct load`: rows into the source tables."""

import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pandas as pd

from credit_ct_dagster.cli.console import console
from credit_ct_dagster.cli.options import examples, separator_option
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.first_base_date import (
    begin_with_labels,
    earliest_first_label,
    record_first_label,
)
from credit_ct_dagster.loading import csv_files, sample_data
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import exists
from credit_ct_dagster.resources.feature_store.arrival_lines import ARRIVALS
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS

if TYPE_CHECKING:  # Dagster takes a second to import, which --help does not need
    from credit_ct_dagster.resources.feature_store.store import FeatureStore
    from credit_ct_dagster.wiring import Wiring

_SAMPLE_ROWS = 20_000
_WAIT_SECONDS = 60

_file = click.Path(dir_okay=False, path_type=Path)


@click.command(
    "load",
    epilog=examples(
        "credit-ct load --labels labels.csv --features features.csv",
        "credit-ct load --sample --rows 5000",
    ),
)
@click.option("--labels", type=_file, help=f"CSV file of {LABELS}.")
@click.option("--features", type=_file, help=f"CSV file of {FEATURES}.")
@separator_option("Between the cells of the files: one character, or tab.")
@click.option("--sample", is_flag=True, help="Make realistic rows instead.")
@click.option(
    "--rows", "sample_rows", type=click.IntRange(min=100), default=_SAMPLE_ROWS, show_default=True,
    help="With --sample: how many labels, over eight months.",
)  # fmt: skip
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), default=None,
    help="With --sample: the newest day. [default: yesterday in Seoul]",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def command(
    labels: Path | None,
    features: Path | None,
    separator: str,
    sample: bool,
    sample_rows: int,
    until: date | None,
    seed: int,
) -> None:
    """Insert rows into the two source tables, or replace those with the same key.

    Files are CSV, in the order of the table's columns or with a header in any order; they are
    read in batches. All is written, or nothing.
    """
    if sample == bool(labels or features):
        raise click.UsageError("Give --labels and/or --features, or --sample.")
    started = time.perf_counter()
    wiring = wired()
    rows: dict[str, pd.DataFrame | csv_files.CsvFile]
    if sample:
        last = date.fromisoformat(until.strftime("%Y-%m-%d") if until else wiring.calendar.newest())
        generated = sample_data.generate(sample_rows, last, seed)
        rows = dict(zip((LABELS, FEATURES), generated, strict=True))
    else:
        checks = {
            LABELS: (csv_files.check_labels, labels),
            FEATURES: (csv_files.check_features, features),
        }
        rows = {name: check(path, separator) for name, (check, path) in checks.items() if path}
    store = wiring.feature_store
    begins = LABELS in rows and begin_with_labels(wiring.settings)
    is_first_load = begins and store.oldest_label_date(earliest_first_label()) is None
    for name, count in store.upsert(rows).items():
        console.print(f"{name}: {count:,} rows, {_described(rows[name])}")
    if begins:
        _begin_base_dates(wiring, _days(rows[LABELS])[0], is_first_load=is_first_load)
    _record_arrivals(store, rows)
    console.print(f"in {store.location}, {time.perf_counter() - started:.1f} s")


def _begin_base_dates(wiring: "Wiring", loaded: str, *, is_first_load: bool) -> None:
    """With the oldest label whose date can be meant; `loaded` is the oldest of this load."""
    earliest = earliest_first_label()
    day = wiring.feature_store.oldest_label_date(earliest)
    if day and record_first_label(wiring.settings, day, is_first_load=is_first_load):
        console.print(f"base dates begin on {day}")
    if loaded < earliest or not exists(loaded):
        console.print(
            f"No base date begins on {loaded}, which does not exist or lies before {earliest}:"
            " correct such dates, or set PARTITIONS_START.",
            style="yellow", markup=False,
        )  # fmt: skip


def _record_arrivals(
    store: "FeatureStore", rows: Mapping[str, pd.DataFrame | csv_files.CsvFile]
) -> None:
    """Record which of the rows are new or changed; that it fails takes nothing from the load."""
    for name, loaded in rows.items():
        first, last = _days(loaded)
        try:
            lines = store.arrivals.record([name], first, until=last, wait_seconds=_WAIT_SECONDS)
        except CreditCtError as error:
            console.print(
                f"The rows are loaded, but their arrival is not recorded yet: {error}",
                style="yellow", markup=False,
            )  # fmt: skip
            return
        for count in lines.values():
            console.print(f"{ARRIVALS}: {count:,} new lines for {name}")


def _days(rows: pd.DataFrame | csv_files.CsvFile) -> tuple[str, str]:
    """The earliest and the latest date."""
    if isinstance(rows, pd.DataFrame):
        return str(rows[schema.DATE].min()), str(rows[schema.DATE].max())
    return rows.first, rows.last


def _described(rows: pd.DataFrame | csv_files.CsvFile) -> str:
    text = " to ".join(_days(rows))
    if isinstance(rows, pd.DataFrame):
        return text
    if rows.repeated:
        text += f"; left out, because they repeat an earlier line: {rows.repeated:,}"
    if rows.trimmed:
        text += f"; words whose surrounding blanks were removed: {rows.trimmed:,}"
    return text
