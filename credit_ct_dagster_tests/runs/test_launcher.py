"""A run that dies with its code location is failed, seen against a real code location."""

from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.runs.reasons import reason_of
from credit_ct_dagster_tests.dagster_internals import code_location_at, errors_of_run_monitoring
from credit_ct_dagster_tests.runs.code_location import NAME, code_location, launch_waiting, status
from credit_ct_dagster_tests.servers import free_port

pytestmark = pytest.mark.integration


def test_run_monitoring_knows_whether_a_run_lives(tmp_path: Path) -> None:
    """One that is executed is not touched, also while its code location does not answer."""
    port = free_port()
    launcher = {
        "module": "credit_ct_dagster.runs.launcher",
        "class": "CodeLocationRunLauncher",
    }
    overrides = {"run_launcher": launcher, "run_monitoring": {"enabled": True}}
    with dg.instance_for_test(overrides=overrides) as instance, ExitStack() as server:
        server.enter_context(code_location(tmp_path, port))
        with code_location_at(instance, port, NAME) as context:
            run_id = launch_waiting(context)
            assert not errors_of_run_monitoring(context)
            assert status(instance, run_id) == dg.DagsterRunStatus.STARTED
            server.close()
            assert errors_of_run_monitoring(context)
            assert status(instance, run_id) == dg.DagsterRunStatus.STARTED
            server.enter_context(code_location(tmp_path, port))
            assert not errors_of_run_monitoring(context)
            assert status(instance, run_id) == dg.DagsterRunStatus.FAILURE
            logged = instance.all_logs(run_id)
            reason = reason_of(entry.dagster_event for entry in logged if entry.dagster_event)
            assert reason is not None
            assert reason.code == "CT-RUN-2"
