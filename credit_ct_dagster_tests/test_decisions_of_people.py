"""What a person decides: by command, or by moving an alias in MLflow."""

import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.files import (
    MODEL_CARD_FILE,
    MODEL_FOLDER,
)
from credit_ct_dagster.errors.models import (
    ChampionDisagreementError,
    UnrecordedChampionError,
)
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.tenures import decided_on, probation_on
from credit_ct_dagster_tests.decided import (
    LOSES,
    WINS,
    decide,
    packaged,
    roles,
    searched,
)
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


def test_an_alias_moved_by_hand_is_not_overruled(
    platform: Platform, fitted: CatBoostClassifier
) -> None:
    """It stays where a person put it, and the gate asks for the reason."""
    first = decide(platform, fitted, "2025-03-01", WINS)
    second = decide(platform, fitted, "2025-03-03", LOSES)
    client = platform.tracking.client
    client.set_registered_model_alias(platform.model_name, "champion", second.registered_version)
    with platform.promotions.deciding() as deciding:
        assert platform.promotions.champion() == second
        with pytest.raises(UnrecordedChampionError, match="credit-ct promote"):
            deciding.promotion_of(second.registered_version)
        assert deciding.promotion_of(first.registered_version).number == 1


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_an_alias_moved_by_hand_is_put_on_record(
    platform: Platform, fitted: CatBoostClassifier, command: str
) -> None:
    """As the doctor recommends: the model that served before is the champion again."""
    first = decide(platform, fitted, "2025-03-01", WINS)
    second = decide(platform, fitted, "2025-03-03", WINS)
    searched(platform, "2025-03-01", first.mlflow_run_id)
    client = platform.tracking.client
    client.set_registered_model_alias(platform.model_name, "champion", first.registered_version)
    with pytest.raises(ChampionDisagreementError, match="promote or credit-ct rollback"):
        platform.promotions.agreement()
    which = ("--partition", "2025-03-01") if command == "promote" else ()
    done = platform.command(command, *which, "--by", "Kim", "--reason", "it was me")
    assert done.exit_code == 0, done.output
    assert (platform.promotions.champion(), platform.promotions.previous()) == (first, second)
    assert platform.promotions.agreement().startswith("version 1 of base date 2025-03-01")


def test_a_person_can_overrule_the_gate(platform: Platform, fitted: CatBoostClassifier) -> None:
    """Promote and roll back by command, with a name and a reason, which stay on record."""
    first = decide(platform, fitted, "2025-03-01", WINS)
    run_id = packaged(platform, fitted, "2025-03-03")
    searched(platform, "2025-03-03", run_id)

    nothing = platform.command("rollback", "--by", "Lee", "--reason", "complaints")
    assert nothing.exit_code == 1
    assert "There is no previous champion" in nothing.output
    promote = ("promote", "--partition", "2025-03-03", "--by", "Kim", "--reason", "it is biased")
    done = platform.command(*promote)
    assert done.exit_code == 0, done.output
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.mlflow_run_id == run_id
    again = platform.command(*promote)
    assert again.exit_code == 1
    assert "The model of base date 2025-03-03 is the champion already" in again.output
    back = platform.command("rollback", "--by", "Lee", "--reason", "complaints")
    assert back.exit_code == 0, back.output
    assert platform.promotions.champion() == first
    assert platform.promotions.previous() == champion
    assert roles(platform) == {"2025-03-01": "champion", "2025-03-03": "previous"}
    decided = [(each.by, each.reason) for each in platform.promotions.records()]
    assert decided == [("gate", None), ("Kim", "it is biased"), ("Lee", "complaints")]


def test_a_person_can_keep_a_champion_on_probation(
    platform: Platform, fitted: CatBoostClassifier
) -> None:
    """Its probation ends, on record; the model before stays the one to roll back to."""
    first = decide(platform, fitted, "2025-03-01", WINS)
    second = decide(platform, fitted, "2025-03-03", WINS)
    searched(platform, "2025-03-03", second.mlflow_run_id)
    searched(platform, "2025-03-01", first.mlflow_run_id)
    today = decided_on(platform.promotions.records()[-1])
    assert probation_on(platform.promotions.records(), today, ShadowRules())[0]
    person = ("--by", "Kim", "--reason", "the labels are wrong", "--keep")
    other = platform.command("promote", "--partition", "2025-03-01", *person)
    assert other.exit_code == 1
    assert "is not the champion, so it cannot be kept" in " ".join(other.output.split())
    done = platform.command("promote", "--partition", "2025-03-03", *person)
    assert done.exit_code == 0, done.output
    records = platform.promotions.records()
    assert records[-1].decision.sentence == "Kept by Kim: the labels are wrong"
    found, why = probation_on(records, today, ShadowRules())
    assert found is None
    assert "took no other model's place (decision 3)" in why
    assert (platform.promotions.champion(), platform.promotions.previous()) == (second, first)


def test_a_model_that_does_not_load_is_not_promoted(platform: Platform) -> None:
    """Not even by a person: neither one that was never trained, nor one whose package is gone."""
    person = ("--by", "Kim", "--reason", "why not")
    untrained = platform.command("promote", "--partition", "2025-03-05", *person)
    assert untrained.exit_code == 1
    assert "summary.json does not exist" in untrained.output
    searched(platform, "2025-03-05", "0" * 32)
    unpackaged = platform.command("promote", "--partition", "2025-03-05", *person)
    assert unpackaged.exit_code == 1
    assert "is not packaged" in unpackaged.output
    assert platform.promotions.records() == []


def test_a_card_is_found(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest one, or that of a base date; the path is printed for those without a browser."""
    assert "No base date has a model card yet" in platform.command("report").output
    for base_dt in ("2025-03-01", "2025-03-03"):
        platform.artifacts.write(MODEL_FOLDER, base_dt, {MODEL_CARD_FILE: "<html></html>"})
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    newest = platform.command("report")
    path = platform.models("2025-03-03").path / MODEL_CARD_FILE
    assert newest.output.strip() == str(path)
    assert opened == [path.as_uri()]
    assert (
        "2025-03-01" in platform.command("report", "--partition", "2025-03-01", "--no-open").output
    )
    assert len(opened) == 1
    absent = platform.command("report", "--partition", "2025-03-02")
    assert "Base date 2025-03-02 has no model card" in absent.output
