"""Runs and results of checks as rows of Dagster's tables, of which there are thousands.

Dagster's own queries deserialize a run, or an event, for every row: a hundred times the work.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg
import sqlalchemy as sa

from credit_ct_dagster.runs import dagster_internals

_AT_ONCE = 500  # SQLite takes a thousand parameters at least


@dataclass(frozen=True)
class RecordedRun:
    """A run without its configuration.

    Attributes:
        run_id: The run.
        job_name: Its job.
        status: Its status.
        tags: Those that were asked for, as far as it has them.
    """

    run_id: str
    job_name: str
    status: dg.DagsterRunStatus
    tags: Mapping[str, str]


@dataclass(frozen=True)
class CompletedCheck:
    """One result of an asset check.

    Attributes:
        number: Of its row, by which `evaluations` reads what it reported.
        key: The check.
        passed: Whether it passed.
        run_id: The run that executed it; empty if it was reported outside of a run.
        partition: The partition that was reported; None for one of a run.
    """

    number: int
    key: dg.AssetCheckKey
    passed: bool
    run_id: str
    partition: str | None


def recorded_runs(instance: dg.DagsterInstance, tags: Collection[str]) -> list[RecordedRun]:
    """Every run, newest first, with some of its tags."""
    with dagster_internals.tables_of_runs(instance) as (connection, runs, run_tags):
        chosen = run_tags.c.key.in_(tags)
        tagged = connection.execute(
            sa.select(run_tags.c.run_id, run_tags.c.key, run_tags.c.value).where(chosen)
        ).all()
        found = connection.execute(
            sa.select(runs.c.run_id, runs.c.pipeline_name, runs.c.status).order_by(runs.c.id.desc())
        ).all()
    of_runs: dict[str, dict[str, str]] = defaultdict(dict)
    for run_id, key, value in tagged:
        of_runs[run_id][key] = value
    return [
        RecordedRun(run_id, job_name, dg.DagsterRunStatus(status), of_runs.get(run_id, {}))
        for run_id, job_name, status in found
    ]


def completed_checks(instance: dg.DagsterInstance) -> Iterator[CompletedCheck]:
    """Every result of every check, newest first."""
    keys: dict[tuple[str, str], dg.AssetCheckKey] = {}
    with dagster_internals.table_of_checks(instance) as (connection, table):
        columns = table.c
        rows = connection.execute(
            sa.select(
                columns.id, columns.asset_key, columns.check_name, columns.execution_status,
                columns.run_id, columns.partition,
            )
            .where(columns.execution_status.in_(dagster_internals.STATUSES_OF_COMPLETED_CHECKS))
            .order_by(columns.id.desc())
        ).all()  # fmt: skip
    for number, asset_key, name, status, run_id, partition in rows:
        key = keys.get((asset_key, name))
        if key is None:
            asset = dg.AssetKey.from_db_string(asset_key)
            assert asset is not None
            key = keys[asset_key, name] = dg.AssetCheckKey(asset, name)
        passed = status == dagster_internals.STATUS_OF_PASSED_CHECKS
        yield CompletedCheck(number, key, passed, run_id or "", partition)


def evaluations(
    instance: dg.DagsterInstance, checks: Iterable[CompletedCheck]
) -> dict[int, dg.AssetCheckEvaluation]:
    """What checks reported, by the number of each; to read an event takes most of the time."""
    numbers, found = [check.number for check in checks], {}
    for start in range(0, len(numbers), _AT_ONCE):
        with dagster_internals.table_of_checks(instance) as (connection, table):
            chosen = table.c.id.in_(numbers[start : start + _AT_ONCE])
            rows = connection.execute(
                sa.select(table.c.id, table.c.evaluation_event).where(chosen)
            ).all()
        for number, event in rows:
            entry = dg.deserialize_value(event, dg.EventLogEntry)
            evaluation = entry.dagster_event and entry.dagster_event.asset_check_evaluation_data
            if evaluation:
                found[number] = evaluation
    return found
