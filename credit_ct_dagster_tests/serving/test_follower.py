"""Which model a worker serves."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import pytest

from credit_ct_dagster.contracts.golden import GoldenRow, GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.models import (
    ChangedPackageError,
    MissingPackageError,
    MlflowUnavailableError,
)
from credit_ct_dagster.scorer.scorer import Answer
from credit_ct_dagster.serving.follower import LOOK_SECONDS, ChampionFollower, FollowerState
from credit_ct_dagster_tests.resources.packages import any_data

_GOLDEN = GoldenRows(
    rows=[
        GoldenRow(
            kind="typical",
            features={"age": 33.0},
            credit_score="Poor",
            probabilities={"Poor": 0.6, "Standard": 0.3, "Good": 0.1},
        )
    ]
)


def _model(base_dt: str) -> ModelIdentity:
    return ModelIdentity(
        base_dt=base_dt,
        mlflow_run_id="r",
        dagster_run_id="d",
        data_fingerprint="f",
        bentoml_tag=f"m:{base_dt}",
        registered_model="m",
        registered_version=base_dt[-1],
    )


_FIRST, _SECOND = _model("2025-01-01"), _model("2025-01-02")


@dataclass(frozen=True)
class _Scorer:
    poor: float = 0.6

    def score(self, row: Any, reasons: bool = True) -> Answer:
        return Answer("Poor", {"Poor": self.poor, "Standard": 0.9 - self.poor, "Good": 0.1}, True)


@dataclass(frozen=True)
class _Package:
    identity: ModelIdentity
    scorer: Any = field(default_factory=_Scorer)
    golden: GoldenRows | None = _GOLDEN
    data: ScorerRecord = field(default_factory=any_data)


@dataclass
class _Champions:
    """Champions that a test moves; an error takes the place of what cannot be had."""

    now: ModelIdentity | Exception | None = _FIRST
    packages: dict[str, _Package | Exception] = field(default_factory=dict)
    loads: int = 0

    def champion(self) -> ModelIdentity | None:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    def load(self, model: ModelIdentity) -> _Package:
        self.loads += 1
        found = self.packages.get(model.bentoml_tag, _Package(model))
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class _Reporter:
    codes: list[str] = field(default_factory=list)
    solutions: int = 0

    def failed(self, error: CreditCtError, state: FollowerState) -> None:
        self.codes.append(error.code)

    def solved(self) -> None:
        self.solutions += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass between two looks."""
    now = [1_000.0]
    monkeypatch.setattr("credit_ct_dagster.serving.follower.time.monotonic", lambda: now[0])

    def passed(seconds: float) -> None:
        now[0] += seconds

    return passed


def _follower(champions: _Champions, reporter: _Reporter | None = None) -> ChampionFollower:
    return ChampionFollower(champions, reporter)


def _served(follower: ChampionFollower) -> str:
    assert follower.current is not None
    return follower.current.identity.bentoml_tag


def test_another_champion_is_served_and_a_request_keeps_its_model() -> None:
    """One assignment swaps everything that belongs to a model."""
    other = any_data().model_copy(update={"features": ["y"]})
    champions = _Champions(packages={_SECOND.bentoml_tag: _Package(_SECOND, data=other)})
    follower = _follower(champions)
    follower.look()
    under_way = follower.current
    champions.now = _SECOND
    follower.look()
    assert under_way is not None
    assert (under_way.identity, under_way.contract.features) == (_FIRST, ["x"])
    assert follower.current is not None
    assert (follower.current.identity, follower.current.contract.features) == (_SECOND, ["y"])
    champions.now = _FIRST
    follower.look()
    assert _served(follower) == "m:2025-01-01"
    assert follower.state().problem is None


def test_the_same_champion_is_loaded_once() -> None:
    """Looking is cheap."""
    champions = _Champions()
    follower = _follower(champions)
    for _ in range(5):
        follower.look()
    assert champions.loads == 1


def test_a_thread_follows_the_champion() -> None:
    """Once it was started, nobody has to look."""
    champions, seen, swapped = _Champions(), [], Event()

    def publish(state: FollowerState) -> None:
        seen.append(state.serving)
        if state.serving == _SECOND:
            swapped.set()

    follower = ChampionFollower(champions, publish=publish)
    follower.start()
    champions.now = _SECOND
    assert swapped.wait(20)
    follower.stop()
    assert seen[0] == _FIRST


