"""What is deleted, and what is retained, with real stores."""

import shutil
from datetime import UTC, datetime

import dagster as dg
import pandas as pd
import pytest
from mlflow.entities import ViewType

from credit_ct_dagster.contracts.approval import Approval
from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster.contracts.probation import ProbationPolicy
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.tags import PARENT_DAGSTER_RUN_TAG
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster_tests.operations.world import (
    EDGE,
    EVERYWHERE,
    KEEP_DAYS,
    NOT_PROMOTED,
    OLD,
    OLDER,
    OLDEST,
    PROMOTED,
    RECENT,
    UNDECIDED,
    World,
    every_store,
    trained,
)


@every_store
def test_old_base_dates_are_deleted_and_those_that_serve_are_not(world: World) -> None:
    """From every store; planning deletes nothing, and deleting twice is no failure."""
    world.train(OLDER, PROMOTED)
    world.train(RECENT, NOT_PROMOTED)
    world.train(OLDEST, PROMOTED)
    needed = world.files()
    world.train(OLD, NOT_PROMOTED)
    everything = world.remaining(OLD)
    assert len(everything) == 9

    plan = world.retention.plan(KEEP_DAYS)
    assert plan.last_expired == EDGE
    assert plan.retained == {OLDEST: "champion", OLDER: "previous"}
    assert set(plan.expired) == {OLD}
    assert set(plan.expired[OLD]) == EVERYWHERE
    amounts = plan.expired[OLD]
    assert [amounts[name].items for name in ("artifacts", "MLflow runs", "packages")] == [2, 2, 1]
    assert all(amounts[name].bytes for name in ("artifacts", "MLflow runs", "packages"))
    assert world.remaining(OLD) == everything

    retained = {base_dt: world.remaining(base_dt) for base_dt in (OLDEST, OLDER, RECENT)}
    assert world.retention.remove(OLD).deleted
    assert world.remaining(OLD) == {}
    assert {base_dt: world.remaining(base_dt) for base_dt in retained} == retained
    assert world.files() == needed
    assert world.platform.promotions.agreement().startswith("version 3 of base date")
    assert len(world.platform.promotions.records()) == 4
    assert world.retention.plan(KEEP_DAYS).expired == {}
    assert world.retention.remove(OLD).deleted


def test_a_request_that_has_expired_is_recorded_by_whoever_shows_it(world: World) -> None:
    """Retention shows no decision, and so it takes none."""
    world.train(OLDER, PROMOTED)
    world.train(OLD, NOT_PROMOTED)
    promotions = world.platform.promotions
    [*_, judged] = promotions.records()
    expired = Approval(expires=datetime(2025, 1, 1, tzinfo=UTC))
    asked = Decision(
        promoted=False, ground=Ground.awaiting_approval, sentence="Awaiting.", approval=expired
    )
    with promotions.deciding() as deciding:
        deciding.record(judged.model, asked)
    assert world.retention.remove(OLD).deleted
    assert promotions.records()[-1].decision == asked
    with promotions.deciding() as deciding:
        assert [each.decision.ground for each in deciding.to_show] == [Ground.expired]


def test_the_newest_base_date_that_is_deleted_is_as_old_as_requested(world: World) -> None:
    """To the day; what is no base date is left alone."""
    for base_dt in (EDGE, RECENT):
        world.platform.artifacts.write(MODEL_FOLDER, base_dt, {"summary.json": {}})
    world.platform.artifacts.write(MODEL_FOLDER, "notes", {"summary.json": {}})
    assert set(world.retention.plan(90).expired) == {EDGE}
    assert set(world.retention.plan(89).expired) == {EDGE, RECENT}
    assert world.retention.plan(91).expired == {}


