"""`credit-ct load`: rows into the source tables."""

import time
from datetime import date
from pathlib import Path

import click
import pandas as pd

from credit_ct_dagster.cli.console import console
from credit_ct_dagster.cli.options import separator_option
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.loading import csv_files, sample_data
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS

_SAMPLE_ROWS = 20_000

_file = click.Path(dir_okay=False, path_type=Path)


@click.command("load")
@click.option("--labels", type=_file, help="CSV file of credit_score.")
@click.option("--features", type=_file, help="CSV file of credit_score_features.")
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
    for name, count in store.upsert(rows).items():
        console.print(f"{name}: {count:,} rows, {_described(rows[name])}")
    console.print(f"in {store.location}, {time.perf_counter() - started:.1f} s")


def _described(rows: pd.DataFrame | csv_files.CsvFile) -> str:
    if isinstance(rows, pd.DataFrame):
        return f"{rows['date'].min()} to {rows['date'].max()}"
    text = f"{rows.first} to {rows.last}"
    if rows.repeated:
        text += f"; left out, because they repeat an earlier line: {rows.repeated:,}"
    if rows.trimmed:
        text += f"; words whose surrounding blanks were removed: {rows.trimmed:,}"
    return text
