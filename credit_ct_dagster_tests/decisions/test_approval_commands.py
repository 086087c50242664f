"""`credit-ct approve` and `reject`, with real stores: what they bind to, and who comes first."""

from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.approval import ApprovalPolicy
from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.decisions.approvals import approve, with_approval
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.models import NotAwaitingApprovalError
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster_tests.decisions.decided import WINS, decide, packaged, searched
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model

_FIRST, _SECOND = "2025-03-01", "2025-03-03"
_KIM = ("--by", "Kim", "--reason", "I have read the card")
_RULES = GateRules(approval=ApprovalPolicy.required)


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


@pytest.fixture
def asked(platform: Platform, fitted: CatBoostClassifier) -> ModelIdentity:
    """The challenger that decision 2 asks about; decision 1 has promoted a champion."""
    decide(platform, fitted, _FIRST, WINS)
    run_id = packaged(platform, fitted, _SECOND)
    searched(platform, _SECOND, run_id)
    with platform.promotions.deciding() as deciding:
        model = deciding.register(_SECOND, run_id)
        deciding.record(model, with_approval(deciding, model, WINS, _RULES))
    return model


def _observed(history: dg.DagsterInstance, base_dt: str) -> dict[str, object]:
    """What the UI shows of `champion_model` for a base date, if only observations say it."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey("champion_model"), asset_partitions=[base_dt])
    records = history.fetch_observations(wanted, limit=1).records
    observation = records[0].asset_observation if records else None
    return {name: each.value for name, each in observation.metadata.items()} if observation else {}


def _refused(platform: Platform, code: str, *more: str) -> str:
    done = platform.command("approve", *more, *_KIM)
    said = " ".join(done.output.split())
    assert done.exit_code == 1
    assert code in said
    assert len(platform.promotions.records()) == 2
    return said


def test_only_what_was_judged_can_be_approved(platform: Platform, asked: ModelIdentity) -> None:
    """Not unnamed, nor with other bytes, of another training, or against another champion."""
    assert "credit-ct approve --decision 2" in _refused(platform, "CT-CHAMPION-8")

    file = next(platform.packages.scorer_folder(asked.bentoml_tag).rglob("*.json"))
    content = file.read_bytes()
    file.write_bytes(content + b" ")
    _refused(platform, "CT-PACKAGE-4", "--decision", "2")
    file.write_bytes(content)

    searched(platform, _SECOND, "0" * 32)
    assert "was trained again since decision 2" in _refused(
        platform, "CT-CHAMPION-9", "--decision", "2"
    )
    searched(platform, _SECOND, asked.mlflow_run_id)

    client, name = platform.tracking.client, platform.model_name
    client.set_registered_model_alias(name, "champion", asked.registered_version)
    assert "was compared with the champion" in _refused(
        platform, "CT-CHAMPION-9", "--decision", "2"
    )


def test_an_approval_promotes_at_once(
    platform: Platform, asked: ModelIdentity, history: dg.DagsterInstance
) -> None:
    """With the gate's evidence, the person's name, and an event on both base dates."""
    done = platform.command("approve", "--decision", "2", *_KIM)
    assert done.exit_code == 0, done.output
    assert platform.promotions.champion() == asked
    [*_, record] = platform.promotions.records()
    assert (record.by, record.reason) == ("Kim", "I have read the card")
    decision = record.decision
    assert (decision.promoted, decision.ground, decision.by_evidence) == (True, Ground.better, None)
    assert decision.comparison == WINS.comparison
    assert decision.sentence == "Promoted: better. Approved by Kim: I have read the card"
    assert _observed(history, _SECOND) == {
        "promoted": True,
        "decision": decision.sentence,
        "champion": f"version {asked.registered_version}",
        "decision_number": 3,
        "decided_by": "Kim",
        "awaiting_approval": "no longer",
    }
    assert _observed(history, _FIRST)["promoted"] is False
    again = platform.command("approve", "--decision", "2", *_KIM)
    assert again.exit_code == 1
    assert "CT-CHAMPION-8" in again.output


def test_a_model_whose_version_was_deleted_is_registered_again(
    platform: Platform, asked: ModelIdentity, history: dg.DagsterInstance
) -> None:
    """What is approved serves, as its package is still the one that was judged."""
    platform.tracking.client.delete_model_version(platform.model_name, asked.registered_version)
    done = platform.command("approve", "--decision", "2", *_KIM)
    assert done.exit_code == 0, done.output
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.bentoml_tag == asked.bentoml_tag
    assert champion.registered_version != asked.registered_version
    assert platform.promotions.recorded_champion() == champion.registered_version


def test_a_rejection_leaves_the_champion(
    platform: Platform, asked: ModelIdentity, history: dg.DagsterInstance
) -> None:
    """On record, with an event on the base date that is rejected, whose files were retained."""
    needed = platform.promotions.needed_base_dates("2025-03-10", ShadowRules())
    assert needed[_SECOND] == "a challenger that awaits approval"
    done = platform.command("reject", "--decision", "2", "--by", "Lee", "--reason", "audit")
    assert done.exit_code == 0, done.output
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.base_dt == _FIRST
    assert _observed(history, asked.base_dt)["decision"] == "Rejected by Lee: audit"
    assert _observed(history, _FIRST) == {}


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_of_two_who_approve_at_once_one_does(
    request: pytest.FixtureRequest, platform: Platform, asked: ModelIdentity, kind: str
) -> None:
    """The second one sees what the first one decided."""
    url = platform.url
    if kind == "mariadb":
        server: MariaDB = request.getfixturevalue("mariadb")
        url = server.new_database()

    def approves(name: str) -> str:
        promotions = Promotions(
            tracking=platform.tracking, packages=platform.packages,
            artifacts=platform.artifacts, validation=platform.wiring.package_validation,
            lock_url=url,
        )  # fmt: skip
        try:
            with promotions.deciding() as deciding:
                approve(promotions, deciding, 2, by=name, reason="first")
        except NotAwaitingApprovalError as error:
            return error.code
        return "approved"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(approves, ["Kim", "Lee"])) == ["CT-CHAMPION-8", "approved"]
    assert platform.promotions.champion() == asked
    assert len(platform.promotions.records()) == 3
