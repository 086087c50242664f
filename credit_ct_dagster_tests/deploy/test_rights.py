"""The stack's users have the rights that they need on a real server, and no others."""

import logging
import re
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import mlflow
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.stores import DuplicateRequestError, FeatureStoreError
from credit_ct_dagster.loading import sample_data
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.resources.feature_store.predictions import LoggedPredictions
from credit_ct_dagster.resources.feature_store.scores import CustomerScores
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import FEATURES, Tables
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.serving.log.prediction_log import PredictionLog
from credit_ct_dagster.serving.log.table import NAME, create_statements
from credit_ct_dagster_tests import served_rows
from credit_ct_dagster_tests.deploy.conftest import USERS
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import BASE_DT, REPOSITORY
from credit_ct_dagster_tests.resources.feature_store.scored import BY, write_scores
from credit_ct_dagster_tests.serving.log.predictions import eventually, prediction

_OWN_DATABASE = {
    "feature_store": "mlops",
    "feature_loader": "mlops",
    "dagster": "dagster",
    "mlflow": "mlflow",
    "optuna": "optuna",
    "serving": "mlops",
}


def _store(server: MariaDB, user: str) -> FeatureStore:
    return FeatureStore(url=server.url("mlops", user))


@pytest.fixture(scope="session")
def loaded(least_privilege: MariaDB) -> MariaDB:
    """The server, after the loader filled an empty feature store, and replaced its rows."""
    labels, features = sample_data.generate(2_000, date.fromisoformat(BASE_DT), seed=0)
    frames = {"credit_score": labels, "credit_score_features": features}
    loader = _store(least_privilege, "feature_loader")
    assert loader.upsert(frames) == loader.upsert(frames)
    return least_privilege


def test_the_platform_merges_and_reads_what_the_loader_loaded(loaded: MariaDB) -> None:
    """And replaces it when the base date is merged again."""
    store = _store(loaded, "feature_store")
    first = store.merge(BASE_DT)
    assert first.rows_inserted > 0
    assert store.merge(BASE_DT) == first
    assert len(store.read(BASE_DT)) == first.rows_inserted


def test_arrivals_are_recorded_by_whoever_comes_first(loaded: MariaDB) -> None:
    """By the loader, after it has written, or by a sensor; the table is created by the first."""
    for user, table, lines in (
        ("feature_loader", "credit_score", 2_000),
        ("feature_store", "credit_score", 0),
        ("feature_store", "credit_score_features", 2_000),
    ):
        assert _store(loaded, user).arrivals.record([table]) == {table: lines}
    assert _store(loaded, "feature_store").arrivals.delays() is not None


def test_what_was_served_is_read_with_labels_and_features(loaded: MariaDB) -> None:
    """Of a request that the service has logged: all that the monitoring assets ask the database."""
    root, store = _store(loaded, "root"), _store(loaded, "feature_store")
    served_rows.log(root, served_rows.request("watched", BASE_DT, "11803"))
    day, answers = BASE_DT, ServedAnswers(store.database, served_rows.MODEL)
    assert list(answers.of_day(day)["key"]) == ["watched"]
    assert list(answers.volumes(day, day)["answers"]) == [1]
    assert len(answers.features_of_day(day, most_rows=10)) == 1
    assert answers.beside_the_store(day, most_rows=10).requests == 1
    keys = pd.DataFrame([{"day": day, "source": "request", "key": "watched"}])
    assert len(answers.of_keys(keys)) == 1
    assert answers.labels_arrived_since(datetime(2025, 1, 1, tzinfo=UTC), day, day) is not None
    loaded.execute("DELETE FROM credit_predictions", url=loaded.url("mlops"))


def test_the_platform_replaces_the_scores_of_customers(loaded: MariaDB) -> None:
    """In a table that it creates itself; `credit-ct prune` deletes them."""
    store = _store(loaded, "feature_store")
    scores = CustomerScores(store.database, "m")
    for _ in range(2):
        write_scores(store, "m", BASE_DT)
        assert scores.counts(BASE_DT) == {BY.model_tag: 3}
    assert scores.delete(BASE_DT) == 3


def test_the_platform_adds_a_feature_to_its_own_table(loaded: MariaDB) -> None:
    """It may alter the table of training rows."""
    store = _store(loaded, "feature_store")
    merged = store.merge(BASE_DT)
    loaded.execute(
        "ALTER TABLE credit_score_features_target DROP COLUMN age", url=loaded.url("mlops")
    )
    assert store.merge(BASE_DT) == merged
    assert store.read(BASE_DT)["age"].notna().any()


