"""The search for the best model: which trials are begun, what became of them, and the choice."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Protocol, Self

import optuna
from optuna.trial import TrialState as StudyState

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.modeling.search_space import Params, Sampler, TuningParameters
from credit_ct_dagster.modeling.trials import Trial, TrialState

_RETRY_OF = "retry_of"


class TrialWorkers(Protocol):
    """Where trials are fitted and recorded: threads of this process, or other machines."""

    def slots(self) -> int:
        """How many trials to have under way, so that no worker waits for its next one."""
        ...

    def submit(self, trial: optuna.Trial) -> "Future[Trial]":
        """Fit a trial, record it, and leave what became of it in the study (`Trial.remember`)."""
        ...


@dataclass(frozen=True)
class Progress:
    """How far a search has come.

    Attributes:
        last: The trial that ended last.
        best: The best one so far.
        completed: How many were fitted to their end.
        pruned: How many were given up.
        failed: How many failed.
        left: How many are still to end; none when only time limits the search.
        seconds_left: An estimate by the mean pace so far.
    """

    last: Trial
    best: Trial | None
    completed: int
    pruned: int
    failed: int
    left: int | None
    seconds_left: float | None

    @classmethod
    def of(cls, last: Trial, ended: Sequence[Trial], total: int | None, pace: float) -> Self:
        """Count the trials that have ended.

        Args:
            last: The one that ended last.
            ended: All of them, those of earlier attempts included.
            total: How many there will be, if that is known.
            pace: Seconds per trial.
        """
        left = None if total is None else total - len(ended)
        return cls(
            last=last,
            best=best_of(ended),
            **{state.value: sum(t.state == state for t in ended) for state in TrialState},
            left=left,
            seconds_left=None if left is None else left * pace,
        )

    def __str__(self) -> str:
        """One line for a person."""
        done = self.completed + self.pruned + self.failed
        total = "" if self.left is None else f"/{done + self.left}"
        outcome = self.last.reason or f"accuracy {self.last.metrics['accuracy']:.4f}"
        parts = [
            f"trial {self.last.number} {self.last.state}: {outcome}",
            f"{done}{total} done, {self.pruned} pruned"
            + (f", {self.failed} failed" if self.failed else ""),
        ]
        if self.best:
            parts.append(f"best {self.best.metrics['accuracy']:.4f} (trial {self.best.number})")
        if self.seconds_left is not None:
            parts.append(f"about {self.seconds_left:.0f} s left")
        return "; ".join(parts)


def completed_of(trials: Sequence[Trial]) -> list[Trial]:
    """The completed trials, best first."""
    completed = [trial for trial in trials if trial.state == TrialState.completed]
    return sorted(completed, key=lambda trial: trial.rank)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial to package: highest accuracy, then lowest log-loss, then earliest; None if none."""
    return next(iter(completed_of(trials)), None)


def kept_trials(study: optuna.Study) -> list[Trial]:
    """Trials of earlier attempts that need not run again: fitted to their end, or pruned.

    One that had ended when the process that asked for it was killed is still running to Optuna.
    """
    kept = []
    for frozen in study.get_trials(deepcopy=False):
        trial = Trial.recall(frozen)
        if trial and trial.state != TrialState.failed:
            kept.append(trial)
            if not frozen.state.is_finished():
                _tell(study, trial)
    return kept


def tune(
    study: optuna.Study,
    parameters: TuningParameters,
    workers: TrialWorkers,
    favourites: Sequence[Params],
    on_progress: Callable[[Progress], None],
) -> list[Trial]:
    """Run the trials that a study still lacks; one that fails does not stop the others.

    Args:
        study: The study, new or interrupted; nobody else runs its trials meanwhile.
        parameters: The search.
        workers: Where trials run.
        favourites: Candidates to try first, so that good bounds exist early.
        on_progress: Called after each trial.

    Returns:
        All trials of the study in their order, those of earlier attempts among them.

    Raises:
        CreditCtError: Every candidate failed; gives the first cause.
    """
    started = time.monotonic()
    ended = {trial.number: trial for trial in kept_trials(study)}
    _enqueue(study, parameters, favourites)
    to_run = _trials_to_run(study, parameters, len(ended), started)
    kept = len(ended)
    running: dict[Future[Trial], optuna.Trial] = {}
    while True:
        while len(running) < workers.slots() and (trial := next(to_run, None)):
            running[workers.submit(trial)] = trial
        if not running:
            break
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            del running[future]
            outcome = future.result()
            ended[outcome.number] = outcome
            _tell(study, outcome)
            pace = (time.monotonic() - started) / (len(ended) - kept)
            on_progress(Progress.of(outcome, list(ended.values()), parameters.total(), pace))
    trials = [ended[number] for number in sorted(ended)]
    if not trials:
        raise CreditCtError("No trial was begun within max_seconds: allow more.")
    if best_of(trials) is None:
        raise CreditCtError(
            f"All {len(trials)} candidates failed. The first, {trials[0].params}:"
            f" {trials[0].reason}"
        )
    return trials


def _tell(study: optuna.Study, trial: Trial) -> None:
    match trial.state:
        case TrialState.completed:
            study.tell(trial.number, 1 - trial.metrics["accuracy"])
        case TrialState.pruned:
            study.tell(trial.number, state=StudyState.PRUNED)
        case TrialState.failed:
            study.tell(trial.number, state=StudyState.FAIL)


def _enqueue(
    study: optuna.Study, parameters: TuningParameters, favourites: Sequence[Params]
) -> None:
    """Queue what is known beforehand: favourites, the whole grid, and candidates that failed.

    The grid is queued, not drawn by Optuna's GridSampler: that one draws in random order, and may
    give one candidate to two workers.
    """
    known = [params for params in favourites if parameters.contains(params)]
    if parameters.sampler == Sampler.grid:
        known += parameters.candidates()
    for params in known:
        study.enqueue_trial(params, skip_if_exists=True)
    trials = study.get_trials(deepcopy=False)
    queued_again = {trial.user_attrs.get(_RETRY_OF) for trial in trials}
    for trial in trials:
        if trial.state == StudyState.FAIL and trial.number not in queued_again:
            study.enqueue_trial(trial.params, user_attrs={_RETRY_OF: trial.number})


def _trials_to_run(
    study: optuna.Study, parameters: TuningParameters, kept: int, started: float
) -> Iterator[optuna.Trial]:
    """Trials that a killed process left running, then the queue, then new draws."""
    left = StudyState.RUNNING
    interrupted = [t._trial_id for t in study.get_trials(deepcopy=False, states=[left])]
    total, distributions = parameters.total(), parameters.distributions()
    for begun in itertools.count(kept):
        late = parameters.max_seconds and time.monotonic() - started > parameters.max_seconds
        if late or begun == total:
            return
        if interrupted:
            yield optuna.trial.Trial(study, interrupted.pop(0))
        else:
            yield study.ask(distributions)
