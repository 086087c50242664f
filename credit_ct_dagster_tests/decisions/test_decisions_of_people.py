"""What a person decides: by command, or by moving an alias in MLflow."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.decision import DecisionRecord, Floor, FloorVerdict, Ground
from credit_ct_dagster.contracts.files import DECISION_FILE, MODEL_CARD_FILE, MODEL_FOLDER
from credit_ct_dagster.decisions.tenures import decided_on, probation_on
from credit_ct_dagster.errors.models import (
    ChampionDisagreementError,
    UnrecordedChampionError,
)
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.resources.stored_pages import stored_page
from credit_ct_dagster_tests.decisions.decided import (
    LOSES,
    WINS,
    decide,
    roles,
    save,
    searched,
)
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model

_BELOW = Floor(what="recall of Poor", value=0.31, least=0.4, rows=120, verdict=FloorVerdict.below)

_CARD = "<p>before</p><!--decision-->old<!--/decision--><p>after</p>"


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


def _decisions(platform: Platform) -> dict[str, str]:
    """What `status` says of each base date."""
    done = platform.command("status", "--json")
    assert done.exit_code == 0, done.output
    return {each["base_dt"]: each["decision"] for each in json.loads(done.stdout)}


def _observed(
    history: dg.DagsterInstance, asset: str, base_dt: str
) -> Mapping[str, dg.MetadataValue]:
    """What the newest observation of an asset's partition says."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[base_dt])
    [record] = history.fetch_observations(wanted, limit=1).records
    observation = record.asset_observation
    assert observation is not None
    return observation.metadata


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


def test_a_person_can_overrule_the_gate(
    platform: Platform, fitted: CatBoostClassifier, history: dg.DagsterInstance
) -> None:
    """What speaks against it is named first, and goes on record with the name and the reason."""
    first = decide(platform, fitted, "2025-03-01", WINS)
    below = LOSES.model_copy(update={"ground": Ground.below_floor, "floors": (_BELOW,)})
    second = decide(platform, fitted, "2025-03-03", below)
    searched(platform, "2025-03-03", second.mlflow_run_id)
    nothing = platform.command("rollback", "--by", "Lee", "--reason", "complaints")
    assert nothing.exit_code == 1
    assert "There is no previous champion" in nothing.output

    promote = ("promote", "--partition", "2025-03-03", "--by", " Kim ", "--reason", "it is\nbiased")
    against = "recall of Poor is 0.310 on 120 rows, below the floor of 0.4"
    refused = platform.command(*promote)
    assert refused.exit_code == 1
    assert against in refused.output
    assert "add --despite-floors" in refused.output
    assert platform.promotions.champion() == first
    done = platform.command(*promote, "--despite-floors")
    assert done.exit_code == 0, done.output
    assert f"Despite: {against}." in done.output
    assert platform.promotions.champion() == second
    promoted = platform.promotions.records()[-1].decision
    assert promoted.sentence == f"Promoted by Kim: it is biased. Despite: {against}"
    assert promoted.despite == (against,)
    assert (promoted.floors, promoted.comparison) == ((_BELOW,), LOSES.comparison)

    again = platform.command(*promote, "--despite-floors")
    assert again.exit_code == 1
    assert "The model of base date 2025-03-03 is the champion already" in again.output
    back = platform.command("rollback", "--by", "Lee", "--reason", "complaints")
    assert back.exit_code == 0, back.output
    assert (platform.promotions.champion(), platform.promotions.previous()) == (first, second)
    assert roles(platform) == {"2025-03-01": "champion", "2025-03-03": "previous"}
    decided = [(each.by, each.reason) for each in platform.promotions.records()]
    assert decided == [
        ("gate", None), ("gate", None), ("Kim", "it is biased"), ("Lee", "complaints")
    ]  # fmt: skip
    assert platform.promotions.records()[-1].is_rollback
    with platform.promotions.deciding() as deciding:
        verdicts = [(each.base_dt, each.better) for each in deciding.history()]
    assert verdicts == [("2025-03-03", False)]  # the gate's, once


