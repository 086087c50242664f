"""What one worker of a server says of itself."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import psutil

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.serving.follower import FollowerState


@dataclass(frozen=True)
class WorkerState:
    """What one worker says of itself.

    Attributes:
        pid: Its process.
        started: When that process started, in seconds since 1970; numbers are used again.
        serving: The model that answers: tag, base_dt and version; None without one.
        since: When it began to answer, in ISO 8601.
        wanted: The champion, likewise.
        problem: Why the champion is not served, in a sentence with its code.
        code: The code of the problem.
        last_look: When the champion was last looked up, in ISO 8601.
        log: The state of the prediction log, by this worker.
    """

    pid: int
    started: float
    serving: Mapping[str, str] | None = None
    since: str | None = None
    wanted: Mapping[str, str] | None = None
    problem: str | None = None
    code: str | None = None
    last_look: str | None = None
    log: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, state: FollowerState, log: Mapping[str, Any]) -> Self:
        """The state of this process."""
        return cls(
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            serving=names_of(state.serving),
            since=state.since.isoformat(timespec="milliseconds") if state.since else None,
            wanted=names_of(state.wanted),
            problem=state.problem,
            code=state.code,
            last_look=(
                state.last_look.isoformat(timespec="milliseconds") if state.last_look else None
            ),
            log=log,
        )

    def is_alive(self) -> bool:
        """Whether its process still runs; one that waits to be buried does not."""
        try:
            process = psutil.Process(self.pid)
            return (
                abs(process.create_time() - self.started) < 1
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False


def names_of(model: ModelIdentity | None) -> dict[str, str] | None:
    """A model, as answers and states name it."""
    if model is None:
        return None
    return {
        "tag": model.bentoml_tag,
        "base_dt": model.base_dt,
        "version": model.registered_version,
    }
