"""`credit-ct status`: the model that answers, what a person is asked, and stores that are away."""

import json
from pathlib import Path

import dagster as dg
import pytest
from catboost import CatBoostClassifier
from pydantic import SecretStr

from credit_ct_dagster.contracts.approval import ApprovalPolicy
from credit_ct_dagster.decisions.approvals import with_approval
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster_tests.decisions.decided import LOSES, WINS, decide, packaged
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model
from credit_ct_dagster_tests.servers import free_port

_FIRST, _SECOND, _THIRD = "2025-03-01", "2025-03-03", "2025-03-05"


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


def _roles(platform: Platform) -> tuple[dict[str, str], str]:
    """The roles of base dates, and what the error stream says."""
    done = platform.command("status", "--json")
    assert done.exit_code == 0, done.output
    listed = json.loads(done.stdout)
    return {each["base_dt"]: each["role"] for each in listed if each["role"]}, done.stderr


def test_the_champion_is_the_model_that_answers(
    platform: Platform, fitted: CatBoostClassifier, history: dg.DagsterInstance
) -> None:
    """Whoever moved or removed MLflow's alias; what the newest decision says is a problem then."""
    decide(platform, fitted, _FIRST, WINS)
    decide(platform, fitted, _SECOND, WINS)
    third = decide(platform, fitted, _THIRD, LOSES)
    assert _roles(platform) == ({_SECOND: "champion", _FIRST: "previous"}, "")

    client, name = platform.tracking.client, platform.model_name
    client.set_registered_model_alias(name, "champion", third.registered_version)
    roles, said = _roles(platform)
    assert roles == {_THIRD: "champion", _FIRST: "previous"}
    assert "MLflow's alias champion is on version 3" in said
    shown = platform.command("status").stdout.splitlines()
    assert shown[0].startswith(f"Champion: base date {_THIRD}")
    assert shown[1] == f"Package:  {third.bentoml_tag}"
    assert "it belongs to version 2" in shown[3]
    assert "See CT-CHAMPION-1" in shown[3]

    client.delete_registered_model_alias(name, "champion")
    roles, said = _roles(platform)
    assert roles == {_FIRST: "previous"}
    assert "MLflow's alias champion is on no version" in said
    assert platform.command("status").stdout.startswith("Champion: none\n")


def test_without_mlflow_the_newest_decision_says_who_serves(
    platform: Platform,
    fitted: CatBoostClassifier,
    history: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And that it is not known whether that model answers."""
    model = decide(platform, fitted, _FIRST, WINS)
    away = SecretStr("http://127.0.0.1:1")
    monkeypatch.setitem(platform.settings.__dict__, "mlflow_tracking_uri", away)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    roles, said = _roles(platform)
    assert roles == {_FIRST: "champion"}
    assert said.startswith("The champion shown is that of the newest decision. MLflow does not")
    assert f"Package:  {model.bentoml_tag}" in platform.command("status").stdout


def test_what_awaits_a_person_is_asked_first(
    platform: Platform, fitted: CatBoostClassifier, history: dg.DagsterInstance
) -> None:
    """With the number of the decision, and the commands that answer it."""
    run_id = packaged(platform, fitted, _FIRST)
    rules = GateRules(approval=ApprovalPolicy.required)
    with platform.promotions.deciding() as deciding:
        model = deciding.register(_FIRST, run_id)
        deciding.record(model, with_approval(deciding, model, WINS, rules))
    champion, service, question, *_ = platform.command("status").stdout.splitlines()
    assert champion == "Champion: none"
    assert service.startswith("Service:")
    assert "To let it serve: credit-ct approve --decision 1 --by NAME" in question
    assert "credit-ct reject --decision 1" in question


def test_without_dagster_the_rest_is_shown(
    platform: Platform,
    fitted: CatBoostClassifier,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Champion, service and base dates; of runs and checks, that they are unknown, and why."""
    decide(platform, fitted, _FIRST, WINS)
    closed = "mysql+mysqlconnector://u:hush@127.0.0.1:1/dagster"
    (tmp_path / "dagster.yaml").write_text(f"storage: {{mysql: {{mysql_url: '{closed}'}}}}")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    done = platform.command("status")
    assert done.exit_code == 0, done.output
    champion, _, _, unknown, *table = done.stdout.splitlines()
    assert champion.startswith(f"Champion: base date {_FIRST}")
    assert unknown.startswith("Runs and checks are unknown. Dagster's history cannot be read")
    assert "See CT-DAGSTER-5" in unknown
    assert table[-1].startswith(f"{_FIRST}  packaged  champion")
    roles, said = _roles(platform)
    assert roles == {_FIRST: "champion"}
    assert said.startswith("Runs and checks are unknown.")


@pytest.mark.parametrize(
    "command",
    ["watch", "prune", "prune --failed-runs-of 2025-03-01", "run", f"ui --port {free_port()}"],
    ids=["watch", "prune", "prune a failed base date", "run", "ui"],
)
def test_what_needs_dagster_says_so_in_a_sentence(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    """And with a code, instead of a traceback."""
    closed = "mysql+mysqlconnector://u:hush@127.0.0.1:1/dagster"
    (tmp_path / "dagster.yaml").write_text(f"storage: {{mysql: {{mysql_url: '{closed}'}}}}")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workspace.yaml").touch()
    done = platform.command(*command.split())
    assert done.exit_code == 1, done.output
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("Error: Dagster's history cannot be read")
    assert "See CT-DAGSTER-5" in sentence
    assert "hush" not in sentence
