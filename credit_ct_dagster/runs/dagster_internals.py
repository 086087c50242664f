"""What the package needs of `dagster._…`: each internal by a name and a reason.

An internal that an upgrade moved is an ImportError that names this module;
`docs/decisions/0001-dependencies.md` tells how to raise Dagster's version.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import sqlalchemy as sa

if TYPE_CHECKING:
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage


@contextmanager
def internals_of_dagster() -> Iterator[None]:
    """Report in plain words that an import failed because Dagster moved something.

    Raises:
        ImportError: Such an import failed.
    """
    try:
        yield
    except ImportError as error:
        name = re.search(r"cannot import name '(\w+)'", str(error))
        raise ImportError(
            f"Dagster moved {name[1] if name else error.name}: see"
            f" credit_ct_dagster/runs/dagster_internals.py. Dagster {dg.__version__} is installed;"
            " pyproject.toml has the versions that were tested."
        ) from error


with internals_of_dagster():
    from dagster._config import EvaluateValueResult
    from dagster._core.definitions.definition_config_schema import ConfiguredDefinitionConfigSchema
    from dagster._core.errors import DagsterUserCodeProcessError
    from dagster._core.event_api import PartitionKeyFilter
    from dagster._core.instance import InstanceRef
    from dagster._core.instance.utils import RUNLESS_RUN_ID
    from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
    from dagster._core.storage.asset_check_execution_record import (
        COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
        AssetCheckExecutionRecordStatus,
    )
    from dagster._utils.error import SerializableErrorInfo

__all__ = ["RUNLESS_RUN_ID", "CheckRunHealthResult", "SerializableErrorInfo", "WorkerStatus"]

# The storages take a third of a second to import, which the code location does not need: they are
# imported where they are used.


# Instances and daemons


def open_instance(folder: Path, config_dir: Path) -> dg.DagsterInstance:
    """Open an instance whose `dagster.yaml` is not where its files are (`from_config`: it is)."""
    reference = InstanceRef.from_dir(str(folder.absolute()), config_dir=str(config_dir))
    return dg.DagsterInstance.from_ref(reference)


def daemon_signs(instance: dg.DagsterInstance, within_seconds: float) -> dict[str, bool]:
    """Per daemon that the instance needs, whether it gave a sign of life of late.

    `DagsterInstance.get_daemon_statuses` only reports it after half an hour.
    """
    heartbeats, oldest = instance.get_daemon_heartbeats(), time.time() - within_seconds
    return {
        kind: kind in heartbeats and heartbeats[kind].timestamp >= oldest
        for kind in instance.get_required_daemon_types()
    }


def switched_instigators(instance: dg.DagsterInstance) -> dict[str, bool]:
    """The schedules and sensors that a person switched on or off, by name; the state has no API."""
    return {
        state.name: state.status.value == "RUNNING"
        for state in instance.all_instigator_state()
        if state.status.value != "DECLARED_IN_CODE"
    }


# Run configuration


class _CheckedSchema(ConfiguredDefinitionConfigSchema):
    """The one place where Dagster lets a definition judge its configuration when planning.

    It is the mechanism behind `@configured`, which assets do not offer.
    """

    def __init__(self, config_class: type[dg.Config], check: Callable[[Any], None]) -> None:
        self._field = config_class.to_config_schema().as_field()
        self._check = check

    def as_field(self) -> dg.Field:
        return self._field

    def resolve_config(self, processed_config: Any) -> EvaluateValueResult:
        self._check(processed_config.get("config", {}))
        return EvaluateValueResult.for_value(processed_config)


def check_config_when_planned(
    assets: dg.AssetsDefinition, config_class: type[dg.Config], check: Callable[[Any], None]
) -> None:
    """Let a function judge the configuration of an asset when a run is planned.

    Dagster only checks names and types then, and pydantic's limits when the step runs. It can go
    when Dagster validates `Config` at that point itself.

    Args:
        assets: The asset.
        config_class: Describes its configuration.
        check: Gets the configuration, and raises to refuse it.
    """
    assets.op._config_schema = _CheckedSchema(config_class, check)


# Failures


class PlainFailure(DagsterUserCodeProcessError, dg.Failure):  # noqa: N818 - as Dagster's own
    """A failure whose run shows its description only: it is no bug, and its stack trace no help.

    Dagster has no option for it. It shows the error of another process as that one reported it, and
    takes this failure for one.
    """

    def __init__(self, description: str, metadata: dict[str, Any]) -> None:
        dg.Failure.__init__(self, description, metadata, allow_retries=False)
        shown = SerializableErrorInfo(f"{description}\n", [], "Failure")
        self.user_code_process_error_infos = [shown]


# Results of asset checks


STATUSES_OF_COMPLETED_CHECKS = [
    status.value for status in COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
]
STATUS_OF_PASSED_CHECKS = AssetCheckExecutionRecordStatus.SUCCEEDED.value


@contextmanager
def table_of_checks(instance: dg.DagsterInstance) -> Iterator[tuple[sa.Connection, sa.Table]]:
    """The table of their results, with a connection to it."""
    with internals_of_dagster():
        from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    with _event_log(instance).index_connection() as connection:
        yield connection, AssetCheckExecutionsTable


def last_failed_check(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, partition: str
) -> float | None:
    """When a check was last reported as failed for a partition, in seconds since 1970."""
    history = instance.event_log_storage.get_asset_check_execution_history(
        key,
        limit=1,
        status={AssetCheckExecutionRecordStatus.FAILED},
        partition_filter=PartitionKeyFilter(key=partition),
    )
    return history[0].event.timestamp if history and history[0].event else None


def delete_check_results(instance: dg.DagsterInstance, **where: str | None) -> None:
    """Delete results of checks, which Dagster retains for good when their run is deleted.

    Of its public calls, only `wipe_assets` deletes results, and then those of all base dates.

    Args:
        instance: Where.
        where: Which ones, by columns of Dagster's table: `run_id`, `partition` (of results that
            were reported outside of runs), `asset_key`, `check_name`.
    """
    with internals_of_dagster():
        from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    chosen = [AssetCheckExecutionsTable.c[name] == value for name, value in where.items()]
    with _event_log(instance).index_transaction() as connection:
        connection.execute(AssetCheckExecutionsTable.delete().where(*chosen))


def replace_reported_check(
    instance: dg.DagsterInstance, evaluation: dg.AssetCheckEvaluation
) -> None:
    """Report the result of a check outside of a run, instead of the one reported before.

    Dagster retains one such result per check and partition, and fails at a second one.

    Raises:
        sqlalchemy.exc.IntegrityError: Another process reported one in between.
    """
    delete_check_results(
        instance,
        asset_key=evaluation.asset_key.to_string(),
        check_name=evaluation.check_name,
        partition=evaluation.partition,
        run_id=RUNLESS_RUN_ID,
    )
    instance.report_runless_asset_event(evaluation)


def _event_log(instance: dg.DagsterInstance) -> "SqlEventLogStorage":
    with internals_of_dagster():
        from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    return storage


# Runs


@contextmanager
def tables_of_runs(
    instance: dg.DagsterInstance,
) -> Iterator[tuple[sa.Connection, sa.Table, sa.Table]]:
    """The tables of runs and of their tags, with a connection to them."""
    with internals_of_dagster():
        from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
        from dagster._core.storage.runs.sql_run_storage import SqlRunStorage

    storage = instance.run_storage
    assert isinstance(storage, SqlRunStorage)
    with storage.connect() as connection:
        yield connection, RunsTable, RunTagsTable


# Files of runs


def event_files(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """The files of the database that SQLite storage has per run, and that deleting a run leaves."""
    with internals_of_dagster():
        from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return []
    path = storage.path_for_shard(run_id)
    return [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")]


def compute_log_folder(instance: dg.DagsterInstance, run_id: str) -> Path | None:
    """Where the captured output of a run is; None if it is on no disk of this machine."""
    with internals_of_dagster():
        from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

    manager = instance.compute_log_manager
    if not isinstance(manager, LocalComputeLogManager):
        return None
    return Path(manager.get_captured_local_path([run_id, "any"], "out")).parent


# Processes of runs


def is_executing(launcher: dg.DefaultRunLauncher, run_id: str) -> bool | None:
    """Whether the code location that started a run still executes it.

    Dagster's default launcher has no check of its own; this is how it would cancel the run.

    Returns:
        None for a run that has ended meanwhile, or that no code location started.

    Raises:
        DagsterUserCodeUnreachableError: The code location does not answer.
    """
    with internals_of_dagster():
        from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult

    client = launcher._get_grpc_client_for_termination(run_id)
    if client is None:
        return None
    answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id))
    return dg.deserialize_value(answer, CanCancelExecutionResult).can_cancel
