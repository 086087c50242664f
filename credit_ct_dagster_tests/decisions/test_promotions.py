"""Aliases, labels and records, with a real MLflow and a real BentoML store."""

import time
from concurrent.futures import ThreadPoolExecutor

import mlflow.catboost
import mlflow.pyfunc
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster_tests.decisions.decided import (
    COMPARISON,
    LOSES,
    WINS,
    decide,
    packaged,
    roles,
)
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


def test_a_promotion_is_seen_everywhere(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Aliases, labels and the record agree, first with one champion, then with two."""
    first = decide(platform, fitted, "2025-03-01", WINS)
    assert platform.promotions.champion() == first
    assert platform.promotions.previous() is None
    assert roles(platform) == {"2025-03-01": "champion"}
    second = decide(platform, fitted, "2025-03-03", WINS)
    third = decide(platform, fitted, "2025-03-04", LOSES)
    assert platform.promotions.champion() == second
    assert platform.promotions.previous() == first
    assert roles(platform) == {"2025-03-01": "previous", "2025-03-03": "champion"}
    records = platform.promotions.records()
    assert [record.number for record in records] == [1, 2, 3]
    assert [record.champion for record in records] == [
        first.registered_version,
        second.registered_version,
        second.registered_version,
    ]
    assert records[2].before == second
    assert records[2].model == third
    loaded = mlflow.pyfunc.load_model(f"models:/{platform.model_name}@champion")
    assert list(loaded.predict(pd.DataFrame({"x": [2]}))["credit_score"]) == ["Good"]
    version = platform.tracking.client.get_model_version_by_alias(platform.model_name, "champion")
    assert version.tags["credit_ct.bentoml_tag"] == second.bentoml_tag
    assert version.run_id == second.mlflow_run_id


def test_records_are_history_for_the_gate(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Only what was compared with a champion counts."""
    decide(
        platform,
        fitted,
        "2025-03-01",
        Decision(promoted=True, ground=Ground.first, sentence="Promoted."),
    )
    decide(platform, fitted, "2025-03-03", LOSES)
    cooling = Decision(
        promoted=False,
        ground=Ground.cooling_down,
        sentence="Not promoted: too soon.",
        comparison=COMPARISON,
    )
    decide(platform, fitted, "2025-03-04", cooling)
    with platform.promotions.deciding() as deciding:
        found = [(past.base_dt, past.better) for past in deciding.history()]
    assert found == [("2025-03-03", False), ("2025-03-04", True)]


def test_a_kill_after_the_record_is_made_good(
    platform: Platform, fitted: CatBoostClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record stands, so the next who decides moves the aliases first."""
    first = decide(platform, fitted, "2025-03-01", WINS)

    class _KilledError(BaseException):
        pass

    def killed(self: ModelRegistry, alias: str, version: str | None) -> None:
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(ModelRegistry, "set_alias", killed)
        with pytest.raises(_KilledError):
            decide(platform, fitted, "2025-03-03", WINS)
    assert platform.promotions.champion() == first
    with platform.promotions.deciding():
        champion = platform.promotions.champion()
    assert champion is not None
    assert champion.base_dt == "2025-03-03"
    assert platform.promotions.previous() == first
    assert roles(platform) == {"2025-03-01": "previous", "2025-03-03": "champion"}


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_two_never_decide_at_once(
    request: pytest.FixtureRequest, platform: Platform, fitted: CatBoostClassifier, kind: str
) -> None:
    """The second one sees what the first one decided."""
    url = platform.url
    if kind == "mariadb":
        server: MariaDB = request.getfixturevalue("mariadb")
        url = server.new_database()
    days = ["2025-03-01", "2025-03-02"]
    runs = {day: packaged(platform, fitted, day) for day in days}
    inside: list[str] = []

    def first_wins(day: str) -> bool:
        promotions = Promotions(
            tracking=platform.tracking, packages=platform.packages,
            artifacts=platform.artifacts, validation=platform.wiring.package_validation,
            lock_url=url,
        )  # fmt: skip
        with promotions.deciding() as deciding:
            inside.append(day)
            assert len(inside) == 1
            model = deciding.register(day, runs[day])
            decision = LOSES if deciding.champion() else WINS
            time.sleep(0.2)
            deciding.record(model, decision)
            inside.remove(day)
        return decision.promoted

    with ThreadPoolExecutor(2) as threads:
        won = list(threads.map(first_wins, days))
    assert sorted(won) == [False, True]
    assert len(platform.promotions.records()) == 2
