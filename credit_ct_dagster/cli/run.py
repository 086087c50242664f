"""`credit-ct run`: the main job for one base date."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import dagster as dg
from rich.table import Table

from credit_ct_dagster.cli.console import console, hanging, print_table
from credit_ct_dagster.cli.options import BaseDate, examples
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.errors.inputs import RunConfigError
from credit_ct_dagster.errors.operation import RunFailedError
from credit_ct_dagster.errors.stores import NoLabelsError
from credit_ct_dagster.garbage import no_search_for_garbage
from credit_ct_dagster.io_managers.artifacts import ArtifactFolder
from credit_ct_dagster.makefile import command_of
from credit_ct_dagster.modeling.judging.standing import Standing, serves_already, standing_since
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.processes import fail_abandoned_runs, run_tags
from credit_ct_dagster.wiring import Wiring
from credit_ct_dagster.yaml_files import UnusableYamlError, read_yaml

_JOB = "continuous_training"
_BEST_SHOWN = 5
_VALUES_FROM = 14


@click.command(
    "run",
    epilog=examples("credit-ct run", "credit-ct run --partition 2025-07-01 --config quick.yaml"),
)
@click.option(
    "--partition",
    type=BaseDate(trained=False),
    metavar="YYYY-MM-DD",
    help="The base date. [default: the newest that has labels]",
)
@click.option(
    "--sample-if-empty", is_flag=True, help="Load sample rows first when there is no label at all."
)
@click.option(
    "--if-missing",
    is_flag=True,
    help="Only show the result when the base date is packaged already.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run configuration as YAML, as the UI's launchpad takes it; its values win over those of"
    " RUN_CONFIG.",
)
def command(
    partition: str | None, sample_if_empty: bool, if_missing: bool, config: Path | None
) -> None:
    """Train and package one base date, and report the result.

    The run is recorded in the Dagster instance: its history is in the UI.
    """
    started = time.perf_counter()
    given = _read(config) if config else {}
    wiring = wired()
    store = wiring.feature_store
    if sample_if_empty and not store.has_labels():
        from credit_ct_dagster.cli import load

        console.print("The feature store is empty: loading sample rows")
        load.command(["--sample"], standalone_mode=False)
    base_dt = wiring.calendar.parse(partition) if partition else _newest_with_labels(wiring)
    with configured_instance() as instance:
        for run_id in fail_abandoned_runs(instance):
            console.print(f"Run {run_id} was killed earlier; it is marked as failed")
        packaged = _packaged(wiring, instance, base_dt) if if_missing else None
        if packaged and _is_complete(wiring, base_dt, packaged):
            console.print(f"Base date {base_dt} is packaged already; its result:")
            began = None
        else:
            began = datetime.now(UTC)
            console.print(f"Base date {base_dt}")
            packaged = _execute(wiring, instance, base_dt, given)
        _report(wiring, base_dt, packaged, began, time.perf_counter() - started)


def _newest_with_labels(wiring: Wiring) -> str:
    store, until = wiring.feature_store, wiring.calendar.newest()
    newest = store.newest_label_date(until=until) if store.has_labels() else None
    if newest is None:
        raise NoLabelsError(
            f"No base date has labels: {store.location} holds none dated up to {until}. Load some"
            " with credit-ct load."
        )
    return wiring.calendar.parse(newest)


def _read(config: Path) -> dict[str, Any]:
    try:
        content = read_yaml(config)
    except UnusableYamlError as error:
        raise RunConfigError(f"{config} {error}. Correct it, then try again.") from error
    if not isinstance(content, dict):
        raise RunConfigError(
            f"{config} is not a run configuration: expected a mapping, as in the launchpad."
        )
    if "execution" in content:
        raise RunConfigError(
            f"{config} sets 'execution', but credit-ct run works in its own process: use"
            " dagster job execute."
        )
    return content


def _execute(
    wiring: Wiring, instance: dg.DagsterInstance, base_dt: str, run_config: dict[str, Any]
) -> str:
    """Run the job; returns the BentoML tag."""
    with no_search_for_garbage():
        from credit_ct_dagster.definitions import build
        from credit_ct_dagster.runs.code_location import execute_run_here
        from credit_ct_dagster.runs.config_errors import shortly
        from credit_ct_dagster.runs.reasons import reason_of

    run_id = str(uuid4())
    try:
        result = execute_run_here(
            build(wiring.settings).resolve_job_def(_JOB),
            instance,
            run_id,
            base_dt,
            tags=run_tags(run_id, wiring.settings.model_name),
            run_config={"loggers": {"terminal": {}}} | run_config,
        )
    except dg.DagsterInvalidConfigError as error:
        raise RunConfigError(f"The run configuration is not valid: {shortly(error)}.") from error
    if not result.success:
        reason = reason_of(result.all_events)
        raise RunFailedError(
            f"Dagster run {result.run_id} failed (its log is in the UI: {_ui(wiring)})."
            f" {reason.sentence if reason else 'It failed outside its steps.'}"
        )
    tag = _packaged(wiring, instance, base_dt)
    assert tag is not None
    return tag


def _packaged(wiring: Wiring, instance: dg.DagsterInstance, base_dt: str) -> str | None:
    """The BentoML tag that the newest run of a base date reported."""
    runs = ModelRuns(instance, wiring.settings.model_name)
    made = runs.materialization(dg.AssetKey("bentoml_model"), base_dt)
    tag = made.metadata.get("bentoml_tag") if made else None
    return str(tag.value) if tag else None


def _is_complete(wiring: Wiring, base_dt: str, tag: str) -> bool:
    """Whether the package, and the results that belong to it, still exist."""
    packaged = {each.tag: each.identity for each in wiring.bentoml_store.packaged()}
    results = _results(wiring, base_dt)
    expected = (
        files.TRIALS_FILE, files.SEARCH_SUMMARY_FILE, files.DECISION_FILE, files.MODEL_CARD_FILE,
    )  # fmt: skip
    if tag not in packaged or not all(file in results for file in expected):
        return False
    mlflow_run_id = packaged[tag].mlflow_run_id
    return (
        results.read(SearchSummary).mlflow.best_run_id == mlflow_run_id
        and results.read(DecisionRecord).model.mlflow_run_id == mlflow_run_id
    )


def _results(wiring: Wiring, base_dt: str) -> ArtifactFolder:
    return wiring.artifacts.open(files.MODEL_FOLDER, base_dt)


def _report(wiring: Wiring, base_dt: str, tag: str, began: datetime | None, seconds: float) -> None:
    """Print the result; `began` is when the job was started, if it was."""
    folder = _results(wiring, base_dt)
    summary, trials = folder.read(SearchSummary), folder[files.TRIALS_FILE]
    record, records = folder.read(DecisionRecord), wiring.promotions.records()
    standing = standing_since(record, records, datetime.now(UTC))
    _print_trials(trials)
    rows = summary.rows
    for name, value in {
        "Base date": base_dt,
        "Rows": f"{sum(rows.values()):,} ({', '.join(f'{n:,} {k}' for k, n in rows.items())})",
        "Accuracy": _accuracy(wiring, base_dt, tag),
        "BentoML tag": tag,
        "Decision": _decision(standing, began),
        "Model card": folder.path / files.MODEL_CARD_FILE,
        "Artifacts": folder.path,
        "Took": f"{seconds:.0f} s",
        "UI": _ui(wiring),
    }.items():
        console.print(f"{name:<12}  {hanging(str(value), _VALUES_FROM)}", markup=False)


def _ui(wiring: Wiring) -> str:
    """How a person opens the UI: whoever says where it is also runs it."""
    url = wiring.settings.webserver_url
    is_run = "webserver_url" in wiring.settings.model_fields_set
    return url if is_run else f"{command_of('dev')}, then {url}"


def _decision(standing: Standing, began: datetime | None) -> str:
    """Where the model stands; what an earlier run decided is named as that."""
    if began and standing.serves and standing.decision.time < began:
        return f"{serves_already(standing.decision)}; packaged again."
    return standing.sentence


def _accuracy(wiring: Wiring, base_dt: str, tag: str) -> str:
    [metrics] = [each.metrics for each in wiring.bentoml_store.packaged(base_dt) if each.tag == tag]
    named = {"val_accuracy": "validation", "holdout_accuracy": "the holdout"}
    found = [f"{metrics[key]:.4f} on {name}" for key, name in named.items() if key in metrics]
    return f"{', '.join(found)} (by the class rule)"


def _print_trials(trials: Any) -> None:
    searched = ["depth", "rsm", "l2_leaf_reg"]
    completed = trials[trials["state"] == "completed"]
    ranked = completed.sort_values(
        ["val_accuracy", "val_log_loss", "trial"], ascending=[False, True, True]
    ).head(_BEST_SHOWN)
    table = Table(*["trial", *searched, "trees", "accuracy", "macro F1", "log-loss, raw"], box=None)
    for row in ranked.itertuples():
        table.add_row(
            str(row.trial),
            *(f"{getattr(row, name):g}" for name in searched),
            f"{row.iterations:.0f}",
            *(f"{x:.4f}" for x in (row.val_accuracy, row.val_macro_f1, row.val_log_loss)),
        )
    # A search knows no class rule yet, so that its accuracy is not the one of the package.
    best = f"The best {len(ranked)} of {len(trials)} trials"
    console.print(f"\n{best}, on validation, by the highest raw score:")
    print_table(table)
    console.print()


if __name__ == "__main__":
    sys.exit(command())
