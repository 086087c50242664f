"""All stages of a base date in order, in a process of their own that measures itself."""

import itertools
import json
import time
from pathlib import Path

import bentoml  # noqa: F401 - the store would import it while it is measured
import click

from benchmarks.engine import measure
from benchmarks.windows import BASE_DT, TRAIN_SHARE, VAL_SHARE
from credit_ct_dagster.assets.preprocessed_splits import limits_of
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER, SPLIT_FILES
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import calibrate
from credit_ct_dagster.modeling.answers.class_weights import choose_rule
from credit_ct_dagster.modeling.answers.golden import golden_rows
from credit_ct_dagster.modeling.answers.scorer_data import scorer_record
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare, record_of
from credit_ct_dagster.modeling.rows.quarantine import check_rows
from credit_ct_dagster.modeling.rows.row_rules import RowRules
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.settings import set_up_process
from credit_ct_dagster.wiring import Wiring

_STAGES = ["merge", "read", "check, split, scale, write", "fits", "tracking", "packaging"]


@click.command()
@click.option("--parameters", default="{}", help="Other parameters than the default, as JSON.")
@click.option("--result", type=click.Path(path_type=Path), required=True)
def main(parameters: str, result: Path) -> None:
    """Merge, prepare, tune and package the rows of the feature store.

    Trials are recorded while others are fitted, so the time of tracking is also part of that of
    the fits.
    """
    wiring = Wiring(set_up_process())
    store = wiring.feature_store
    started = time.perf_counter()
    laps = [started]
    store.merge(BASE_DT)
    laps.append(time.perf_counter())
    rows = store.read(BASE_DT)
    laps.append(time.perf_counter())
    accepted = check_rows(rows, RowRules()).accepted
    raw = split_by_customer(accepted, TRAIN_SHARE, VAL_SHARE)
    scalers = fit_scalers(raw["train"])
    splits = {name: prepare(part, scalers) for name, part in raw.items()}
    wiring.artifacts.write(
        PREPROCESSING_FOLDER, BASE_DT, {SPLIT_FILES[name]: part for name, part in splits.items()}
    )
    laps.append(time.perf_counter())

    found = measure(wiring, splits, TuningParameters(**json.loads(parameters)))

    packaging = time.perf_counter()
    model = wiring.tracking.load_model(found["best_run_id"])
    calibration = calibrate(model, splits["val"])
    labels = raw["train"][schema.TARGET].value_counts().to_dict()
    rule = choose_rule(calibration, splits["val"], labels, Utility())
    limits = limits_of(RowRules())
    wiring.bentoml_store.save(
        model,
        scorer_record(
            scales=record_of(scalers).columns,
            calibrated=calibration.model.calibrated,
            train=raw["train"],
            limits=limits,
            rule=rule.data,
            utility=Utility(),
        ),
        ModelIdentity(
            base_dt=BASE_DT,
            mlflow_run_id=found["best_run_id"],
            dagster_run_id="benchmark",
            data_fingerprint="benchmark",
        ),
        PackageRecord(
            seen_share=TRAIN_SHARE + VAL_SHARE,
            calibration=calibration.method,
            log_loss_per_calibration=calibration.log_losses,
            class_weights=rule.weights,
            macro_f1_per_rule=rule.macro_f1,
            calibrated_on=BASE_DT,
        ),
        found["holdout"],
        golden_rows(raw["train"], scalers, calibration.model, limits, rule.data),
    )
    ended = time.perf_counter()

    before = [end - start for start, end in itertools.pairwise(laps)]
    values = [*before, found["fit_seconds"], found["tracking_seconds"], ended - packaging]
    measured = {"seconds": ended - started, "stages": dict(zip(_STAGES, values, strict=True))}
    result.write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
