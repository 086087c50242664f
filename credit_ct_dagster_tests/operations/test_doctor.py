"""Each check: what is wrong and what to do; with real servers and stores."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.errors.models import ChampionDisagreementError, MissingPackageError
from credit_ct_dagster.loading import sample_data
from credit_ct_dagster.operations import database_checks, doctor
from credit_ct_dagster.operations.doctor import Examination, State
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster_tests.dagster_internals import add_heartbeat, switch_sensor
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import Platform, Templates
from credit_ct_dagster_tests.resources.packages import any_data, any_model

_TARGET = "credit_score_features_target"
_Found = dict[str, tuple[State, str]]


@dg.sensor(default_status=dg.DefaultSensorStatus.RUNNING, target=[])
def watchman() -> None:
    """On unless somebody switches it off."""


@dg.sensor(target=[])
def sleeper() -> None:
    """Off unless somebody switches it on."""


def _at(instance: dg.DagsterInstance) -> Callable[[], dg.DagsterInstance]:
    """Opens an instance whose daemon gives signs of life."""
    for kind in instance.get_required_daemon_types():
        add_heartbeat(instance, kind, time.time())
    return lambda: dg.DagsterInstance.from_ref(instance.get_ref())


@pytest.fixture(scope="module")
def healthy(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates
) -> Iterator[Examination]:
    """A platform that nothing is wrong with; tests look at it, and replace parts of it."""
    platform = Platform.prepared(tmp_path_factory.mktemp("healthy"), templates)
    with dg.instance_for_test() as instance:
        yield Examination(
            store=platform.store,
            studies=platform.studies,
            promotions=platform.promotions,
            instance=_at(instance),
            instigators=[watchman],
        )


def _found(examination: Examination) -> _Found:
    return {each.subject: (each.state, each.message) for each in examination.findings()}


def _failed(examination: Examination) -> dict[str, str]:
    found = _found(examination)
    return {
        subject: message for subject, (state, message) in found.items() if state == State.failed
    }


def test_a_healthy_platform_is_described(healthy: Examination) -> None:
    """One finding per check, none of them a failure; and the checks leave no file."""
    found = _found(healthy)
    assert {state for state, _ in found.values()} == {State.ok}
    assert list(found) == [
        "feature store", "source tables", "keys and types", "rights", "SQL mode",
        "tables of answers", "arrivals", "Optuna",
        "artifacts", "private files", "BentoML", "decisions", "MLflow", "champion", "Dagster",
        "schedules and sensors", "daemon",
    ]  # fmt: skip
    assert found["feature store"][1].startswith("SQLite 3.")
    assert found["champion"][1] == "no model was promoted yet"
    assert list(Path(healthy.promotions.artifacts.base_path).iterdir()) == []
    assert list(Path(healthy.promotions.packages.home).glob(".probe*")) == []


@pytest.fixture
def on_mariadb(healthy: Examination, mariadb: MariaDB) -> Callable[[str], Examination]:
    """The same with a feature store on a server: by a user with some rights on its target."""

    def examination(rights: str) -> Examination:
        url = mariadb.new_database()
        database, user = url.rpartition("/")[2], f"u_{url.rpartition('_')[2]}"
        store = FeatureStore(url=url)
        labels, features = sample_data.generate(300, date(2025, 3, 10), seed=0)
        store.upsert({"credit_score": labels, "credit_score_features": features})
        store.merge("2025-03-10")
        mariadb.execute(
            f"CREATE USER {user}@'%%' IDENTIFIED BY 's3cret'",
            *(
                f"GRANT SELECT ON {database}.{table} TO {user}@'%%'"
                for table in ("credit_score", "credit_score_features")
            ),
            f"GRANT {rights} ON {database}.{_TARGET} TO {user}@'%%'",
        )
        return replace(
            healthy, store=FeatureStore(url=mariadb.url(database, user=f"{user}:s3cret"))
        )

    return examination


def test_missing_rights_are_named(on_mariadb: Callable[[str], Examination]) -> None:
    """All of them at once; what depends on them is skipped, and no password is shown."""
    examination = on_mariadb("SELECT")
    found = _found(examination)
    state, message = found["rights"]
    assert state == State.failed
    assert f"lacks INSERT on {_TARGET}, DELETE on {_TARGET}: GRANT what is missing" in message
    assert found["SQL mode"] == (State.skipped, "not checked: rights failed")
    assert found["MLflow"][0] == State.ok
    assert "MariaDB 1" in found["feature store"][1]
    assert "s3cret" not in str(found)


def test_least_privilege_is_enough(on_mariadb: Callable[[str], Examination]) -> None:
    """The rights that docs/how-to/own-database.md names; checking them deletes no row."""
    examination = on_mariadb("SELECT, INSERT, DELETE")
    before = examination.store.row_counts()
    found = _found(examination)
    assert found["rights"][0] == State.ok
    assert found["SQL mode"] == (State.ok, "STRICT_TRANS_TABLES")
    assert examination.store.row_counts() == before != {}


def test_a_lenient_server_is_reported(healthy: Examination, mariadb: MariaDB) -> None:
    """One that would change values to fit; with the setting that prevents it."""
    url = mariadb.new_database()
    FeatureStore(url=url).create_missing_tables()
    lenient = FeatureStore(url=f"{url}?init_command=SET SESSION sql_mode=''")
    failed = _failed(replace(healthy, store=lenient))
    assert list(failed) == ["SQL mode"]
    assert "add STRICT_TRANS_TABLES to sql_mode" in failed["SQL mode"]


def test_servers_that_do_not_answer(healthy: Examination) -> None:
    """Each is reported in a sentence without its password; the other checks still run."""
    nowhere = "mysql+pymysql://user:s3cret@127.0.0.1:1/db"
    found = _found(
        replace(healthy, store=FeatureStore(url=nowhere), studies=StudyStorage(url=nowhere))
    )
    failed = {subject for subject, (state, _) in found.items() if state == State.failed}
    assert failed == {"feature store", "Optuna"}
    assert all("does not answer" in found[subject][1] for subject in failed)
    assert all("try again" in found[subject][1] for subject in failed)
    skipped = {subject for subject, (state, _) in found.items() if state == State.skipped}
    assert skipped == {
        "source tables", "keys and types", "rights", "SQL mode", "tables of answers", "arrivals",
    }  # fmt: skip
    assert "s3cret" not in str(found)


def test_an_empty_feature_store_is_reported(healthy: Examination, tmp_path: Path) -> None:
    """Both tables are named, and the command that fills them."""
    failed = _failed(replace(healthy, store=FeatureStore(url=f"sqlite:///{tmp_path}/empty.db")))
    assert list(failed) == ["source tables"]
    assert "no table credit_score and no table credit_score_features" in failed["source tables"]
    assert "credit-ct load" in failed["source tables"]


def test_folders_that_cannot_be_written(healthy: Examination, tmp_path: Path) -> None:
    """A file where a folder should be stops every user, root too."""
    (tmp_path / "file").touch()
    blocked = str(tmp_path / "file" / "folder")
    promotions = healthy.promotions.model_copy(
        update={
            "artifacts": healthy.promotions.artifacts.model_copy(update={"base_path": blocked}),
            "packages": BentoMLStore(home=blocked, model_name="m"),
        }
    )
    failed = _failed(replace(healthy, promotions=promotions))
    assert "another ARTIFACTS_PATH" in failed["artifacts"]
    assert "another BENTOML_HOME" in failed["BentoML"]


def test_a_full_disk_is_reported(healthy: Examination, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each store on a disk, with the command that frees space."""
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 10**18)
    failed = _failed(healthy)
    assert set(failed) == {"artifacts", "BentoML"}
    assert "credit-ct prune" in failed["artifacts"]


