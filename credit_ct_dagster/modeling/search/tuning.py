"""The search for the best model: which trials run, how they ended, and which one is best."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, Self

import optuna
from optuna.trial import TrialState as StudyState

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.errors.models import SearchFailedError
from credit_ct_dagster.modeling.search.optuna_internals import begun, continued, storage_id
from credit_ct_dagster.modeling.search.search_space import Params, Sampler, TuningParameters

_FAVOURITES = "favourites"
_RETRY_OF = "retry_of"


class TrialWorkers(Protocol):
    """Where trials are fitted and recorded: threads of this process, or other machines."""

    def slots(self) -> int:
        """How many trials to submit at a time, so that no worker waits for its next one."""
        ...

    def submit(self, trial: optuna.Trial) -> "Future[Trial]":
        """Fit a trial, record it, and write its outcome into the study (`Trial.remember`)."""
        ...


@dataclass(frozen=True)
class Progress:
    """How far a search has come.

    Attributes:
        last: The trial that ended last.
        best: The best one so far.
        completed: How many were fitted to their end.
        pruned: How many were stopped because they fell behind.
        failed: How many failed.
        remaining: How many have not ended yet; None when only time limits the search.
        remaining_seconds: An estimate by the mean pace so far.
    """

    last: Trial
    best: Trial | None
    completed: int
    pruned: int
    failed: int
    remaining: int | None
    remaining_seconds: float | None

    @classmethod
    def of(cls, last: Trial, ended: Sequence[Trial], total: int | None, pace: float) -> Self:
        """Count the trials that have ended.

        Args:
            last: The one that ended last.
            ended: All of them, those of earlier attempts included.
            total: How many there will be, if that is known.
            pace: Seconds per trial.
        """
        remaining = None if total is None else total - len(ended)
        return cls(
            last=last,
            best=best_of(ended),
            **{state.value: sum(t.state == state for t in ended) for state in TrialState},
            remaining=remaining,
            remaining_seconds=None if remaining is None else remaining * pace,
        )

    def __str__(self) -> str:
        """One line for a person."""
        done = self.completed + self.pruned + self.failed
        total = "" if self.remaining is None else f"/{done + self.remaining}"
        outcome = self.last.reason or f"accuracy {self.last.metrics['accuracy']:.4f}"
        parts = [
            f"trial {self.last.number} {self.last.state}: {outcome}",
            f"{done}{total} done, {self.pruned} pruned"
            + (f", {self.failed} failed" if self.failed else ""),
        ]
        if self.best:
            parts.append(f"best {self.best.metrics['accuracy']:.4f} (trial {self.best.number})")
        if self.remaining_seconds is not None:
            parts.append(f"about {self.remaining_seconds:.0f} s remaining")
        return "; ".join(parts)


def completed_of(trials: Sequence[Trial]) -> list[Trial]:
    """The completed trials, best first."""
    completed = [trial for trial in trials if trial.state == TrialState.completed]
    return sorted(completed, key=lambda trial: trial.rank)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial to package: highest accuracy, then lowest log-loss, then earliest; None if none."""
    return next(iter(completed_of(trials)), None)


def retained_trials(study: optuna.Study) -> list[Trial]:
    """Trials of earlier attempts that need not run again: they completed, or were pruned.

    A trial whose outcome was written just before its process was killed counts as running in
    Optuna; that is corrected here.

    Raises:
        CreditCtError: An outcome in the study cannot be read.
    """
    retained = []
    for frozen in study.get_trials(deepcopy=False):
        trial = Trial.recall(frozen, study.study_name)
        if trial and trial.state != TrialState.failed:
            retained.append(trial)
            if not frozen.state.is_finished():
                _finish(study, trial)
    return retained


