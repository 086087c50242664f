"""One base date's customers, scored as the asset does it, in a process that measures itself."""

import json
import logging
import time
from pathlib import Path

import click
from distributed import Client

from benchmarks.engine import peak_gib
from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.resources.feature_store.rows_to_score import Customers
from credit_ct_dagster.scoring import dask_workers  # noqa: F401 - imported before the measurement
from credit_ct_dagster.scoring.scoring import PinnedModel, ScoringRequest, score_customers
from credit_ct_dagster.wiring import Wiring

CHUNK_ROWS = 50_000


@click.command()
@click.argument("base_dt")
@click.option("--reasons", is_flag=True)
@click.option("--chunk-rows", type=int, default=CHUNK_ROWS, show_default=True)
@click.option("--scheduler-file", type=click.Path(exists=True), help="Of Dask's scheduler.")
@click.option("--workers", type=int, default=0, help="Of Dask, to wait for.")
@click.option("--result", type=click.Path(path_type=Path), required=True)
def main(
    base_dt: str,
    reasons: bool,
    chunk_rows: int,
    scheduler_file: str | None,
    workers: int,
    result: Path,
) -> None:
    """Score the feature rows of BASE_DT with the champion."""
    wiring = Wiring(set_up_process())
    scheduler = None
    if scheduler_file:
        with Client(scheduler_file=scheduler_file) as client:
            client.wait_for_workers(workers, timeout=60)
            scheduler = client.scheduler.address
    champion = wiring.promotions.champion()
    assert champion is not None
    package = wiring.promotions.load(champion)
    request = ScoringRequest(
        model_name=wiring.settings.model_name,
        base_dt=base_dt,
        customers=Customers.of_base_date,
        reasons=reasons,
        chunk_rows=chunk_rows,
        max_quarantined_share=0.02,
        dagster_run_id="benchmark",
        scheduler=scheduler,
    )
    model = PinnedModel(champion, package.scorer, package.data.limits)
    started = time.perf_counter()
    scoring = score_customers(
        request, model, wiring.feature_store.database, logging.getLogger("scored")
    )
    seconds = time.perf_counter() - started
    found = {"seconds": seconds, "peak_gib": peak_gib(), "rows": scoring.summary.rows}
    result.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
