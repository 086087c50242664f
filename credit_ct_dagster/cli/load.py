"""`credit-ct load`: rows into the source tables."""

import time
from datetime import date
from pathlib import Path

import click

from credit_ct_dagster.cli.console import console
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.loading import csv_files, sample_data
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS

_SAMPLE_ROWS = 20_000

_file = click.Path(dir_okay=False, path_type=Path)


@click.command("load")
@click.option("--labels", type=_file, help="CSV file of credit_score.")
@click.option("--features", type=_file, help="CSV file of credit_score_features.")
@click.option("--sample", is_flag=True, help="Make realistic rows instead.")
@click.option(
    "--rows", type=click.IntRange(min=100), default=_SAMPLE_ROWS, show_default=True,
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
    sample: bool,
    rows: int,
    until: date | None,
    seed: int,
) -> None:
    """Insert rows into the two source tables, or replace those with the same key.

    Files are CSV, in the order of the table's columns or with a header in any order. All is
    written, or nothing.
    """
    if sample == bool(labels or features):
        raise click.UsageError("Give --labels and/or --features, or --sample.")
    started = time.perf_counter()
    wiring = wired()
    if sample:
        last = date.fromisoformat(until.strftime("%Y-%m-%d") if until else wiring.calendar.newest())
        frames = dict(
            zip(
                (LABELS, FEATURES),
                sample_data.generate(rows, last, seed),
                strict=True,
            )
        )
    else:
        readers = {
            LABELS: (csv_files.read_labels, labels),
            FEATURES: (csv_files.read_features, features),
        }
        frames = {name: read(path) for name, (read, path) in readers.items() if path}
    store = wiring.feature_store
    written = store.upsert(frames)
    for name, count in written.items():
        dates = frames[name]["date"]
        console.print(f"{name}: {count:,} rows, {dates.min()} to {dates.max()}")
    console.print(f"in {store.location}, {time.perf_counter() - started:.1f} s")