def tune(
    study: optuna.Study,
    parameters: TuningParameters,
    workers: TrialWorkers,
    favourites: Sequence[Params],
    on_progress: Callable[[Progress], None],
) -> list[Trial]:
    """Run the remaining trials of a study; one that fails does not stop the others.

    Args:
        study: The study, new or interrupted; no other process runs its trials meanwhile.
        parameters: The search.
        workers: Where trials run.
        favourites: Candidates to try first, so that good bounds exist early.
        on_progress: Called after each trial.

    Returns:
        All trials of the study in their order, those of earlier attempts included.

    Raises:
        SearchFailedError: No trial completed; the sentence has the first cause.
    """
    started = monotonic()
    ended = {trial.number: trial for trial in retained_trials(study)}
    queue = _queue(study, parameters, favourites)
    to_run = _trials_to_run(study, parameters, queue, len(ended), started)
    retained = len(ended)
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
            _finish(study, outcome)
            pace = (monotonic() - started) / (len(ended) - retained)
            on_progress(Progress.of(outcome, list(ended.values()), parameters.total(), pace))
    trials = [ended[number] for number in sorted(ended)]
    if not trials:
        raise SearchFailedError(
            f"No trial was started within max_seconds ({parameters.max_seconds:g} s). Raise"
            " max_seconds in the configuration of tuned_runs."
        )
    if best_of(trials) is None:
        raise SearchFailedError(
            f"All {len(trials)} candidates failed. The first, {dict(trials[0].params)}, because:"
            f" {trials[0].reason}. Correct the configuration of tuned_runs, or the rows, then try"
            " again."
        )
    return trials


def _finish(study: optuna.Study, trial: Trial) -> None:
    """Set the state of an ended trial in Optuna."""
    match trial.state:
        case TrialState.completed:
            study.tell(trial.number, 1 - trial.metrics["accuracy"])
        case TrialState.pruned:
            study.tell(trial.number, state=StudyState.PRUNED)
        case TrialState.failed:
            study.tell(trial.number, state=StudyState.FAIL)


def _queue(
    study: optuna.Study, parameters: TuningParameters, favourites: Sequence[Params]
) -> list[tuple[Params, dict[str, int]]]:
    """The candidates that are known beforehand and have had no trial, and those that failed.

    The favourites of the first attempt are stored, so that each attempt goes on in the same order.
    Not Optuna's own grid, which draws in random order and may give one candidate to two workers.

    Returns:
        Each with what its trial is to store.
    """
    if _FAVOURITES not in study.user_attrs:
        valid = [dict(params) for params in favourites if parameters.contains(params)]
        study.set_user_attr(_FAVOURITES, valid)
    known: list[Params] = list(study.user_attrs[_FAVOURITES])
    if parameters.sampler == Sampler.grid:
        known += parameters.candidates()
    trials = study.get_trials(deepcopy=False)
    had: list[Params] = [trial.params for trial in trials]
    queue: list[tuple[Params, dict[str, int]]] = []
    for params in known:
        if params not in had:
            queue.append((params, {}))
            had.append(params)
    retried = {trial.user_attrs.get(_RETRY_OF) for trial in trials}
    failed = (trial for trial in trials if trial.state == StudyState.FAIL)
    return queue + [
        (trial.params, {_RETRY_OF: trial.number}) for trial in failed if trial.number not in retried
    ]


def _trials_to_run(
    study: optuna.Study,
    parameters: TuningParameters,
    queue: Sequence[tuple[Params, dict[str, int]]],
    retained: int,
    started: float,
) -> Iterator[optuna.Trial]:
    """Trials that a killed process left running, then the queue, then new draws."""
    running = study.get_trials(deepcopy=False, states=[StudyState.RUNNING])
    interrupted = [storage_id(trial) for trial in running]
    queued = iter(queue)
    total, distributions = parameters.total(), parameters.distributions()
    for started_trials in itertools.count(retained):
        late = parameters.max_seconds and monotonic() - started > parameters.max_seconds
        if late or started_trials == total:
            return
        if interrupted:
            yield continued(study, interrupted.pop(0), distributions)
        elif candidate := next(queued, None):
            yield begun(study, candidate[0], distributions, candidate[1])
        else:
            yield study.ask(distributions)
