"""A base date that was run by mistake leaves nothing behind when its failed runs are removed."""

import dagster as dg

from credit_ct_dagster.runs.history import RunHistory

_MISTAKE, _GOOD = "2025-01-30", "2025-01-31"
_DAYS = dg.StaticPartitionsDefinition([_MISTAKE, _GOOD])


@dg.asset(partitions_def=_DAYS)
def rows(context: dg.AssetExecutionContext) -> None:
    """Fails for one of two days."""
    if context.partition_key == _MISTAKE:
        raise dg.Failure("no rows")


@dg.asset(partitions_def=_DAYS)
def model() -> None:
    """Never fails."""


def _statuses(instance: dg.DagsterInstance) -> dict[str, str]:
    """What the lineage counts, per day."""
    found = instance.get_status_by_partition(rows.key, [_MISTAKE, _GOOD], _DAYS) or {}
    return {day: status.value for day, status in found.items() if status}


def test_failed_runs_of_a_base_date_are_removed(instance: dg.DagsterInstance) -> None:
    """Only those; the UI counts again, and what other base dates made stays."""
    history = RunHistory(instance)
    for day in (_MISTAKE, _GOOD, _MISTAKE):
        dg.materialize([rows], partition_key=day, instance=instance, raise_on_error=False)
    assert _statuses(instance) == {_MISTAKE: "FAILED", _GOOD: "MATERIALIZED"}
    assert not history.failed(_GOOD)
    failed = list(history.failed(_MISTAKE))
    assert len(failed) == 2
    for run_id in failed:
        history.remove(run_id)
    history.forget_status()
    assert _statuses(instance) == {_GOOD: "MATERIALIZED"}
    assert not history.failed(_MISTAKE)
    assert len(instance.get_runs()) == 1


def test_a_failed_run_that_made_what_is_in_use_is_named(instance: dg.DagsterInstance) -> None:
    """With its assets: its materializations would go with it. What a later run made is not its."""
    history = RunHistory(instance)

    def materialize(*assets: dg.AssetsDefinition) -> str:
        return dg.materialize(
            [*assets], partition_key=_MISTAKE, instance=instance, raise_on_error=False
        ).run_id

    first, second = materialize(rows, model), materialize(rows, model)
    assert history.failed(_MISTAKE) == {second: ["model"], first: []}
    materialize(model)
    assert history.failed(_MISTAKE) == {second: [], first: []}
