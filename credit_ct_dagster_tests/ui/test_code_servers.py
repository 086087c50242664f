"""The UI's pages and its daemon ask the same code server."""

from pathlib import Path

import dagster as dg
import psutil
import pytest

from credit_ct_dagster.ui.dagster_processes import shared_code_servers, workspace_of
from credit_ct_dagster_tests.platform import REPOSITORY

pytestmark = pytest.mark.integration

_WORKSPACE = f"""
load_from:
  - python_module:
      module_name: credit_ct_dagster_tests.ui.small_location
      location_name: small
      working_directory: {REPOSITORY}
"""


def _code_servers() -> list[psutil.Process]:
    """The processes below this one that have loaded a code location."""
    below = psutil.Process().children(recursive=True)
    return [each for each in below if {"api", "grpc"} <= set(each.cmdline())]


def test_a_code_location_is_loaded_once(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """However many ask it, and its process ends with the last of them."""
    file = tmp_path / "workspace.yaml"
    file.write_text(_WORKSPACE)
    before = len(_code_servers())
    with shared_code_servers(instance, file) as shared:
        for _ in ("the pages", "the daemon"):
            with workspace_of(instance, shared) as context:
                [location] = context.create_request_context().code_locations
                [repository] = location.get_repositories().values()
                assert location.name == "small"
                assert repository.has_job("make_one")
        started = _code_servers()[before:]
        assert len(started) == 1
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []
