"""Where runs are processes: the code location, which run monitoring asks after them."""

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value


class CodeLocationRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher, with an answer to whether a run's process is alive.

    A code location fails runs whose process dies. Nobody fails those that die with the code
    location itself: they would stay started, and hold their pool, for ever. Drop this when
    Dagster's own launcher supports health checks.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Ask the code location that started the run whether it still executes it.

        Raises:
            DagsterUserCodeUnreachableError: It does not answer, so nothing is known; run monitoring
                asks again.
        """
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None:  # it has ended meanwhile, or a command line executes it
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        answer = deserialize_value(
            client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id)),
            CanCancelExecutionResult,
        )
        if answer.can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, "The code location was restarted while it executed the run."
        )
