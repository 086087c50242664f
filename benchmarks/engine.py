"""The platform's search, in a process of its own that measures itself."""

import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pandas as pd
from distributed import Client
from optuna.storages import RDBStorage

from benchmarks.intervals import union_seconds
from benchmarks.windows import BASE_DT, read_splits
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER, SPLIT_FILES
from credit_ct_dagster.contracts.trial import Trial
from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import predict
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.rows.splitting import data_fingerprint
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.trials import FittedTrial, TrialTracker
from credit_ct_dagster.modeling.search.tuning import best_of
from credit_ct_dagster.search.search import (
    Machines,
    SearchRequest,
    SearchStores,
    run_trials,
    search,
)
from credit_ct_dagster.wiring import Wiring

logger = logging.getLogger(__name__)


@dataclass
class Meter:
    """Passes trials on to a tracker, and measures the time that it needs.

    Attributes:
        tracker: The tracker that records them.
        fits: Start and end of each fit.
        records: Start and end of each recording.
        cpu_seconds: CPU time of all recordings.
    """

    tracker: TrialTracker
    fits: list[tuple[float, float]] = field(default_factory=list)
    records: list[tuple[float, float]] = field(default_factory=list)
    cpu_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, fitted: FittedTrial) -> str:
        """Record a trial."""
        start, cpu = time.perf_counter(), time.thread_time()
        run_id = self.tracker.record(fitted)
        cpu = time.thread_time() - cpu
        with self._lock:
            self.fits.append((fitted.started, fitted.started + fitted.trial.seconds))
            self.records.append((start, time.perf_counter()))
            self.cpu_seconds += cpu
        return run_id


class NoTracker:
    """Records nothing."""

    def record(self, fitted: FittedTrial) -> str:
        """Record nothing; returns a name for the trial."""
        return f"trial {fitted.trial.number}"


def measure(
    wiring: Wiring,
    splits: Mapping[str, pd.DataFrame],
    parameters: TuningParameters,
    *,
    tracked: bool = True,
    machines: Machines | None = None,
) -> dict[str, Any]:
    """Search as the asset `tuned_runs` does, from rows in memory to the result in MLflow.

    Args:
        wiring: The stores.
        splits: Prepared rows; Dask workers read the same from the artifacts of `BASE_DT`.
        parameters: The search.
        tracked: Whether trials are recorded in MLflow; without that no model is loaded back.
        machines: Where trials are fitted.

    Returns:
        Times and results, as plain values for JSON.
    """
    tracking = wiring.tracking
    parent = tracking.client.create_run(tracking.experiment_id()).info.run_id
    request = SearchRequest(
        base_dt=BASE_DT,
        rows=splits,
        fingerprints={name: data_fingerprint(rows) for name, rows in splits.items()},
        data_fingerprint="benchmark",
        features=schema.FEATURES,
        parameters=parameters,
        machines=machines or Machines(),
        resume=True,
        parent_run_id=parent,
        dagster_run_id="benchmark",
    )
    stores = SearchStores(tracking, wiring.study_storage, wiring.artifacts)
    meter = Meter(NoTracker())

    def measured(tracker: TrialTracker) -> TrialTracker:
        if tracked:
            meter.tracker = tracker
        return meter

    started, cpu = time.perf_counter(), time.process_time()
    if tracked:
        found = search(request, stores, logger, measured)
        trials, holdout, tune_seconds = found.trials, found.holdout, found.seconds["tune"]
    else:
        _, trials = run_trials(request, stores, logger, measured)
        holdout, tune_seconds = {}, time.perf_counter() - started
    best = best_of(trials)
    assert best is not None
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if tracked:
        classes = predict(found.model, splits["holdout"])
        right = (classes == splits["holdout"][schema.TARGET].to_numpy()).tolist()
    else:
        right = []
    return {
        "seconds": seconds,
        "tune_seconds": tune_seconds,
        "cpu_seconds": cpu,
        "fit_seconds": union_seconds(meter.fits),
        "tracking_seconds": union_seconds(meter.records),
        "tracking_summed_seconds": sum(end - start for start, end in meter.records),
        "tracking_cpu_seconds": meter.cpu_seconds,
        "peak_gib": peak_gib(),
        "winner": dict(best.params),
        "best_run_id": best.run_id,
        "val": dict(best.metrics),
        "holdout": dict(holdout),
        "holdout_right": right,
        "holdout_customers": splits["holdout"][schema.CUSTOMER].tolist(),
        "trials": list(_plain(trials)),
    }


def _plain(trials: Iterable[Trial]) -> Iterable[dict[str, Any]]:
    for trial in trials:
        yield {
            "params": dict(trial.params),
            "state": trial.state.value,
            "iterations": trial.iterations,
            "metrics": dict(trial.metrics),
            "seconds": trial.seconds,
        }


def peak_gib() -> float:
    """The most memory this process ever had, in GiB.

    Not `resource.getrusage`: its value survives exec, so it may be that of the process that started
    this one.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**20
    raise RuntimeError("/proc/self/status has no VmHWM")


@click.command()
@click.argument("window", type=click.Path(path_type=Path))
@click.option("--parameters", default="{}", help="Other parameters than the default, as JSON.")
@click.option("--n-jobs", default=-1)
@click.option("--tracked/--untracked", default=True)
@click.option(
    "--scheduler-file",
    type=click.Path(path_type=Path),
    help="File of a Dask scheduler: trials are fitted by its workers.",
)
@click.option("--workers", default=0, help="Number of Dask workers to wait for.")
@click.option("--result", type=click.Path(path_type=Path), required=True)
def main(
    window: Path,
    parameters: str,
    n_jobs: int,
    tracked: bool,
    scheduler_file: Path | None,
    workers: int,
    result: Path,
) -> None:
    """Search on the rows of a window, and measure only the search."""
    wiring = Wiring(set_up_process())
    raw = read_splits(window)
    scalers = fit_scalers(raw["train"])
    splits = {name: prepare(rows, scalers) for name, rows in raw.items()}
    scheduler = None
    if scheduler_file:
        files = {SPLIT_FILES[name]: rows for name, rows in splits.items()}
        wiring.artifacts.write(PREPROCESSING_FOLDER, BASE_DT, files)
        RDBStorage(wiring.study_storage.url)  # creates its tables
        scheduler = str(json.loads(scheduler_file.read_text())["address"])
        with Client(scheduler, set_as_default=False) as client:
            client.wait_for_workers(workers)
    found = measure(
        wiring,
        splits,
        TuningParameters(**json.loads(parameters)),
        tracked=tracked,
        machines=Machines(n_jobs=n_jobs, scheduler=scheduler),
    )
    result.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
