"""A model that waits for a person is asked about, whatever else the run found."""

from collections.abc import Callable

import dagster as dg

from credit_ct_dagster.runs.purposes import AWAITING_APPROVAL
from credit_ct_dagster_tests.alerting.daemon import UI, Daemon
from credit_ct_dagster_tests.alerting.observed_runs import (
    BASE_DT,
    DAYS,
    drift_is_small,
    model_card,
    sentence_of,
)
from credit_ct_dagster_tests.servers import Receiver

_QUESTION = (
    "Awaiting approval until 2025-02-10 09:00 Asia/Seoul: better. To let it serve: credit-ct"
    " approve --decision 2 --by NAME --reason TEXT. To refuse: credit-ct reject --decision 2 --by"
    " NAME --reason TEXT."
)


@dg.asset(partitions_def=DAYS)
def champion_model() -> dg.MaterializeResult[None]:
    """Asks."""
    return dg.MaterializeResult(metadata={AWAITING_APPROVAL: _QUESTION})


def test_a_person_is_asked(daemon: Daemon, receiver: Receiver, run: Callable[..., str]) -> None:
    """With the commands that answer, and the page of the card; a check that warns is below."""
    run(champion_model, model_card, drift_is_small)
    daemon.tick()
    [alert] = receiver.received
    assert (alert["kind"], alert["base_dt"]) == ("approval_requested", BASE_DT)
    assert alert["subject"] == f"A model awaits approval: {BASE_DT}"
    assert alert["text"].splitlines() == [
        _QUESTION,
        sentence_of("drift_is_small", "income drifted."),
    ]
    assert alert["links"]["asset"] == f"{UI}/assets/model_card?view=partitions&partition={BASE_DT}"


def test_a_request_from_the_shadow_is_asked_once(
    daemon: Daemon, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    """A run that monitors tells it, although it is no news otherwise."""

    @dg.asset(partitions_def=DAYS)
    def champion_probation() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={AWAITING_APPROVAL: _QUESTION})

    job = dg.define_asset_job("monitoring_job", [champion_probation])
    defs = dg.Definitions([champion_probation], jobs=[job])
    resolved = defs.resolve_job_def("monitoring_job")
    resolved.execute_in_process(instance=instance, partition_key=BASE_DT)
    daemon.tick()
    [alert] = receiver.received
    assert (alert["kind"], alert["text"]) == ("approval_requested", _QUESTION)
    assert alert["subject"] == f"A challenger from the shadow awaits approval: {BASE_DT}"
