"""The run launcher for runs that are processes of a code location."""

import dagster as dg

from credit_ct_dagster.errors.base import with_reference
from credit_ct_dagster.errors.operation import ProcessKilledError
from credit_ct_dagster.runs.dagster_internals import (
    CheckRunHealthResult,
    WorkerStatus,
    is_executing,
)

_RESTARTED = "The code location was restarted while it executed the run."


class CodeLocationRunLauncher(dg.DefaultRunLauncher):
    """Dagster's default launcher, with an answer to whether a run's process is alive.

    A code location fails runs whose process dies. Nothing fails those that die with the code
    location itself: they would stay started, and occupy their pool, for ever. Drop this when
    Dagster's own launcher supports health checks.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may check runs."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Ask the code location that started the run whether it still executes it.

        Raises:
            DagsterUserCodeUnreachableError: It does not answer, so nothing is known; run monitoring
                checks again.
        """
        if is_executing(self, run.run_id) is False:
            message = with_reference(_RESTARTED, ProcessKilledError.code)
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, message)
        return CheckRunHealthResult(WorkerStatus.RUNNING)