@pytest.mark.parametrize(
    ("user", "sql"),
    [
        ("feature_store", "INSERT INTO credit_score (id) VALUES ('1')"),
        ("feature_store", "UPDATE credit_score SET credit_score = 'Good'"),
        ("feature_store", "DELETE FROM credit_score_features"),
        ("feature_store", "UPDATE credit_score_features_target SET credit_score = 'Good'"),
        ("feature_store", "UPDATE credit_customer_scores SET credit_score = 'Good'"),
        ("feature_loader", "DELETE FROM credit_customer_scores"),
        ("feature_store", "DROP TABLE credit_score_features_target"),
        ("feature_store", "CREATE TABLE other (id INT)"),
        ("feature_store", "ALTER TABLE credit_score_features ADD COLUMN other INT"),
        ("feature_loader", "DELETE FROM credit_score"),
        ("feature_loader", "DROP TABLE credit_score"),
        ("feature_loader", "ALTER TABLE credit_score ADD COLUMN other INT"),
        ("feature_loader", "INSERT INTO credit_score_features_target (id) VALUES ('1')"),
        ("feature_store", "UPDATE credit_arrivals SET first_seen = first_seen"),
        ("feature_loader", "DELETE FROM credit_arrivals"),
        ("serving", "SELECT COUNT(*) FROM credit_arrivals"),
        ("feature_store", "INSERT INTO credit_predictions (request_id) VALUES ('1')"),
        ("feature_store", "UPDATE credit_predictions SET credit_score = 'Good'"),
        ("feature_loader", "DELETE FROM credit_predictions"),
        ("serving", "UPDATE credit_predictions SET credit_score = 'Good'"),
        ("serving", "DELETE FROM credit_predictions"),
        ("serving", "DROP TABLE credit_predictions"),
        ("serving", "ALTER TABLE credit_predictions ADD COLUMN other INT"),
        ("serving", "CREATE INDEX other ON credit_predictions (model_tag)"),
        ("serving", "CREATE TABLE other (id INT)"),
        ("serving", "INSERT INTO credit_score (id) VALUES ('1')"),
        ("serving", "INSERT INTO credit_score_features (id) VALUES ('1')"),
        ("serving", "UPDATE credit_score_features SET age = 1"),
        ("serving", "DELETE FROM credit_score_features_target"),
        ("serving", "SELECT name FROM credit_score_features"),
        ("serving", "SELECT ssn FROM credit_score_features"),
        ("serving", "SELECT * FROM credit_score_features"),
        ("serving", "SELECT age FROM credit_score_features WHERE ssn LIKE '0%%'"),
        ("serving", "SELECT COUNT(*) FROM credit_score"),
        ("serving", "SELECT COUNT(*) FROM credit_score_features_target"),
    ],
)
def test_feature_store_users_may_do_nothing_else(loaded: MariaDB, user: str, sql: str) -> None:
    """Neither change another one's tables, nor define any, nor read what they do not need."""
    with pytest.raises(sa.exc.DBAPIError, match="command denied"):
        loaded.execute(sql, url=loaded.url("mlops", user))


def test_the_service_does_its_work_with_the_rights_that_it_has(
    loaded: MariaDB, tmp_path: Path
) -> None:
    """It looks a customer up, logs the prediction, and finds it; the platform prunes it."""
    store = _store(loaded, "serving")
    with store.database.transaction() as connection:
        customers = "SELECT customer_id FROM credit_score_features WHERE date LIKE '2025-0_-01'"
        customer = str(connection.exec_driver_sql(customers.replace("%", "%%")).scalar())
    assert store.newest_features(customer) is not None
    log = PredictionLog(loaded.url("mlops", "serving"), tmp_path)
    log.start()
    try:
        log.record(prediction("once", customer_id=customer)).result(10)
        with pytest.raises(DuplicateRequestError):
            log.record(prediction("once")).result(10)
        found = log.find("once")
        assert found is not None
        assert found.customer_id == customer
        assert not log.state().degraded
    finally:
        log.stop()
    predictions = LoggedPredictions(_store(loaded, "feature_store").database)
    assert predictions.delete_before(datetime(2100, 1, 1, tzinfo=UTC)) == 1


