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


@dg.asset(partitions_def=dg.StaticPartitionsDefinition([OLD]))
def features_target() -> None:
    """Succeeds."""


@dg.asset(partitions_def=dg.StaticPartitionsDefinition([OLD]), deps=[features_target])
def preprocessed_splits() -> None:
    """Fails, as after a window with too few rows."""
    raise dg.Failure("88 rows")


@dg.asset(partitions_def=dg.StaticPartitionsDefinition([OLD]))
def tuned_runs() -> None:
    """Succeeds."""


@dg.asset(partitions_def=dg.StaticPartitionsDefinition([OLD]), deps=[tuned_runs])
def champion_model() -> None:
    """Fails."""
    raise dg.Failure("no evidence")


def test_a_failed_run_that_made_what_is_in_use_is_retained(world: World, prune: Any) -> None:
    """The command names it; the other failed runs of the base date are deleted."""
    tags = {"credit_ct/model": world.platform.model_name}
    made, failed = (
        dg.materialize(
            [tuned_runs, champion_model],
            selection=selected, partition_key=OLD, tags=tags, instance=world.instance,
            raise_on_error=False,
        ).run_id
        for selected in ("*", [champion_model])
    )  # fmt: skip
    looked = json.loads(prune("--failed-runs-of", OLD, "--json").output)
    assert looked == {"base_dt": OLD, "runs": [failed], "retained": [made], "deleted": False}
    done = " ".join(prune("--failed-runs-of", OLD, "--yes").output.split())
    assert f"Run {made} is retained: what it materialized is in use (tuned_runs)." in done
    assert f"Failed or cancelled runs of base date {OLD}: 1. They are deleted." in done
    assert [run.run_id for run in world.instance.get_runs()] == [made]
    again = json.loads(prune("--failed-runs-of", OLD, "--yes", "--json").output)
    assert again == {"base_dt": OLD, "runs": [], "retained": [made], "deleted": False}
    assert prune("--failed-runs-of", OLDER, "--yes").output == (
        f"Failed or cancelled runs of base date {OLDER}: 0.\n"
    )


@pytest.mark.parametrize("succeeded_before", [False, True])
def test_a_base_date_of_which_rows_were_merged_is_cleared(
    world: World, prune: Any, succeeded_before: bool
) -> None:
    """By mistake, and no more of it: after a success, those are the rows of its model no longer."""
    tags, merged = {"credit_ct/model": world.platform.model_name}, features_target.key

    def merge(selection: str) -> str:
        return dg.materialize(
            [features_target, preprocessed_splits], selection=selection, partition_key=OLD,
            tags=tags, instance=world.instance, raise_on_error=False,
        ).run_id  # fmt: skip

    if succeeded_before:
        merge("features_target")
    made = [merge("*"), merge("*")]
    done = json.loads(prune("--failed-runs-of", OLD, "--yes", "--json").output)
    deleted, retained = (made[:1], made[1:]) if succeeded_before else (made[::-1], [])
    assert done == {"base_dt": OLD, "runs": deleted, "retained": retained, "deleted": True}
    assert bool(world.instance.get_materialized_partitions(merged)) == succeeded_before


def test_failed_searches_are_deleted_in_mlflow_as_well(world: World, prune: Any) -> None:
    """Of the same Dagster runs; not those with trials, which the next attempt goes on with."""
    client, experiment = world.platform.tracking.client, world.platform.tracking.experiment_id()
    tags = {"credit_ct/model": world.platform.model_name}
    failed, tried = (
        dg.materialize(
            [champion_model], partition_key=OLD, tags=tags, instance=world.instance,
            raise_on_error=False,
        ).run_id
        for _ in range(2)
    )  # fmt: skip

    def search(run_id: str, **tags: str) -> str:
        return client.create_run(experiment, tags={"dagster_run_id": run_id, **tags}).info.run_id

    search(failed)
    nesting, found, other = search(tried), search(tried, **{"credit_ct.best_run_id": "a"}), "b"
    tags = {"mlflow.parentRunId": nesting, "credit_ct.base_dt": OLD}
    trial, others = client.create_run(experiment, tags=tags).info.run_id, search(other)
    assert prune("--failed-runs-of", OLD, "--yes").exit_code == 0
    left = {run.info.run_id for run in client.search_runs([experiment])}
    assert left == {nesting, found, trial, others}
    assert not world.instance.get_runs()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--failed-runs-of", "2025-7-1"], "'2025-7-1' is not a date: write YYYY-MM-DD."),
        (["--failed-runs-of", "2025-07-01", "--keep-days", "9"], "--keep-days"),
    ],
)
def test_a_mistake_in_the_options_deletes_nothing(
    prune: Any, arguments: list[str], problem: str
) -> None:
    """It is not taken for a base date without failed runs."""
    done: Result = prune(*arguments, "--yes")
    assert done.exit_code == 2
    assert problem in " ".join(done.output.split())
