"""That a test finds nothing of another one."""

from pathlib import Path

import pytest

from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster_tests.trained import Trained


def test_a_history_that_is_held_open_is_not_that_of_commands(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a test records is in its own folder, whichever tests ran before."""
    monkeypatch.chdir(tmp_path)
    with configured_instance() as instance:
        assert Path(instance.root_directory).resolve().is_relative_to(tmp_path)
        assert not instance.get_runs()
    assert trained.instance.get_runs()
