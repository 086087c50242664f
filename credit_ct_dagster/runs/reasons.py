"""Why a run failed, in one sentence with its code."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from credit_ct_dagster.errors.base import code_in, with_reference
from credit_ct_dagster.errors.operation import RunFailedError, UnexpectedError
from credit_ct_dagster.runs.failures import CODE, check_code

if TYPE_CHECKING:
    from credit_ct_dagster.runs.dagster_internals import SerializableErrorInfo

_CLASS_OF_OURS = re.compile(r"^(dagster\.\S+\.Failure|credit_ct_dagster\.errors\.[\w.]+): ")


@dataclass(frozen=True)
class Reason:
    """Why a run failed.

    Attributes:
        sentence: The step or the check that failed, and its message.
        code: Of the error, as the sentence has it.
    """

    sentence: str
    code: str


def reason_of(events: Iterable[dg.DagsterEvent]) -> Reason | None:
    """Why a run failed: the step that failed first, the checks that blocked it, or its process.

    Args:
        events: Of the run, oldest first.

    Returns:
        None when nothing failed.
    """
    blocking: list[dg.AssetCheckEvaluation] = []
    for event in events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if check.blocking and not check.passed:
                blocking.append(check)
        if event.is_step_failure:
            return _of_step(event, blocking)
        if event.is_failure and event.event_type == dg.DagsterEventType.RUN_FAILURE:
            # A run whose process was killed has only a message.
            error = event.event_specific_data and event.job_failure_data.error
            message = _message(error) if error else event.message or "The run failed."
            return _referred(message, RunFailedError.code)
    return None


def code_of_check(check: dg.AssetCheckEvaluation) -> str:
    """The code of a failed check, also of one that an earlier release reported without it."""
    return (
        str(check.metadata[CODE].value) if CODE in check.metadata else check_code(check.check_name)
    )


def sentence_of_check(check: dg.AssetCheckEvaluation) -> str:
    """What a failed check reported, in a line."""
    return f"{check.check_name}: {check.description or 'did not pass.'}"


def _of_step(event: dg.DagsterEvent, blocking: list[dg.AssetCheckEvaluation]) -> Reason:
    data = event.step_failure_data
    raised = data.user_failure_data
    named = raised.metadata.get(CODE) if raised else None
    if blocking and (raised is None or (named and named.value == code_of_check(blocking[0]))):
        return Reason(" ".join(map(sentence_of_check, blocking)), code_of_check(blocking[0]))
    if raised and raised.description:
        sentence = f"{event.step_key}: {raised.description}"
        if named:
            return Reason(sentence, str(named.value))
        return _referred(sentence, UnexpectedError.code)
    message = _message(data.error) if data.error else "The step failed."
    return _referred(f"{event.step_key}: {message}", UnexpectedError.code)


def _referred(sentence: str, default: str) -> Reason:
    """A sentence with the code that it ends with, or else with a default one."""
    code = code_in(sentence)
    return Reason(sentence, code) if code else Reason(with_reference(sentence, default), default)


def _message(error: "SerializableErrorInfo") -> str:
    """The message of an error; for one of ours, as of a resource, without its class."""
    return _CLASS_OF_OURS.sub("", (error.cause or error).message.strip())