_UNLOADABLE: dict[str, _Package | Exception] = {
    "missing": MissingPackageError("Package m:2025-01-02 is not there."),
    "changed": ChangedPackageError("Package m:2025-01-02 was changed."),
    "unknown to the platform": ValueError("3.14 is what customer Jones owes"),
    "other answers": _Package(_SECOND, _Scorer(poor=0.6 + 1e-9)),
    "no number": _Package(_SECOND, _Scorer(poor=float("nan"))),
    "cannot score": _Package(_SECOND, None),
}
_CODES = {
    "missing": "CT-PACKAGE-1",
    "changed": "CT-PACKAGE-4",
    "unknown to the platform": "CT-UNEXPECTED-1",
    "other answers": "CT-PACKAGE-6",
    "no number": "CT-PACKAGE-6",
    "cannot score": "CT-PACKAGE-6",
}


@pytest.mark.parametrize("what", _UNLOADABLE)
def test_what_cannot_be_served_leaves_the_old_model(
    what: str, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the state, and logged and reported once; it is tried again less and less often."""
    champions, reporter = _Champions(packages={_SECOND.bentoml_tag: _UNLOADABLE[what]}), _Reporter()
    follower = _follower(champions, reporter)
    follower.look()
    champions.now, champions.loads = _SECOND, 0
    for _ in range(150):
        follower.look()
        clock(LOOK_SECONDS)
    state = follower.state()
    assert _served(follower) == "m:2025-01-01"
    assert (state.serving, state.wanted, state.code) == (_FIRST, _SECOND, _CODES[what])
    assert state.problem is not None
    assert "Jones" not in state.problem + caplog.text
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "goes on with m:2025-01-01 of base date 2025-01-01" in errors[0].getMessage()
    assert reporter.codes == [_CODES[what]]
    assert 5 <= champions.loads <= 9  # in a minute

    champions.packages.clear()
    clock(30)
    follower.look()
    assert _served(follower) == "m:2025-01-02"
    assert follower.state().problem is None
    assert reporter.solutions == 1


def test_a_rollback_solves_a_champion_that_cannot_be_loaded(clock: Callable[[float], None]) -> None:
    """It is not waited for: the next look sees it."""
    champions = _Champions(packages={_SECOND.bentoml_tag: MissingPackageError("It is missing.")})
    follower = _follower(champions)
    follower.look()
    champions.now = _SECOND
    follower.look()
    champions.now = _FIRST
    follower.look()
    assert follower.state().problem is None


def test_a_server_that_is_back_within_seconds_is_reported_to_nobody(
    clock: Callable[[float], None],
) -> None:
    """It is in the state at once; one that stays away is reported once."""
    away = MlflowUnavailableError("MLflow does not answer.")
    champions, reporter = _Champions(), _Reporter()
    follower = _follower(champions, reporter)
    follower.look()
    champions.now = away
    for _ in range(8):
        follower.look()
        clock(LOOK_SECONDS)
    assert follower.state().code == "CT-MLFLOW-1"
    assert _served(follower) == "m:2025-01-01"
    champions.now = _SECOND
    clock(4)
    follower.look()
    assert (reporter.codes, follower.state().problem) == ([], None)
    assert _served(follower) == "m:2025-01-02"

    champions.now = away
    for _ in range(150):
        follower.look()
        clock(LOOK_SECONDS)
    assert reporter.codes == ["CT-MLFLOW-1"]


def test_a_look_that_does_not_end_is_a_problem(clock: Callable[[float], None]) -> None:
    """Nobody would see that the champion is not watched."""
    follower = _follower(_Champions())
    follower.look()
    assert follower.state().problem is None
    clock(11)
    assert follower.state().code == "CT-SERVE-2"


def test_without_a_champion_there_is_no_model() -> None:
    """The sentence says what makes one; a champion that is removed serves on."""
    champions = _Champions(now=None)
    follower = _follower(champions)
    follower.look()
    assert follower.current is None
    assert follower.state().code == "CT-SERVE-1"
    champions.now = _FIRST
    follower.look()
    assert follower.state().problem is None
    champions.now = None
    follower.look()
    assert _served(follower) == "m:2025-01-01"
    assert follower.state().code == "CT-SERVE-1"


def test_a_package_of_an_earlier_release_is_served_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It holds no golden rows."""
    old = replace(_Package(_FIRST), golden=None)
    follower = _follower(_Champions(packages={_FIRST.bentoml_tag: old}))
    follower.look()
    assert _served(follower) == "m:2025-01-01"
    assert "holds no golden rows" in caplog.text