def test_the_table_of_the_stack_is_the_one_that_the_service_creates(
    least_privilege: MariaDB, tmp_path: Path
) -> None:
    """Column by column, with its keys; without the table, the user is shown the statement."""
    own = least_privilege.new_database()
    log = PredictionLog(own, tmp_path)
    log.start()
    log.stop()
    made = [_definition(each) for each in (own, least_privilege.url("mlops"))]
    assert made[0] == made[1]

    engine = sa.create_engine(own, poolclass=sa.NullPool)
    with engine.connect() as connection:
        [statement] = create_statements(connection.dialect)
    name = sa.make_url(own).database
    least_privilege.execute(
        "DROP TABLE credit_predictions", f"GRANT SELECT ON {name}.* TO 'serving'@'%%'", url=own
    )
    denied = least_privilege.url(str(name), "serving")
    log = PredictionLog(denied, tmp_path)
    log.start()
    try:
        state = log.state()
        assert state.degraded
        assert " ".join(statement.split()) in str(state.sentence)
        log.record(prediction("early")).result(10)
        least_privilege.execute(
            statement, f"GRANT INSERT ON {name}.credit_predictions TO 'serving'@'%%'", url=own
        )
        eventually(lambda: not log.state().degraded and log.state().spooled == 0)
        assert log.find("early") is not None
    finally:
        log.stop()


def test_the_features_of_the_stack_are_the_table_that_the_loader_creates(
    least_privilege: MariaDB,
) -> None:
    """And the service may read all of its columns but those that are personal."""
    own = least_privilege.new_database()
    Tables.of_schema().create_missing(FeatureStore(url=own).database.engine)
    made = [_definition(each, FEATURES) for each in (own, least_privilege.url("mlops"))]
    assert made[0] == made[1]
    granted = sa.text(
        "SELECT column_name FROM information_schema.column_privileges"
        " WHERE table_schema = 'mlops' AND grantee LIKE :grantee AND privilege_type = 'SELECT'"
    )
    with sa.create_engine(least_privilege.url("mlops"), poolclass=sa.NullPool).connect() as root:
        columns = set(root.scalars(granted, {"grantee": "'serving'%"}))
    assert columns == set(schema.FEATURE_COLUMNS) - set(schema.PERSONAL)


def _definition(url: str, table: str = NAME) -> str:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        row = connection.exec_driver_sql(f"SHOW CREATE TABLE {table}").one()
    return re.sub(r" AUTO_INCREMENT=\d+", "", row[1])


def test_a_missing_right_is_reported(loaded: MariaDB) -> None:
    """The platform's message has what to do about it."""
    with pytest.raises(FeatureStoreError, match="grant the user"):
        _store(loaded, "feature_loader").merge(BASE_DT)


@pytest.mark.parametrize("user", USERS)
def test_no_user_may_use_another_database(least_privilege: MariaDB, user: str) -> None:
    """Nor the server's own tables."""
    for database in {"mysql", *_OWN_DATABASE.values()} - {_OWN_DATABASE[user]}:
        with pytest.raises(sa.exc.OperationalError, match="Access denied"):
            least_privilege.execute("SELECT 1", url=least_privilege.url(database, user))


def test_dagster_stores_its_history(
    least_privilege: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the stack's own dagster.yaml: tables are created and migrated, a run is found again."""
    url = least_privilege.url("dagster", "dagster").replace("pymysql", "mysqlconnector")
    monkeypatch.setenv("DAGSTER_STORAGE_URL", url)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    configuration = (REPOSITORY / "deploy" / "dagster.yaml").read_text()
    (tmp_path / "dagster.yaml").write_text(configuration.replace("/data", str(tmp_path)))

    @dg.asset
    def one() -> int:
        return 1

    with dg.DagsterInstance.get() as instance:
        instance.upgrade()
        result = dg.materialize([one], instance=instance)
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        assert run.is_success
        assert instance.run_monitoring_enabled
        assert instance.run_launcher.supports_check_run_worker_health
        assert instance.run_retries_enabled


def test_optuna_stores_studies(least_privilege: MariaDB) -> None:
    """Tables are created, and a study is found again."""
    storage = StudyStorage(url=least_privilege.url("optuna", "optuna"))
    parameters = TuningParameters()
    with storage.open("m", parameters, logging.getLogger(__name__)) as study:
        study.tell(study.ask(parameters.distributions()), 0.5)
    assert [trial.value for trial in storage.join("m").trials] == [0.5]


def test_mlflow_stores_runs(least_privilege: MariaDB) -> None:
    """Tables and triggers are created, and a run is found again."""
    client = mlflow.MlflowClient(least_privilege.url("mlflow", "mlflow"))
    run = client.create_run(client.create_experiment("m"))
    client.log_metric(run.info.run_id, "accuracy", 0.5)
    assert client.get_run(run.info.run_id).data.metrics == {"accuracy": 0.5}