def test_a_daemon_without_sign_of_life(healthy: Examination, instance: dg.DagsterInstance) -> None:
    """It is named, with what no longer happens."""
    examination = replace(healthy, instance=_at(instance))
    add_heartbeat(instance, "SENSOR", time.time() - 600)
    failed = _failed(examination)
    assert list(failed) == ["daemon"]
    assert "from SENSOR: no schedule or sensor ticks" in failed["daemon"]


def test_what_is_switched_off_is_named(healthy: Examination, instance: dg.DagsterInstance) -> None:
    """By its definition, unless a person switched it."""
    both = replace(healthy, instance=_at(instance), instigators=[watchman, sleeper])
    assert "Switched off: sleeper. Switch" in _failed(both)["schedules and sensors"]
    switch_sensor(instance, "watchman", on=False)
    switch_sensor(instance, "sleeper", on=True)
    assert "Switched off: watchman. Switch" in _failed(both)["schedules and sensors"]


def test_what_may_be_off_is_named_and_no_failure(healthy: Examination) -> None:
    """So that whoever counts them under Automation finds the same number."""
    found = _found(replace(healthy, optional=[sleeper]))["schedules and sensors"]
    assert found == (State.ok, "1 of 2 are switched on; off, as they may be: sleeper")


def test_an_unexpected_failure_is_reported(
    healthy: Examination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its kind, and without a password that it may quote."""

    def odd(_store: FeatureStore) -> str:
        raise LookupError("no route to mysql://user:s3cret@host/db\nand a second line")

    monkeypatch.setattr(database_checks, "server_version", odd)
    assert _failed(healthy) == {
        "feature store": "LookupError: no route to mysql://***@host/db. Look up feature store under"
        " credit-ct doctor. See CT-UNEXPECTED-1: docs/runbook.md#ct-unexpected-1"
    }


def _promoted(platform: Platform, base_dt: str) -> str:
    """Register, package and promote any model; returns its package's tag."""
    client = platform.tracking.client
    run_id = client.create_run(platform.tracking.experiment_id()).info.run_id
    tag = platform.packages.save(
        any_model(),
        any_data(),
        ModelIdentity(
            base_dt=base_dt,
            mlflow_run_id=run_id,
            dagster_run_id=f"dagster-{base_dt}",
            data_fingerprint="f" * 32,
        ),
        PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={}),
        metadata={},
    )
    with platform.promotions.deciding() as deciding:
        decision = Decision(promoted=True, ground=Ground.first, sentence="Yes.")
        deciding.record(deciding.register(base_dt, run_id), decision)
    return tag


