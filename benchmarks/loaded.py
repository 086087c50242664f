"""One load of CSV files, as `credit-ct load` does it, in a process that measures itself."""

import json
import time
from pathlib import Path

import click

from benchmarks.engine import peak_gib
from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.loading.csv_files import check_features, check_labels
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS
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
    before, start = peak_gib(), _clocks()
    files = {LABELS: check_labels(labels), FEATURES: check_features(features)}
    checked = _clocks()
    written = store.upsert(files)
    end = _clocks()
    arrivals = {name: store.arrivals.record([name], file.first, until=file.last)
                for name, file in files.items()}  # fmt: skip
    recorded = _clocks()
    found = {
        "seconds": end[0] - start[0],
        "check_seconds": checked[0] - start[0],
        "check_cpu": checked[1] - start[1],
        "write_seconds": end[0] - checked[0],
        "write_cpu": end[1] - checked[1],
        "record_seconds": recorded[0] - end[0],
        "before_gib": before,
        "peak_gib": peak_gib(),
        "written": written,
        "arrivals": {name: sum(lines.values()) for name, lines in arrivals.items()},
    }
    result.write_text(json.dumps(found))


def _clocks() -> tuple[float, float]:
    """Seconds that have passed, and those of this process on a processor."""
    return time.perf_counter(), time.process_time()


if __name__ == "__main__":
    main()
