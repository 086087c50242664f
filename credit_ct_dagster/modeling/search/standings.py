"""What the trials of a search have reported, as they compare themselves with each other."""

import math
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import optuna


class Standing(NamedTuple):
    """How far a trial has come.

    Attributes:
        losses: Its minimised loss on validation per rung that it has reached.
        running: Whether it may still reach another one.
    """

    losses: Mapping[int, float]
    running: bool


class Standings(Protocol):
    """Where trials report their losses, and find those of the others.

    Attributes:
        poll_seconds: How often to look for what is pending.
        patience_seconds: How long a trial that is fitted waits for an earlier one.
    """

    poll_seconds: float
    patience_seconds: float

    def rungs_of(self, trial: optuna.Trial) -> set[int]:
        """The rungs at which a trial has reported already."""
        ...

    def report(self, trial: optuna.Trial, rung: int, loss: float) -> None:
        """Report the loss of a trial at a rung."""
        ...

    def up_to(self, trial: optuna.Trial) -> Sequence[Standing]:
        """The trials that were started before one, and that one itself as the last."""
        ...


class StudyStandings:
    """The study itself, which the trials on other machines share: each look reads its database."""

    poll_seconds = 0.25
    patience_seconds = 60.0  # a worker may have died; its trial may wait for this one's place

    def rungs_of(self, trial: optuna.Trial) -> set[int]:
        """See `Standings`: one that continues a trial of a killed process may have reported."""
        return set(_stored(trial.study)[trial.number].losses)

    def report(self, trial: optuna.Trial, rung: int, loss: float) -> None:
        """See `Standings`."""
        trial.report(loss, rung)

    def up_to(self, trial: optuna.Trial) -> Sequence[Standing]:
        """See `Standings`."""
        return _stored(trial.study)[: trial.number + 1]


class LocalStandings:
    """The memory of one process whose threads run all trials: a look costs nothing.

    Losses are written to the study when their trial has ended: until then only its trials compare
    themselves with them, and a trial that a killed process leaves is fitted from the start again.
    """

    poll_seconds = 0.01
    patience_seconds = math.inf  # an earlier trial is running, and reaches the rung or ends

    def __init__(self) -> None:
        self._standings: dict[int, Standing] = {}
        self._stored: dict[int, set[int]] = {}
        self._lock = threading.Lock()

    def join(self, trial: optuna.Trial) -> None:
        """Enter a trial before it is fitted; those that were started before it have entered.

        The first one brings the trials of earlier attempts.
        """
        with self._lock:
            if not self._standings:
                for number, stored in enumerate(_stored(trial.study)):
                    self._stored[number] = set(stored.losses)
                    self._standings[number] = (
                        stored._replace(losses={}) if stored.running else stored
                    )
            self._standings[trial.number] = Standing({}, running=True)

    def end(self, trial: optuna.Trial) -> None:
        """Have no other trial wait for one that has ended."""
        with self._lock:
            ended = self._standings[trial.number]._replace(running=False)
            self._standings[trial.number] = ended

    def running(self) -> int:
        """How many trials are fitted now or wait for a thread."""
        with self._lock:
            return sum(standing.running for standing in self._standings.values())

    def write(self, trial: optuna.Trial) -> None:
        """Write the losses of a trial to its study, but those that it has from a killed process."""
        known = self._stored.get(trial.number, set())
        for rung, loss in self._standings[trial.number].losses.items():
            if rung not in known:
                trial.report(loss, rung)

    def rungs_of(self, trial: optuna.Trial) -> set[int]:
        """See `Standings`."""
        return set(self._standings[trial.number].losses)

    def report(self, trial: optuna.Trial, rung: int, loss: float) -> None:
        """See `Standings`."""
        with self._lock:
            losses = self._standings[trial.number].losses
            self._standings[trial.number] = Standing({**losses, rung: loss}, running=True)

    def up_to(self, trial: optuna.Trial) -> Sequence[Standing]:
        """See `Standings`."""
        with self._lock:
            numbers = sorted(number for number in self._standings if number <= trial.number)
            return [self._standings[number] for number in numbers]


def _stored(study: optuna.Study) -> list[Standing]:
    return [
        Standing(dict(trial.intermediate_values), not trial.state.is_finished())
        for trial in study.get_trials(deepcopy=False)
    ]
