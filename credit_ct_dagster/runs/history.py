"""What Dagster recorded of base dates: runs and results of checks, and how to delete them."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import IntegrityError

from credit_ct_dagster.contracts.model_name import DEFAULT_MODEL_NAME
from credit_ct_dagster.partitions import PARTITION_TAG, day_of, exists
from credit_ct_dagster.runs import dagster_internals
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import MONITORING_ASSETS
from credit_ct_dagster.runs.recorded import completed_checks, evaluations

BASE_DATE = "base_dt"
"""Metadata of a check's result: the base date that it is about."""

_MERGED = "features_target"
_FAILED = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
_FINISHED = {dg.DagsterRunStatus.SUCCESS, *_FAILED}


class RunHistory:
    """Runs and checks of one model on an instance, per base date.

    A run without a base date counts for the day on which it was created.
    """

    def __init__(self, instance: dg.DagsterInstance, model_name: str = DEFAULT_MODEL_NAME) -> None:
        self._instance = instance
        self._runs = ModelRuns(instance, model_name)

    def finished(self) -> dict[str, list[str]]:
        """Per base date, the ids of runs that have ended."""
        return self._ids(_FINISHED, self._runs.owns)

    def unfinished(self) -> dict[str, list[str]]:
        """Per base date, the ids of runs that are queued or in progress.

        One that is not known to be another model's may be this one's.
        """
        return self._ids(set(dg.DagsterRunStatus) - _FINISHED, self._runs.may_own)

    def check_results(self) -> dict[str, dict[str, bool]]:
        """Per base date and check, whether it passed when it was last reported.

        Checks of what was served are left out: they are about a day on which answers were given.
        """
        runs = {run.run_id: run for run in self._runs.recorded()}
        checks = [
            check
            for check in completed_checks(self._instance)
            if check.key.asset_key.to_user_string() not in MONITORING_ASSETS
            and (check.run_id not in runs or self._runs.may_own(runs[check.run_id]))
        ]
        base_dates = {run_id: run.tags.get(PARTITION_TAG) for run_id, run in runs.items()}
        known = {each.number: each.partition or base_dates.get(each.run_id) for each in checks}
        others = [check for check in checks if known[check.number] is None]
        for number, evaluation in evaluations(self._instance, others).items():
            if BASE_DATE in evaluation.metadata:
                known[number] = str(evaluation.metadata[BASE_DATE].value)
        results: dict[str, dict[str, bool]] = {}
        for check in checks:
            base_dt = known[check.number]
            if base_dt is not None:
                results.setdefault(base_dt, {}).setdefault(check.key.name, check.passed)
        return results

    def size(self, run_id: str) -> int:
        """Bytes of a run's files on a disk of this machine, without what a database holds."""
        files = [file for file in self._event_files(run_id) if file.exists()]
        logs = dagster_internals.compute_log_folder(self._instance, run_id)
        if logs and logs.exists():
            files += [path for path in logs.rglob("*") if path.is_file()]
        return sum(file.stat().st_size for file in files)

    def remove(self, run_id: str) -> None:
        """Delete a run's logs, checks and events, then the run; killed between, it is still listed.

        `DagsterInstance.delete_run` deletes the run first, and retains the files.
        """
        self._instance.compute_log_manager.delete_logs(prefix=[run_id])
        dagster_internals.delete_check_results(self._instance, run_id=run_id)
        self._instance.event_log_storage.delete_events(run_id)
        for file in self._event_files(run_id):
            file.unlink(missing_ok=True)
        self._instance.run_storage.delete_run(run_id)

    def failed(self, base_dt: str) -> dict[str, list[str]]:
        """The runs of a base date that failed or were cancelled, newest first.

        Returns:
            Per run id, the assets that no later run has materialized: what is known of them would
            be deleted with the run. Merged rows alone are none, unless another run of the base
            date succeeded or has not ended: the next merge replaces them.
        """
        found = self._runs.all_records(dg.RunsFilter(tags={PARTITION_TAG: base_dt}))
        runs = [each.dagster_run for each in found if self._runs.owns(each.dagster_run)]
        failed = [run for run in runs if run.status in _FAILED]
        made = {run.run_id: self._in_use(run.run_id, base_dt) for run in failed}
        if len(failed) == len(runs):
            return {run_id: [] if of == [_MERGED] else of for run_id, of in made.items()}
        return made

    def _in_use(self, run_id: str, base_dt: str) -> list[str]:
        made = self._instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        assets = {each.asset_key for each in made.records if each.asset_key}
        newest = {asset: self._runs.materialized(asset, base_dt) for asset in assets}
        return sorted(
            asset.to_user_string()
            for asset, record in newest.items()
            if record and record.run_id == run_id
        )

    def forget_status(self) -> None:
        """Let the UI count base dates again, as after runs were deleted."""
        self._instance.wipe_asset_cached_status(self._instance.all_asset_keys())

    def remove_reported_checks(self, base_dt: str) -> None:
        """Delete what was reported of a base date outside of runs, as that its rows have expired.

        The UI then counts the materialized base dates again. It is retained while another model has
        runs of the base date: the rows are those of both.
        """
        wanted = dg.RunsFilter(tags={PARTITION_TAG: base_dt})
        if not all(self._runs.owns(each.dagster_run) for each in self._runs.all_records(wanted)):
            return
        dagster_internals.delete_check_results(
            self._instance, partition=base_dt, run_id=dagster_internals.RUNLESS_RUN_ID
        )
        self.forget_status()

    def report_check_result(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Report outside of a run what a check would find, in place of an earlier such report."""
        with suppress(IntegrityError):  # another run has just reported the same
            dagster_internals.replace_reported_check(self._instance, evaluation)

    def _ids(
        self, statuses: Iterable[dg.DagsterRunStatus], counts: Callable[[dg.DagsterRun], bool]
    ) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for record in self._runs.all_records(dg.RunsFilter(statuses=list(statuses))):
            run = record.dagster_run
            if not counts(run):
                continue
            base_dt = run.tags.get(PARTITION_TAG, "")
            if not exists(base_dt):
                base_dt = day_of(record.create_timestamp.timestamp())
            found[base_dt].append(run.run_id)
        return found

    def _event_files(self, run_id: str) -> list[Path]:
        return dagster_internals.event_files(self._instance, run_id)
