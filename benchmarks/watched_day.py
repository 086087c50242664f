"""What is computed of a prediction day, in a process that measures itself."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks.engine import peak_gib
from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.modeling.watching.skew_rules import SkewRules
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster.runs.model_runs import MODEL_TAG
from credit_ct_dagster.runs.purposes import MONITORING
from credit_ct_dagster.wiring import Wiring


@click.command()
@click.argument("day")
@click.option("--assets", is_flag=True, help="Materialize the day's assets; without, only read.")
@click.option("--server", type=int, required=True, help="The process of the database.")
@click.option("--result", type=click.Path(path_type=Path), required=True)
def main(day: str, assets: bool, server: int, result: Path) -> None:
    """Read, or materialize, what was served on DAY."""
    wiring, database = Wiring(set_up_process()), psutil.Process(server)
    before = _cpu(psutil.Process()) + _cpu(database)
    steps = _materialized(wiring, day) if assets else _read(wiring, day, database)
    found = {
        "seconds": sum(step["s"] for step in steps),
        "cpu_seconds": _cpu(psutil.Process()) + _cpu(database) - before,
        "peak_gib": peak_gib(),
        "steps": steps,
    }
    result.write_text(json.dumps(found))


def _read(wiring: Wiring, day: str, server: psutil.Process) -> list[dict[str, Any]]:
    """Everything that the assets of a day read, one after the other."""
    import pandas  # noqa: F401 - what the first step imports is no part of it
    import pyarrow.compute
    import pyarrow.json  # noqa: F401

    answers = ServedAnswers(wiring.feature_store.database, wiring.settings.model_name)
    champion = wiring.promotions.champion()
    assert champion is not None
    scorer = wiring.promotions.load(champion).scorer
    compared = SkewRules().most_rows
    shadowed = answers.features_of_day(day, most_rows=ShadowRules().most_rows)
    reads: dict[str, Callable[[], Any]] = {
        "of_day": lambda: answers.of_day(day),
        "features_of_day": lambda: answers.features_of_day(day, most_rows=compared),
        "beside_the_store": lambda: answers.beside_the_store(day, most_rows=compared).served,
        "features_of_day, scored in the shadow": lambda: scorer.answer_rows(
            answers.features_of_day(day, most_rows=ShadowRules().most_rows)
        ),
        "of_keys": lambda: answers.of_keys(
            shadowed[[columns.SOURCE, columns.KEY]].assign(**{columns.DAY: day})
        ),
        "volumes": lambda: answers.volumes(day, day),
    }
    here = psutil.Process()
    steps = []
    for name, read in reads.items():
        before, started = (_cpu(here), _cpu(server)), time.perf_counter()
        rows = len(read())
        steps.append(
            {
                "": name,
                "s": time.perf_counter() - started,
                "CPU here, s": _cpu(here) - before[0],
                "CPU of the server, s": _cpu(server) - before[1],
                "rows": rows,
                "peak so far, GiB": peak_gib(),
            }
        )
    return steps


def _materialized(wiring: Wiring, day: str) -> list[dict[str, Any]]:
    """The job that runs every morning, in this process."""
    from credit_ct_dagster.definitions import build

    with configured_instance() as instance:
        done = (
            build(wiring.settings)
            .resolve_job_def(MONITORING)
            .execute_in_process(
                partition_key=day,
                instance=instance,
                tags={MODEL_TAG: wiring.settings.model_name},
                run_config={"loggers": {"terminal": {}}},
            )
        )
        stats = instance.get_run_step_stats(done.run_id)
    return [
        {"": step.step_key, "s": (step.end_time or 0) - (step.start_time or 0)} for step in stats
    ]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