def test_a_decision_is_at_once_where_people_look(
    platform: Platform, fitted: CatBoostClassifier, history: dg.DagsterInstance
) -> None:
    """On both models: in Dagster, on their cards (here and in MLflow), and in `status`."""
    for base_dt, decision in (("2025-03-01", WINS), ("2025-03-03", LOSES)):
        model = decide(platform, fitted, base_dt, decision)
        searched(platform, base_dt, model.mlflow_run_id)
        record = platform.promotions.records()[-1]
        files = {DECISION_FILE: record, MODEL_CARD_FILE: _CARD}
        platform.artifacts.write(MODEL_FOLDER, base_dt, files)
    person = ("--by", "Kim", "--reason", "<b>I</b> know")
    promoted = platform.command("promote", "--partition", "2025-03-03", *person)
    assert promoted.exit_code == 0, promoted.output

    assert _decisions(platform) == {
        "2025-03-01": "replaced by 2025-03-03 (Kim)", "2025-03-03": "promoted: a person (Kim)"
    }  # fmt: skip
    shown = {day: _observed(history, "champion_model", day) for day in _decisions(platform)}
    assert {day: each["promoted"].value for day, each in shown.items()} == {
        "2025-03-01": False, "2025-03-03": True
    }  # fmt: skip
    assert {each["champion"].value for each in shown.values()} == {"version 2"}
    assert shown["2025-03-03"]["decision"].value == "Promoted by Kim: <b>I</b> know"
    assert "took its place. Promoted by Kim" in str(shown["2025-03-01"]["decision"].value)
    for base_dt, title in (("2025-03-01", "No longer in service"), ("2025-03-03", "Promoted")):
        page = platform.models(base_dt)[MODEL_CARD_FILE]
        assert page.startswith("<p>before</p><!--decision-->")
        assert page.endswith("<!--/decision--><p>after</p>")
        assert f"<strong>{title}</strong>" in page
        assert "Promoted by Kim: &lt;b&gt;I&lt;/b&gt; know" in page
        run = platform.models(base_dt).read(DecisionRecord).model.mlflow_run_id
        with TemporaryDirectory() as folder:
            copy = platform.tracking.client.download_artifacts(run, MODEL_CARD_FILE, folder)
            assert Path(copy).read_text() == page
        [version] = platform.tracking.client.search_model_versions(f"run_id = '{run}'")
        assert version.description
        text = str(shown[base_dt]["decision"].value).replace("<", "\\<")  # Markdown there
        assert version.description.startswith(text)
        assert f"(http://127.0.0.1:3000/model-card/{base_dt}" in version.description
        observed = _observed(history, "model_card", base_dt)
        assert observed["decision"] == shown[base_dt]["decision"]
        assert stored_page(observed, MODEL_CARD_FILE) == page


def test_a_decision_stands_when_dagster_cannot_show_it(
    platform: Platform,
    fitted: CatBoostClassifier,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A rollback at night does not need Dagster; what does not show it is named, the card does."""
    first = decide(platform, fitted, "2025-03-01", WINS)
    files = {DECISION_FILE: platform.promotions.records()[-1], MODEL_CARD_FILE: _CARD}
    platform.artifacts.write(MODEL_FOLDER, "2025-03-01", files)
    decide(platform, fitted, "2025-03-03", WINS)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "dagster.yaml").write_text("storage: {nonsense: 1}")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "broken"))
    done = platform.command("rollback", "--by", "Lee", "--reason", "complaints")
    assert done.exit_code == 0, done.output
    assert platform.promotions.champion() == first
    assert "The decision stands, but Dagster's history" in caplog.text
    assert "See CT-CHAMPION-11" in caplog.text
    assert "Rolled back by Lee: complaints" in platform.models("2025-03-01")[MODEL_CARD_FILE]


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


def test_a_person_can_let_the_champion_serve_as_it_was_packaged_anew(
    platform: Platform, fitted: CatBoostClassifier
) -> None:
    """What the gate refuses, or may not do by itself; with the name of the person."""
    first = decide(platform, fitted, "2025-03-01", WINS)
    searched(platform, "2025-03-01", first.mlflow_run_id)
    tag = save(platform, fitted, first.model_copy(update={"dagster_run_id": "again"}), center=1.0)
    done = platform.command(
        "promote", "--partition", "2025-03-01", "--by", "Kim", "--reason", "calibrated"
    )
    assert done.exit_code == 0, done.output
    champion = platform.promotions.champion()
    assert champion is not None
    assert (champion.bentoml_tag, champion.registered_version) == (tag, "2")
    [*_, newest] = platform.promotions.records()
    assert (newest.by, newest.champion, newest.decision.promoted) == ("Kim", "2", True)


def test_a_model_that_does_not_load_is_not_promoted(platform: Platform) -> None:
    """Not even by a person: neither one that was never trained, nor one whose package is gone."""
    person = ("--by", "Kim", "--reason", "why not")
    untrained = platform.command("promote", "--partition", "2025-03-05", *person)
    assert untrained.exit_code == 1
    assert "has no package: run it" in untrained.output
    searched(platform, "2025-03-05", "0" * 32)
    unpackaged = platform.command(
        "promote", "--partition", "2025-03-05", *person, "--despite-floors"
    )
    assert unpackaged.exit_code == 1
    assert "is not packaged" in unpackaged.output
    assert platform.promotions.records() == []


def test_a_card_is_found(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest one, or that of a base date; the path is printed for those without a browser."""
    assert "No base date has a model card yet" in platform.command("report").output
    for base_dt in ("2025-03-01", "2025-03-03"):
        platform.artifacts.write(MODEL_FOLDER, base_dt, {MODEL_CARD_FILE: "<html></html>"})
    opened: list[str] = []

    def opens(uri: str) -> bool:
        opened.append(uri)
        return True

    monkeypatch.setattr("webbrowser.open", opens)
    newest = platform.command("report")
    path = platform.models("2025-03-03").path / MODEL_CARD_FILE
    assert newest.output.strip() == str(path)
    assert opened == [path.as_uri()]
    assert (
        "2025-03-01" in platform.command("report", "--partition", "2025-03-01", "--no-open").output
    )
    assert len(opened) == 1
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    without = platform.command("report")
    assert without.stdout.strip() == str(path)
    assert "No browser was found: open this file." in without.stderr
    assert "/model-card/2025-03-03" in without.stderr
    absent = platform.command("report", "--partition", "2025-03-02")
    assert "Base date 2025-03-02 has no model card" in absent.output
