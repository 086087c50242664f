"""One trial of a search, as its study keeps it for the next attempt."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar, Protocol, Self

from pydantic import Field

from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.errors.stores import UnreadableRecordError

_OUTCOME = "outcome"
_DECISIVE = {"accuracy", "log_loss"}
"""The metrics that the best trial is chosen by."""


class TrialState(StrEnum):
    """How a trial ended."""

    completed = "completed"
    pruned = "pruned"
    failed = "failed"


class _StoredTrial(Protocol):
    """A trial of Optuna's, as it is written."""

    def set_user_attr(self, key: str, value: object) -> None: ...


class _FrozenTrial(Protocol):
    """A trial of Optuna's, as it is read."""

    @property
    def number(self) -> int: ...

    @property
    def user_attrs(self) -> Mapping[str, object]: ...


class Trial(Record):
    """One candidate and its outcome.

    Attributes:
        number: Its place in the search, from 0.
        params: The searched parameters, by CatBoost's names.
        state: Completed, pruned or failed.
        iterations: Trees of its model; of a pruned trial, trees when it was stopped.
        trees: Trees of each CatBoost model in it, several for `monotone: true`; empty unless it
            completed, and in trials of release 0.1.
        metrics: Of its model, on the validation rows; see `evaluation.evaluate`.
        reason: Why it was pruned or failed.
        seconds: Time to fit and measure.
        tracking_seconds: Time to record it.
        run_id: The MLflow run that records it.
    """

    FILE: ClassVar[str] = ""
    REMEDY: ClassVar[str] = (
        "run this base date again with resume: false in the configuration of tuned_runs, which"
        " starts the search anew"
    )

    number: int
    params: Mapping[str, int | float]
    state: TrialState
    iterations: int | None = None
    trees: Sequence[int] = Field(default_factory=list)
    metrics: Mapping[str, float] = Field(default_factory=dict)
    reason: str | None = None
    seconds: float = 0.0
    tracking_seconds: float = 0.0
    run_id: str | None = None

    @property
    def rank(self) -> tuple[float, float, int]:
        """Orders completed trials, best first: accuracy, then log-loss, then the earlier trial."""
        return (-self.metrics["accuracy"], self.metrics["log_loss"], self.number)

    def remember(self, trial: _StoredTrial) -> None:
        """Write the outcome of a trial into its study."""
        trial.set_user_attr(_OUTCOME, self.model_dump(mode="json"))

    @classmethod
    def recall(cls, trial: _FrozenTrial, study: str) -> Self | None:
        """What `remember` wrote; None if the trial was interrupted before.

        Args:
            trial: The trial in its study.
            study: The name of the study, for a person.

        Raises:
            NewerRecordError: A later release wrote it.
            UnreadableRecordError: It is not the outcome of a trial.
        """
        outcome = trial.user_attrs.get(_OUTCOME)
        if outcome is None:
            return None
        where = f"The outcome of trial {trial.number} in the Optuna study {study}"
        found = cls._read(lambda: cls.model_validate(outcome), where)
        if found.state == TrialState.completed and not found.metrics.keys() >= _DECISIVE:
            raise UnreadableRecordError(
                f"{where} lacks {' or '.join(sorted(_DECISIVE))}. To replace it, {cls.REMEDY}."
            )
        return found