def test_a_champion_that_is_not_what_was_decided(platform: Platform) -> None:
    """An alias moved by hand, a lost label, a deleted package: each with what to do."""
    _promoted(platform, "2025-03-01")
    tag = _promoted(platform, "2025-03-03")
    promotions, client = platform.promotions, platform.tracking.client
    assert promotions.agreement() == (
        f"version 2 of base date 2025-03-03, {tag}, according to decision 2, the newest"
    )
    client.set_registered_model_alias(platform.model_name, "champion", "1")
    with pytest.raises(
        ChampionDisagreementError, match=r"champion is on version 1, .* belongs to version 2"
    ):
        promotions.agreement()
    client.set_registered_model_alias(platform.model_name, "champion", "2")
    platform.packages.set_roles({})
    with pytest.raises(
        ChampionDisagreementError, match="has the label role: none, but MLflow's alias"
    ):
        promotions.agreement()
    platform.packages.remove([tag])
    with pytest.raises(MissingPackageError, match="materialize bentoml_model and champion_model"):
        promotions.agreement()
    client.delete_registered_model_alias(platform.model_name, "champion")
    with pytest.raises(ChampionDisagreementError, match="champion is on no version"):
        promotions.agreement()


def test_the_command_prints_a_line_each_and_exits_with_1(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For this code location; the one failure is that no daemon runs here, with its code."""
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    printed = platform.command("doctor")
    assert printed.exit_code == 1, printed.output
    lines = printed.output.splitlines()
    assert len(lines) == 18
    assert [line.split()[1] for line in lines if line.startswith("failed")] == ["daemon"]
    findings = json.loads(platform.command("doctor", "--json").output)
    failed = [(each["subject"], each["code"]) for each in findings if each["state"] == "failed"]
    assert failed == [("daemon", "CT-DAGSTER-2")]
