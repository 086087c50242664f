"""One load of CSV files, as `credit-ct load` does it, in a process that measures itself."""

import json
import time
from pathlib import Path

import click

from benchmarks.engine import peak_gib
from credit_ct_dagster.loading.csv_files import check_features, check_labels
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS
from credit_ct_dagster.settings import set_up_process
from credit_ct_dagster.wiring import Wiring

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--labels", type=_file, required=True)
@click.option("--features", type=_file, required=True)
@click.option("--result", type=click.Path(path_type=Path), required=True)
def main(labels: Path, features: Path, result: Path) -> None:
    """Load the files into the feature store, and write seconds and memory as JSON."""
    store = Wiring(set_up_process()).feature_store
    store.create_missing_tables()
    before, started = peak_gib(), time.perf_counter()
    written = store.upsert({LABELS: check_labels(labels), FEATURES: check_features(features)})
    seconds, peak = time.perf_counter() - started, peak_gib()
    found = {"seconds": seconds, "before_gib": before, "peak_gib": peak, "written": written}
    result.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
