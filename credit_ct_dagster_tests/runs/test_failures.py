"""A failure has a sentence, a code and a place in the runbook, wherever it happened."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.checks.results import needs_base_date
from credit_ct_dagster.checks.results import result as check_result
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.errors.stores import FeatureStoreUnavailableError
from credit_ct_dagster.runs.failures import failing_clearly
from credit_ct_dagster.runs.reasons import Reason, reason_of

_DAYS = dg.StaticPartitionsDefinition(["2025-01-31"])
_EMPTY = "the window has no rows. See CT-ROWS-2: docs/runbook.md#ct-rows-2"
_UNEXPECTED = "See CT-UNEXPECTED-1: docs/runbook.md#ct-unexpected-1"


def _raising(error: Exception) -> dg.AssetsDefinition:
    @dg.asset(partitions_def=_DAYS)
    def rows(context: dg.AssetExecutionContext) -> None:
        with failing_clearly(context):
            raise error

    return rows


@pytest.fixture
def run(instance: dg.DagsterInstance) -> Callable[..., dg.ExecuteInProcessResult]:
    """Materializes definitions for a base date."""

    def materialize(*made: Any, **options: Any) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            made, partition_key="2025-01-31", instance=instance, raise_on_error=False, **options
        )

    return materialize


def _reason(result: dg.ExecuteInProcessResult) -> Reason:
    reason = reason_of(result.all_events)
    assert reason is not None
    return reason


def test_a_known_error_fails_the_step_once(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    """Its sentence names the base date; code and runbook are in the metadata of the failure."""
    result = run(_raising(UnusableRowsError("the window has no rows.")))
    assert _reason(result) == Reason(f"rows: Base date 2025-01-31: {_EMPTY}", "CT-ROWS-2")
    [failed] = [event for event in result.all_events if event.is_step_failure]
    user = failed.step_failure_data.user_failure_data
    assert user is not None
    assert {name: value.value for name, value in user.metadata.items()} == {
        "code": "CT-ROWS-2",
        "runbook": "docs/runbook.md#ct-rows-2",
    }
    assert not any(event.is_step_up_for_retry for event in result.all_events)


def test_the_runbook_is_a_link_where_it_has_an_address(
    run: Callable[..., dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The UI then opens the section of the code."""
    monkeypatch.setenv("RUNBOOK_URL", "https://wiki.example.com/ct")
    result = run(_raising(UnusableRowsError("the window has no rows.")))
    [failed] = [event for event in result.all_events if event.is_step_failure]
    user = failed.step_failure_data.user_failure_data
    assert user is not None
    assert user.metadata["runbook"] == dg.MetadataValue.url("https://wiki.example.com/ct#ct-rows-2")


@pytest.mark.usefixtures("no_waiting")
def test_an_outage_is_retried_and_then_fails_with_its_code(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    """Five attempts in all; the last one fails as any other error does."""
    result = run(_raising(FeatureStoreUnavailableError("The feature store does not answer.")))
    assert sum(event.is_step_up_for_retry for event in result.all_events) == 4
    assert _reason(result).code == "CT-STORE-1"
    assert _reason(result).sentence.startswith(
        "rows: Base date 2025-01-31: The feature store does not answer. See CT-STORE-1: "
    )


def test_an_unexpected_error_has_a_code_too(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    """Its message is the library's, and it is not retried."""
    result = run(_raising(ZeroDivisionError("division by zero")))
    sentence = f"rows: ZeroDivisionError: division by zero {_UNEXPECTED}"
    assert _reason(result) == Reason(sentence, "CT-UNEXPECTED-1")
    assert not any(event.is_step_up_for_retry for event in result.all_events)


def test_an_error_of_a_resource_has_its_code(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    """It happens before any step begins, and the sentence does not name a class."""

    class Broken(dg.ConfigurableResource):
        url: str = "sqlite://"

        def setup_for_execution(self, context: dg.InitResourceContext) -> None:
            raise UnusableRowsError("the window has no rows.")

    @dg.asset(partitions_def=_DAYS)
    def rows(broken: Broken) -> None: ...

    reason = _reason(run(rows, resources={"broken": Broken()}))
    assert reason == Reason(_EMPTY, "CT-ROWS-2")


def test_a_check_that_blocks_is_the_reason(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    """With a code that follows from its name, also when its result has none."""

    @dg.asset(partitions_def=_DAYS)
    def rows() -> None: ...

    @dg.asset_check(asset=rows, blocking=True)
    def rows_are_recent() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="too old.")

    reason = _reason(run(rows, rows_are_recent))
    assert reason == Reason("rows_are_recent: too old.", "CT-CHECK-ROWS-ARE-RECENT")


def test_a_success_has_no_reason(run: Callable[..., dg.ExecuteInProcessResult]) -> None:
    """Nothing failed."""

    @dg.asset(partitions_def=_DAYS)
    def rows() -> None: ...

    assert reason_of(run(rows).all_events) is None


def _shown(result: dg.ExecuteInProcessResult) -> str:
    """What the page of a failed run shows at its end: of the first step that failed."""
    [ended] = [each for each in result.all_events if each.event_type_value == "PIPELINE_FAILURE"]
    first = ended.job_failure_data.first_step_failure_event
    assert first is not None
    return str(first.step_failure_data.error)


def test_a_failed_run_shows_a_sentence_and_no_stack_trace(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    """With code and runbook, of an error that is no bug; a bug has its stack trace."""
    known = run(_raising(UnusableRowsError("the window has no rows.")))
    assert _shown(known) == f"Base date 2025-01-31: {_EMPTY}\n"
    assert "Stack Trace" in _shown(run(_raising(ZeroDivisionError("division by zero"))))


def test_a_failed_run_shows_the_sentence_of_the_check_that_blocked_it(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    """What it found of which base date, where Dagster itself only has the name of the check."""

    @dg.asset(partitions_def=_DAYS)
    def rows() -> None: ...

    @dg.asset_check(asset=rows, blocking=True)
    @needs_base_date
    def rows_are_recent(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return check_result(context, passed=False, observed=1, limit=0, sentence="too old.")

    @dg.asset(partitions_def=_DAYS, deps=[rows])
    def model() -> None: ...

    result = run(rows, rows_are_recent, model)
    reference = "See CT-CHECK-ROWS-ARE-RECENT: docs/runbook.md#ct-check-rows-are-recent"
    sentence = f"rows_are_recent: Base date 2025-01-31: too old. {reference}"
    assert _shown(result) == f"{sentence}\n"
    assert _reason(result) == Reason(sentence, "CT-CHECK-ROWS-ARE-RECENT")
    [evaluation] = result.get_asset_check_evaluations()
    assert not evaluation.passed
    made = [event.asset_key for event in result.get_asset_materialization_events()]
    assert made == [dg.AssetKey("rows")]
