"""What a run is for, by its job, or by the assets that a person selected."""

import dagster as dg
import pytest

from credit_ct_dagster.runs.purposes import (
    CONTINUOUS_TRAINING,
    CUSTOMER_SCORES,
    MATURING_LABELS,
    MONITORING,
    MONITORING_ASSETS,
    TRAINING_ASSETS,
    is_training_job,
    monitors,
    trains,
)
from credit_ct_dagster_tests.dagster_internals import create_run_for_test


@pytest.mark.parametrize(
    ("job", "selected", "is_training", "is_monitoring"),
    [
        (CONTINUOUS_TRAINING, None, True, False),
        (CUSTOMER_SCORES, None, False, False),
        (MONITORING, None, False, True),
        (MATURING_LABELS, None, False, True),
        ("__ASSET_JOB", None, True, False),
        ("__ASSET_JOB", TRAINING_ASSETS, True, False),
        ("__ASSET_JOB", ["customer_scores"], False, False),
        ("__ASSET_JOB", MONITORING_ASSETS[:2], False, True),
        ("__ASSET_JOB", ["customer_scores", *MONITORING_ASSETS], False, False),
        ("__ASSET_JOB", ["model_card", *MONITORING_ASSETS], True, False),
    ],
)
def test_a_run_trains_unless_it_is_known_to_do_something_else(
    instance: dg.DagsterInstance,
    job: str,
    selected: list[str] | None,
    is_training: bool,
    is_monitoring: bool,
) -> None:
    """One that monitors neither counts for training nor reports that it succeeded."""
    selection = frozenset(map(dg.AssetKey, selected)) if selected else None
    run = create_run_for_test(instance, job_name=job, asset_selection=selection)
    assert (trains(run), monitors(run)) == (is_training, is_monitoring)
    if selected is None:
        assert is_training_job(job) == is_training
