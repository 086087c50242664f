"""Dagster's history of runs, by base date, and how to be rid of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.instance.utils import RUNLESS_RUN_ID
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from sqlalchemy.exc import IntegrityError

from credit_ct_dagster.partitions import PARTITION_TAG, day_of, exists

_PAGE = 500


class RunHistory:
    """Runs of an instance per base date; one without a base date counts for the day it began."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def finished(self) -> dict[str, list[str]]:
        """Per base date, the ids of runs that have ended."""
        return self._ids(FINISHED_STATUSES)

    def unfinished(self) -> dict[str, list[str]]:
        """Per base date, the ids of runs that are queued or go on."""
        return self._ids(NOT_FINISHED_STATUSES)

    def size(self, run_id: str) -> int:
        """Bytes of a run's files on a disk of this machine, without what lies in a database."""
        files = [file for file in self._own_files(run_id) if file.exists()]
        logs = self._compute_logs(run_id)
        if logs and logs.exists():
            files += [path for path in logs.rglob("*") if path.is_file()]
        return sum(file.stat().st_size for file in files)

    def remove(self, run_id: str) -> None:
        """Delete a run's logs, checks and events, then the run; killed between, it is still listed.

        `DagsterInstance.delete_run` goes the other way round, and leaves the files.
        """
        self._instance.compute_log_manager.delete_logs(prefix=[run_id])
        self._delete_check_results(AssetCheckExecutionsTable.c.run_id == run_id)
        self._instance.event_log_storage.delete_events(run_id)
        for file in self._own_files(run_id):
            file.unlink(missing_ok=True)
        self._instance.run_storage.delete_run(run_id)

    def forget(self, base_dt: str) -> None:
        """Delete what was said of a base date outside of its runs, such as that its rows expired.

        And let the UI count anew which base dates are materialized.
        """
        self._delete_check_results(AssetCheckExecutionsTable.c.partition == base_dt)
        self._instance.wipe_asset_cached_status(self._instance.all_asset_keys())

    def say(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Say outside of a run what a check would find, instead of what was said so before.

        Dagster keeps one such evaluation per check and base date, and fails at a second one.
        """
        said = AssetCheckExecutionsTable.c
        self._delete_check_results(
            sa.and_(
                said.asset_key == evaluation.asset_key.to_string(),
                said.check_name == evaluation.check_name,
                said.partition == evaluation.partition,
                said.run_id == RUNLESS_RUN_ID,
            )
        )
        with suppress(IntegrityError):  # another run has just said the same
            self._instance.report_runless_asset_event(evaluation)

    def _delete_check_results(self, which: sa.ColumnElement[bool]) -> None:
        """Those that the UI lists per check: Dagster leaves them there for ever."""
        storage = self._instance.event_log_storage
        assert isinstance(storage, SqlEventLogStorage)
        with storage.index_transaction() as connection:
            connection.execute(AssetCheckExecutionsTable.delete().where(which))

    def _ids(self, statuses: Iterable[dg.DagsterRunStatus]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for record in self._records(dg.RunsFilter(statuses=list(statuses))):
            run = record.dagster_run
            base_dt = run.tags.get(PARTITION_TAG, "")
            if not exists(base_dt):
                base_dt = day_of(record.create_timestamp.timestamp())
            found[base_dt].append(run.run_id)
        return found

    def _records(self, wanted: dg.RunsFilter) -> Iterator[dg.RunRecord]:
        cursor = None
        while page := self._instance.get_run_records(wanted, limit=_PAGE, cursor=cursor):
            yield from page
            cursor = page[-1].dagster_run.run_id

    def _own_files(self, run_id: str) -> list[Path]:
        """The files of a run's own database, which SQLite storage keeps."""
        storage = self._instance.event_log_storage
        if not isinstance(storage, SqliteEventLogStorage):
            return []
        path = storage.path_for_shard(run_id)
        return [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")]

    def _compute_logs(self, run_id: str) -> Path | None:
        manager = self._instance.compute_log_manager
        if not isinstance(manager, LocalComputeLogManager):
            return None
        return Path(manager.get_captured_local_path([run_id, "any"], "out")).parent
