"""The platform's tuning, in a process of its own that measures itself."""

import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import mlflow
import pandas as pd
from distributed import Client
from optuna.storages import RDBStorage

from benchmarks.intervals import union_seconds
from benchmarks.windows import BASE_DT, read_splits
from credit_ct_dagster import stores
from credit_ct_dagster.io_managers.artifacts import PREPROCESSING_FOLDER
from credit_ct_dagster.modeling.evaluation import evaluate
from credit_ct_dagster.modeling.local_workers import LocalWorkers
from credit_ct_dagster.modeling.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.search_space import TuningParameters
from credit_ct_dagster.modeling.splitting import SPLIT_FILES, data_fingerprint
from credit_ct_dagster.modeling.training import TrainingData
from credit_ct_dagster.modeling.trials import FittedTrial, Trial, TrialTracker
from credit_ct_dagster.modeling.tuning import best_of, tune
from credit_ct_dagster.resources.mlflow.tracking import Nesting
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.search.dask_workers import DaskWorkers, SharedSearch
from credit_ct_dagster.settings import get_settings

_STUDY = "benchmark"


@dataclass
class Meter:
    """Passes trials on to a tracker, and measures what that takes.

    Attributes:
        tracker: What records them.
        fits: When each was fitted, start and end.
        records: When each was recorded.
        cpu_seconds: Of all recording.
    """

    tracker: TrialTracker
    fits: list[tuple[float, float]] = field(default_factory=list)
    records: list[tuple[float, float]] = field(default_factory=list)
    cpu_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, fitted: FittedTrial) -> str:
        """Record a trial."""
        began, cpu = time.perf_counter(), time.thread_time()
        run_id = self.tracker.record(fitted)
        cpu = time.thread_time() - cpu
        with self._lock:
            self.fits.append((fitted.started, fitted.started + fitted.trial.seconds))
            self.records.append((began, time.perf_counter()))
            self.cpu_seconds += cpu
        return run_id


class NoTracker:
    """Records nothing."""

    def record(self, fitted: FittedTrial) -> str:
        """Forget a trial."""
        return f"trial {fitted.trial.number}"


@dataclass(frozen=True)
class Machines:
    """Where trials run.

    Attributes:
        n_jobs: Trials at the same time in this process.
        thread_count: Threads of each fit.
        scheduler: Address of a Dask scheduler; none: in this process.
    """

    n_jobs: int = -1
    thread_count: int = -1
    scheduler: str | None = None


def search(
    splits: Mapping[str, pd.DataFrame],
    parameters: TuningParameters,
    *,
    tracked: bool = True,
    machines: Machines | None = None,
) -> dict[str, Any]:
    """Search as the asset `tuned_runs` does, from rows in memory to the best model loaded back.

    Args:
        splits: Prepared rows; Dask workers read the same from the artifacts of `BASE_DT`.
        parameters: The search.
        tracked: Whether trials are recorded in MLflow; without that no model is loaded back.
        machines: Where trials run.

    Returns:
        Plain values, for JSON: what it took, and what it found.
    """
    where = machines or Machines()
    store = stores.tracking()
    storage = StudyStorage(url=get_settings().optuna_storage_url.get_secret_value())
    parent = store.client.create_run(store.experiment_id()).info.run_id
    mlflow.set_experiment(experiment_id=store.experiment_id())  # as dagster-mlflow does
    nesting = Nesting(parent, {}, parameters.fixed())
    fingerprints = {name: data_fingerprint(splits[name]) for name in ("train", "val")}

    started, cpu = time.perf_counter(), time.process_time()
    meter = Meter(store.tracker(nesting) if tracked else NoTracker())
    with storage.open(_STUDY, parameters, logging.getLogger(__name__)) as study:
        workers: LocalWorkers | DaskWorkers
        if where.scheduler:
            shared = SharedSearch(
                _STUDY, BASE_DT, fingerprints, parameters, where.thread_count, nesting
            )
            workers = DaskWorkers(where.scheduler, shared, meter)
        else:
            data = TrainingData.of(splits["train"], splits["val"])
            workers = LocalWorkers(data, parameters, meter, where.n_jobs, where.thread_count)
        with workers:
            trials = tune(
                study, parameters, workers, [parameters.centre()], on_progress=lambda _: None
            )
    tune_seconds = time.perf_counter() - started
    best = best_of(trials)
    assert best is not None
    assert best.run_id is not None
    model = store.load_model(best.run_id) if tracked else None
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {
        "seconds": seconds,
        "tune_seconds": tune_seconds,
        "cpu_seconds": cpu,
        "fit_seconds": union_seconds(meter.fits),
        "tracking_seconds": union_seconds(meter.records),
        "tracking_summed_seconds": sum(end - start for start, end in meter.records),
        "tracking_cpu_seconds": meter.cpu_seconds,
        "peak_gib": peak_gib(),
        "winner": best.params,
        "best_run_id": best.run_id,
        "val": best.metrics,
        "holdout": evaluate(model, splits["holdout"]) if model else {},
        "trials": list(_plain(trials)),
    }


def _plain(trials: Iterable[Trial]) -> Iterable[dict[str, Any]]:
    for trial in trials:
        yield {
            "params": trial.params,
            "state": trial.state.value,
            "iterations": trial.iterations,
            "metrics": trial.metrics,
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
@click.option("--parameters", default="{}", help="What departs from the default search, JSON.")
@click.option("--n-jobs", default=-1)
@click.option("--tracked/--untracked", default=True)
@click.option("--scheduler-file", type=click.Path(path_type=Path), help="Of a Dask scheduler.")
@click.option("--workers", default=0, help="Begin when so many Dask workers are there.")
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
    """Search on the rows of a window, and time nothing else."""
    raw = read_splits(window)
    scalers = fit_scalers(raw["train"])
    splits = {name: prepare(rows, scalers) for name, rows in raw.items()}
    scheduler = None
    if scheduler_file:
        files = {SPLIT_FILES[name]: rows for name, rows in splits.items()}
        stores.artifacts().write(PREPROCESSING_FOLDER, BASE_DT, files)
        RDBStorage(get_settings().optuna_storage_url.get_secret_value())  # creates its tables
        scheduler = str(json.loads(scheduler_file.read_text())["address"])
        with Client(scheduler, set_as_default=False) as client:
            client.wait_for_workers(workers)
    found = search(
        splits,
        TuningParameters(**json.loads(parameters)),
        tracked=tracked,
        machines=Machines(n_jobs=n_jobs, scheduler=scheduler),
    )
    result.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