def test_a_champion_that_mlflow_does_not_know_is_retained(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after MLFLOW_TRACKING_URI was set to another store: the record still names it."""
    world.train(OLD, PROMOTED)
    world.client.delete_registered_model_alias(world.platform.model_name, "champion")
    with monkeypatch.context() as patch:
        patch.setattr(BentoMLStore, "labels_of_roles", lambda self: {})
        needed = world.platform.promotions.needed_base_dates(RECENT, ShadowRules())
        assert needed == {OLD: "champion"}
    shutil.rmtree(world.platform.folder / "artifacts" / "promotions")
    assert world.retention.plan(KEEP_DAYS).retained == {OLD: "champion"}


def test_any_alias_retains_a_base_date(world: World) -> None:
    """Also one that a person gave to a version that a person registered."""
    world.train(OLD, NOT_PROMOTED)
    world.train(OLDER, NOT_PROMOTED)
    client, name = world.client, world.platform.model_name
    by_gate = {
        version.tags["credit_ct.base_dt"]: version
        for version in client.search_model_versions(f"name='{name}'")
    }
    source = by_gate[OLD].source
    assert source is not None
    by_hand = client.create_model_version(name, source, by_gate[OLD].run_id)
    client.set_registered_model_alias(name, "shadow", by_hand.version)
    plan = world.retention.plan(KEEP_DAYS)
    assert plan.retained == {OLD: "shadow"}
    assert set(plan.expired) == {OLDER}


def test_a_challenger_in_the_shadow_is_retained(world: World) -> None:
    """As long as its evidence is open: it is scored by its package, and judged on its holdout."""
    world.train(OLDER, PROMOTED)
    world.train(OLD, UNDECIDED)
    of_shadow = [ShadowRules(probation_days=186), ShadowRules(most_challengers=0)]
    plans = [world.retained_under(rules).plan(KEEP_DAYS) for rules in of_shadow]
    assert plans[0].retained == {OLDER: "champion", OLD: "a challenger in the shadow"}
    assert set(plans[0].expired) == set()
    assert plans[1].retained == {OLDER: "champion"}
    assert set(plans[1].expired) == {OLD}
    off = ShadowRules(probation_days=186, probation=ProbationPolicy.off)
    assert set(world.retained_under(off).plan(KEEP_DAYS).expired) == {OLD}


@every_store
def test_a_base_date_in_use_is_retained(world: World) -> None:
    """While one of its runs has not ended, also one that began after the plan was made."""
    world.train(OLD, NOT_PROMOTED)
    retention = world.retention
    assert set(retention.plan(KEEP_DAYS).expired) == {OLD}
    queued = world.instance.create_run_for_job(
        dg.define_asset_job("again", [trained]).resolve(
            asset_graph=dg.Definitions([trained]).resolve_asset_graph()
        ),
        tags={"dagster/partition": OLD},
    )
    assert not retention.remove(OLD).deleted
    assert world.remaining(OLD)["packages"]
    assert retention.plan(KEEP_DAYS).retained == {OLD: "one of its runs has not ended"}
    world.instance.report_run_failed(queued)
    assert world.retention.remove(OLD).deleted
    assert world.remaining(OLD) == {}


@every_store
def test_runs_without_base_date_count_for_the_day_they_began(world: World) -> None:
    """Dagster's, and MLflow's of a run that failed early; runs of others are not touched."""
    experiment = world.platform.tracking.experiment_id()
    long_ago = pd.Timestamp(OLD, tz="Asia/Seoul") + pd.Timedelta(hours=23)
    begun = int(long_ago.timestamp() * 1000)
    ours = world.client.create_run(experiment, begun, {PARENT_DAGSTER_RUN_TAG: "gone"})
    theirs = world.client.create_run(experiment, begun)
    world.instance.run_storage.add_run(
        dg.DagsterRun("a job", status=dg.DagsterRunStatus.SUCCESS, run_id="1" * 32)
    )
    assert set(world.retention.plan(KEEP_DAYS).expired) == {OLD}
    assert world.retention.remove(OLD).deleted
    remaining = world.client.search_runs([experiment], "", ViewType.ALL)
    assert [run.info.run_id for run in remaining] == [theirs.info.run_id]
    assert ours.info.run_id != theirs.info.run_id
    assert list(RunHistory(world.instance).finished().values()) == [["1" * 32]]
