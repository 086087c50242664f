"""Which model a worker serves: the champion, as soon as it is another one."""

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.models import PackageDoesNotServeError
from credit_ct_dagster.errors.operation import UnexpectedError
from credit_ct_dagster.errors.serving import ChampionNotWatchedError, NoChampionError
from credit_ct_dagster.serving.champions import Champions, Packaged, Reporter
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.golden import difference_of

if TYPE_CHECKING:  # CatBoost takes seconds to import
    from credit_ct_dagster.scorer.scorer import Scorer

LOOK_SECONDS = 0.4
"""Between two looks at the champion."""

_PUBLISH_SECONDS = 1
_STOP_SECONDS = 1
"""A look that takes longer is not waited for."""
_SILENT_SECONDS = 10
"""A look that has lasted longer is a problem, although it has not failed yet."""
_LONGEST_PAUSE_SECONDS = {True: 4.0, False: 30.0}
"""Between attempts to look, and to load: a server may be back soon, a package stays as it is."""
_UNAVAILABLE_ATTEMPTS = 5
"""A server that is back within seconds is reported to nobody."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
    """The model of an answer. It never changes: a request that has one keeps it.

    Attributes:
        identity: Its names.
        scorer: Answers.
        contract: Which rows it takes.
        data: What its scorer knows besides the model.
        since: When this worker began to serve it.
    """

    identity: ModelIdentity
    scorer: "Scorer"
    contract: RowContract
    data: ScorerRecord
    since: datetime


@dataclass(frozen=True)
class FollowerState:
    """How far a worker follows the champion.

    Attributes:
        serving: The model that answers; None before the first one was loaded.
        since: When it began to answer.
        wanted: The champion by the newest look that succeeded.
        problem: Why the wanted model is not served, or not known, in a sentence with its code.
        code: The code of the problem.
        last_look: When the newest look that succeeded ended.
    """

    serving: ModelIdentity | None = None
    since: datetime | None = None
    wanted: ModelIdentity | None = None
    problem: str | None = None
    code: str | None = None
    last_look: datetime | None = None


class ChampionFollower:
    """Looks at the champion in a thread of its own, and swaps the model when it is another one.

    Whatever prevents that leaves the old model serving; it is logged and reported once per cause,
    and tried again after a pause that grows.
    """

    def __init__(
        self,
        champions: Champions,
        reporter: Reporter | None = None,
        publish: Callable[[FollowerState], None] = lambda _: None,
    ) -> None:
        """Serve nothing yet.

        Args:
            champions: Knows the champion.
            reporter: Is notified of causes that keep the champion from being served.
            publish: Called with every new state, and once a second, for other processes to know.
        """
        self._champions, self._reporter, self._publish = champions, reporter, publish
        self._current: ServedModel | None = None
        self._wanted: ModelIdentity | None = None
        self._error: CreditCtError | None = None
        self._last_look: datetime | None = None
        self._last_look_clock = time.monotonic()
        self._attempts, self._again = 0, 0.0
        self._blind = False
        self._published: FollowerState | None = None
        self._published_clock = 0.0
        self._looking = Lock()
        self._stopped = Event()
        self._thread = Thread(target=self._follow, name="champion follower", daemon=True)

    @property
    def current(self) -> ServedModel | None:
        """The model that answers now; None before the first one was loaded."""
        return self._current

    def state(self) -> FollowerState:
        """How far this worker follows the champion, now."""
        current, error = self._current, self._error
        silent = time.monotonic() - self._last_look_clock
        if error is None and silent > _SILENT_SECONDS:
            error = ChampionNotWatchedError(
                f"Nothing has been heard of the champion for {silent:.0f} s: MLflow or the"
                f" artifacts answer slowly or not at all. {_serving(current)} Check that they run"
                " and can be reached from here."
            )
        return FollowerState(
            serving=current.identity if current else None,
            since=current.since if current else None,
            wanted=self._wanted,
            problem=str(error) if error else None,
            code=error.code if error else None,
            last_look=self._last_look,
        )

    def start(self) -> None:
        """Load the champion, or note why that cannot be done, and follow it from then on."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Follow it no longer; the model that is served stays."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def look(self) -> None:
        """Look once, and swap if the champion is another model."""
        with self._looking:
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the old model serves on
                self._failed(error)
        self._let_know(self.state(), time.monotonic())

    def _let_know(self, state: FollowerState, now: float) -> None:
        known = replace(state, last_look=None)
        if known == self._published and now - self._published_clock < _PUBLISH_SECONDS:
            return
        self._published, self._published_clock = known, now
        try:
            self._publish(state)
        except Exception:
            logger.exception("The state of this worker could not be published")

    def _follow(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            self.look()

    def _look(self) -> None:
        if self._blind and time.monotonic() < self._again:
            return
        self._blind = True
        wanted = self._champions.champion()
        self._blind = False
        self._last_look, self._last_look_clock = datetime.now(UTC), time.monotonic()
        if wanted != self._wanted:  # another one may load at once
            self._wanted, self._attempts, self._again = wanted, 0, 0.0
        if wanted is None:
            raise NoChampionError(
                f"No model is the champion in MLflow. {_serving(self._current)} credit-ct run"
                " trains one; credit-ct promote makes a model the champion."
            )
        current = self._current
        if current is not None and current.identity == wanted:
            self._in_step()
        elif time.monotonic() >= self._again:
            self._swap(wanted)
            self._in_step()

    def _swap(self, wanted: ModelIdentity) -> None:
        started = time.perf_counter()
        packaged = self._champions.load(wanted)
        _require_golden(packaged, wanted)
        before = self._current
        self._current = ServedModel(
            wanted,
            packaged.scorer,
            RowContract.of(packaged.data),
            packaged.data,
            datetime.now(UTC),
        )
        logger.info(
            f"Serving {_name(wanted)}"
            + (f" instead of {_name(before.identity)}" if before else "")
            + f" ({time.perf_counter() - started:.3f} s)"
        )

    def _in_step(self) -> None:
        if self._error is not None:
            logger.info(f"The champion is served again. Solved: {_cause(self._error)}")
            if self._reporter:
                self._reporter.solved()
        self._error, self._attempts, self._again = None, 0, 0.0

    def _failed(self, error: Exception) -> None:
        places = ""
        if not isinstance(error, CreditCtError):
            # Without its message, which may quote anything.
            places = "\n" + "".join(traceback.format_tb(error.__traceback__))
            error = UnexpectedError(f"The champion cannot be served: {type(error).__name__}.")
        if self._error is None or _cause(self._error) != _cause(error):
            self._attempts = 0
            logger.error(f"{error} {_serving(self._current)}{places}", extra={"code": error.code})
        self._error = error
        self._attempts += 1
        longest = _LONGEST_PAUSE_SECONDS[self._blind]
        self._again = time.monotonic() + min(LOOK_SECONDS * 2**self._attempts, longest)
        patience = _UNAVAILABLE_ATTEMPTS if isinstance(error, UnavailableError) else 1
        if self._attempts == patience and self._reporter:
            self._reporter.failed(error, self.state())


def _require_golden(packaged: Packaged, wanted: ModelIdentity) -> None:
    """Make sure that a model answers here as the pipeline did when it was packaged."""
    if packaged.golden is None:
        logger.warning(
            f"The package of {_name(wanted)} is of an earlier release and holds no golden rows: it"
            " is served without comparing its answers. Materialize bentoml_model and"
            " champion_model for this base date to have them compared."
        )
        return
    problem = difference_of(packaged.scorer, packaged.golden)
    if problem:
        raise PackageDoesNotServeError(
            f"Package {wanted.bentoml_tag} of base date {wanted.base_dt} is not served: {problem}."
            " Compare the versions of CatBoost and NumPy here with those in its requirements.txt;"
            " then materialize bentoml_model and champion_model for this base date."
        )


def _serving(current: ServedModel | None) -> str:
    if current is None:
        return "The service has no model, and answers 503."
    return f"The service goes on with {_name(current.identity)}."


def _name(model: ModelIdentity) -> str:
    return f"{model.bentoml_tag} of base date {model.base_dt}"


def _cause(error: CreditCtError) -> str:
    """By what two failures are the same: sentences may hold times and counts."""
    return f"{error.code}: {error.sentence.partition('. ')[0]}"
