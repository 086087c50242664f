"""Make a history of many base dates out of the trained one that the stores hold, in a process."""

import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import click
import dagster as dg
import sqlalchemy as sa

from benchmarks.history_copies import DagsterHistory, Names, copy_folder, copy_package
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.evidence.merged_rows import EXPIRY_CHECK, FEATURES_TARGET
from credit_ct_dagster.partitions import last_expired
from credit_ct_dagster.resources.feature_store.tables import Tables
from credit_ct_dagster.runs.history import BASE_DATE, RunHistory
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster.wiring import Wiring

_FOLDERS = (files.PREPROCESSING_FOLDER, files.MODEL_FOLDER, files.SCORES_FOLDER)


def base_dates(original: str, number: int) -> Iterator[str]:
    """The base dates after one."""
    first = date.fromisoformat(original)
    return ((first + timedelta(days=n)).isoformat() for n in range(1, number + 1))


def copies_of(original: str, number: int, wiring: Wiring, history: DagsterHistory) -> list[Names]:
    """Record a base date again for each of so many days after it; returns their names.

    Its champion stays the champion, and decisions were taken on all of them, as the gate decided on
    the original after its first promotion.
    """
    store, artifacts = wiring.bentoml_store, wiring.artifacts
    packages = [each.folder for each in store.packaged(original)]
    runs = history.run_ids(original)
    days, versions = list(base_dates(original, number)), [each.name for each in packages]
    copies = [Names.of(base_dt, original, days[-1], runs, versions) for base_dt in days]
    history.copy(runs, copies)
    for names in copies:
        for template in _FOLDERS:
            source = Path(artifacts.open(template, original).path.path)
            target = Path(artifacts.open(template, names.base_dt).path.path)
            copy_folder(source, target, names.text)
        for package in packages:
            copy_package(package, names)
    _decide(original, copies, wiring)
    _leave_rows(original, copies[-1].base_dt, wiring)
    return copies


def _decide(original: str, copies: list[Names], wiring: Wiring) -> None:
    """Append the decision on every copy, each with the hash of the one before."""
    decisions = wiring.promotions.decisions
    decided = wiring.artifacts.open(files.MODEL_FOLDER, original).read(DecisionRecord)
    before = decisions.read()
    number, preceding = before.next_number, before.newest_sha256
    for names in copies:
        text = names.text(decided.to_json().decode())
        record = DecisionRecord.from_json(text.encode(), "a copy").model_copy(
            update={"number": number, "preceding_sha256": preceding}
        )
        decisions.append(record)
        wiring.artifacts.write(files.MODEL_FOLDER, names.base_dt, {files.DECISION_FILE: record})
        number, preceding = number + 1, sha256(record.to_json()).hexdigest()


def _leave_rows(original: str, newest: str, wiring: Wiring) -> None:
    """Merged rows of the base dates that retention has not deleted yet."""
    target = Tables.of_schema().target
    retained = last_expired(newest, wiring.settings.retention_days) or original
    later = (date.fromisoformat(newest) - date.fromisoformat(retained)).days
    with wiring.feature_store.database.transaction() as connection:
        rows = sa.select(target).where(target.c.base_dt == original)
        found = [dict(row._mapping) for row in connection.execute(rows)]
        for base_dt in base_dates(retained, later):
            connection.execute(sa.insert(target), [row | {"base_dt": base_dt} for row in found])
        connection.execute(sa.delete(target).where(target.c.base_dt <= retained))


def report_expired(base_dts: list[str], instance: dg.DagsterInstance) -> None:
    """Report that the rows of base dates have expired, as merges do."""
    history = RunHistory(instance)
    for base_dt in base_dts:
        evaluation = dg.AssetCheckEvaluation(
            FEATURES_TARGET,
            EXPIRY_CHECK,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"The 5,151 rows of base date {base_dt} have expired.",
            metadata={BASE_DATE: base_dt, "observed": 0, "limit": 5_151},
            partition=base_dt,
        )
        instance.report_runless_asset_event(
            dg.AssetObservation(FEATURES_TARGET, partition=base_dt, description="expired")
        )
        history.report_check_result(evaluation)


@click.command()
@click.option("--original", required=True, help="The base date that was trained.")
@click.option("--number", type=int, required=True, help="How many copies to make.")
@click.option("--result", type=click.Path(path_type=Path), required=True)
def main(original: str, number: int, result: Path) -> None:
    """Copy a base date, in the stores of the environment; history is in SQLite."""
    started = time.perf_counter()
    wiring = Wiring(set_up_process())
    history = DagsterHistory.on_sqlite(Path("var/dagster/history"))
    copies = copies_of(original, number, wiring, history)
    expired = last_expired(copies[-1].base_dt, wiring.settings.retention_days) or ""
    with configured_instance() as instance:
        report_expired(
            [each for each in (original, *(c.base_dt for c in copies)) if each <= expired], instance
        )
    result.write_text(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
