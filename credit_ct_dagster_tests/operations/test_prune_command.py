"""`credit-ct prune`, with real stores."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from click.testing import Result

from credit_ct_dagster_tests.operations.world import (
    EVERYWHERE,
    NOT_PROMOTED,
    OLD,
    OLDER,
    PROMOTED,
    World,
    days_ago,
)
from credit_ct_dagster_tests.stored_splits import store_splits


@pytest.fixture
def prune(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command, on this platform."""
    home = world.platform.folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        world.instance = instance
        yield lambda *arguments: world.platform.command("prune", *arguments)


def test_the_command_deletes_only_with_yes(world: World, prune: Any) -> None:
    """It lists what, how much, and what is retained; nothing to delete is no failure."""
    assert "has anything to delete" in prune().output
    world.train(OLDER, PROMOTED)
    world.train(OLD, NOT_PROMOTED)
    for day in (days_ago(130), days_ago(131)):
        store_splits(world.platform.artifacts, day)
    looked: Result = prune()
    assert looked.exit_code == 0, looked.output
    assert f"Base date {OLDER} is retained: champion" in looked.output
    printed = " ".join(looked.output.split())
    assert f"The holdouts of 2 base dates, {days_ago(131)} to {days_ago(130)}, are" in printed
    assert "or a later one, is judged on it" in printed
    assert "Nothing was deleted" in looked.output
    assert len(world.remaining(OLD)) == 9
    found = json.loads(prune("--json", "--keep-days", "93").output)
    assert set(found["expired"]) == set(found["holdouts"]) == {days_ago(130), days_ago(131)}
    deleted = json.loads(prune("--yes", "--json").output)
    assert deleted["deleted"] == [days_ago(131), days_ago(130), OLD]
    assert set(deleted["expired"][OLD]) == EVERYWHERE
    assert world.remaining(OLD) == {}
    assert "has anything to delete" in prune("--yes").output
