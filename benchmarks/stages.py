"""Every stage of a base date one after the other, in a process of its own that measures itself."""

import itertools
import json
import time
from pathlib import Path

import bentoml  # noqa: F401 - the store imports it late, which is not what is measured
import click

from benchmarks.engine import search
from benchmarks.windows import BASE_DT, TRAIN_SHARE, VAL_SHARE
from credit_ct_dagster import stores
from credit_ct_dagster.io_managers.artifacts import PREPROCESSING_FOLDER
from credit_ct_dagster.modeling.calibration import calibrate
from credit_ct_dagster.modeling.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.row_rules import RowRules, sort_out
from credit_ct_dagster.modeling.search_space import TuningParameters
from credit_ct_dagster.modeling.splitting import SPLIT_FILES, split_by_customer
from credit_ct_dagster.resources.bentoml_store import Lineage

_STAGES = ["merge", "read", "sort out, split, scale, write", "fits", "tracking", "packaging"]


@click.command()
@click.option("--parameters", default="{}", help="What departs from the default search, JSON.")
@click.option("--result", type=click.Path(path_type=Path), required=True)
def main(parameters: str, result: Path) -> None:
    """Merge, prepare, tune and package the rows of the feature store.

    Tracking goes on while the next trial is fitted: its seconds are part of those of the fits.
    """
    store = stores.feature_store()
    began = time.perf_counter()
    laps = [began]
    store.merge(BASE_DT)
    laps.append(time.perf_counter())
    rows = store.read(BASE_DT)
    laps.append(time.perf_counter())
    kept = sort_out(rows, RowRules()).kept
    raw = split_by_customer(kept, TRAIN_SHARE, VAL_SHARE)
    scalers = fit_scalers(raw["train"])
    splits = {name: prepare(part, scalers) for name, part in raw.items()}
    stores.artifacts().write(
        PREPROCESSING_FOLDER, BASE_DT, {SPLIT_FILES[name]: part for name, part in splits.items()}
    )
    laps.append(time.perf_counter())

    found = search(splits, TuningParameters(**json.loads(parameters)))

    packaging = time.perf_counter()
    model = stores.tracking().load_model(found["best_run_id"])
    lineage = Lineage(BASE_DT, found["best_run_id"], "benchmark", "benchmark")
    calibrated = calibrate(model, splits["val"]).model
    stores.bentoml_store().save(calibrated, scalers, lineage, found["holdout"])
    ended = time.perf_counter()

    before = [end - start for start, end in itertools.pairwise(laps)]
    values = [*before, found["fit_seconds"], found["tracking_seconds"], ended - packaging]
    whole = {"seconds": ended - began, "stages": dict(zip(_STAGES, values, strict=True))}
    result.write_text(json.dumps(whole))


if __name__ == "__main__":
    main()
