"""What the main job materializes."""

import dagster as dg
import pytest

from credit_ct_dagster.automation.jobs import continuous_training_job
from credit_ct_dagster.definitions import CHECKS, SOURCES, build, partitioned
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.runs.purposes import (
    CONTINUOUS_TRAINING,
    CUSTOMER_SCORES,
    LABELLED_ASSETS,
    MATURING_LABELS,
    MONITORING,
    MONITORING_ASSETS,
    TRAINING_ASSETS,
)
from credit_ct_dagster.settings import Settings

# Dagster looks up where state of definitions is stored in the instance that was opened last.
pytestmark = pytest.mark.usefixtures("instance")


def _selected(
    definitions: dg.Definitions, job: str = CONTINUOUS_TRAINING
) -> tuple[set[str], set[str]]:
    """The assets and the checks of a job."""
    layer = definitions.resolve_job_def(job).asset_layer
    assets = {key.to_user_string() for key in layer.executable_asset_keys}
    checks = {key.name for key in layer.asset_graph.asset_check_keys}
    return assets, checks


def test_the_job_materializes_the_training_assets_with_all_their_checks() -> None:
    """In one run, and nothing that other systems write."""
    assets, checks = _selected(build(Settings(_env_file=None)))
    assert assets == set(TRAINING_ASSETS)
    assert checks == {
        key.name
        for check in CHECKS
        for key in check.check_keys
        if key.asset_key.to_user_string() in TRAINING_ASSETS
    }


def test_customers_are_scored_by_a_job_of_its_own() -> None:
    """With the checks of the scores, and nothing that trains."""
    assets, checks = _selected(build(Settings(_env_file=None)), CUSTOMER_SCORES)
    assert assets == {"customer_scores"}
    assert checks == {"customers_are_scored", "class_shares_are_stable"}


@pytest.mark.parametrize(
    ("job", "expected"),
    [(MONITORING, MONITORING_ASSETS), (MATURING_LABELS, LABELLED_ASSETS)],
)
def test_what_was_served_is_looked_at_by_jobs_of_their_own(job: str, expected: list[str]) -> None:
    """With all checks of these assets, and nothing that trains or scores."""
    assets, checks = _selected(build(Settings(_env_file=None)), job)
    assert assets == set(expected)
    assert checks == {
        key.name
        for check in CHECKS
        for key in check.check_keys
        if key.asset_key.to_user_string() in expected
    }


def test_everything_that_is_monitored_is_in_the_group_of_that_name() -> None:
    """An asset of the group that no job materializes would never be made."""
    definitions = build(Settings(_env_file=None))
    group = dg.AssetSelection.groups("monitoring").resolve(definitions.resolve_asset_graph())
    assert {key.to_user_string() for key in group} == set(MONITORING_ASSETS)


def test_an_asset_that_is_added_later_is_not_swept_into_training() -> None:
    """The job names its assets, so that adding an asset does not change what training does."""

    @dg.asset(deps=["bentoml_model"], partitions_def=Calendar().partitions)
    def later() -> None: ...

    more = dg.Definitions(
        assets=[*SOURCES, *partitioned(Calendar()), later],
        jobs=[continuous_training_job("m")],
        resources=build(Settings(_env_file=None)).resources,
    )
    assets, _ = _selected(more)
    assert assets == set(TRAINING_ASSETS)
