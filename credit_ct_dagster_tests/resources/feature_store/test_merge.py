"""The merge of a base date, on SQLite and on MariaDB."""

import threading
from datetime import date

import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.inputs import BaseDateError
from credit_ct_dagster.errors.stores import FeatureStoreError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.settings import Settings
from credit_ct_dagster.wiring import Wiring
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.rows import dump, features, labels, load


def test_window_includes_both_ends(store: FeatureStore) -> None:
    """Labels from one month before to the base date, and none outside."""
    days = ["2025-02-27", "2025-02-28", "2025-03-15", "2025-03-31", "2025-04-01"]
    load(
        store,
        labels(*((str(n), "c", day, "Poor") for n, day in enumerate(days))),
        features(*((str(n), "c", "2025-01-01", 30.0) for n in range(len(days)))),
    )
    merged = store.merge("2025-03-31")
    assert merged.rows_inserted == merged.labels == 3
    assert store.read("2025-03-31")["date"].tolist() == days[1:4]


def test_what_the_merge_left_out_is_counted(store: FeatureStore) -> None:
    """Invalid dates, labels without features or with later ones, superseded rows, by number."""
    load(
        store,
        labels(
            ("1", "a", "2025-02-28", "Poor"),
            ("1", "a", "2025-03-05", "Good"),  # a newer label of the same id
            ("2", "b", "2025-02-29", "Poor"),  # no such day
            ("3", "c", "2025-03-01", "Standard"),  # no features
            ("4", "d", "2025-03-02", "Standard"),
            ("5", "e", "2025-03-02", "Standard"),
        ),
        features(
            ("1", "a", "2025-03-01", 40.0),
            ("2", "b", "2025-03-01", 41.0),
            ("4", "d", "2025-01-01", 20.0),
            ("4", "d", "2025-02-01", 21.0),  # the newest that is not after the label
            ("4", "d", "2025-03-03", 22.0),
            ("5", "e", "2025-03-03", 50.0),  # the day after the label
            ("4", "other", "2025-02-01", 99.0),  # another customer's
        ),
    )
    merged = store.merge("2025-03-10")
    assert (merged.labels, merged.rows_inserted) == (5, 2)
    assert (merged.labels_without_features, merged.labels_with_later_features) == (1, 1)
    assert merged.rows_superseded == 1
    assert merged.invalid_dates == {"2025-02-29": 1}
    rows = store.read("2025-03-10").set_index("id")
    assert rows.loc["1", "credit_score"] == "Good"
    assert rows.loc["4", "age"] == 21.0


def test_merging_twice_gives_the_same_rows(store: FeatureStore, store_url: str) -> None:
    """The base date's earlier rows are replaced."""
    load(store, *generate(2_000, date(2025, 3, 10), seed=0))
    first = store.merge("2025-03-10")
    rows = dump(store_url)
    second = store.merge("2025-03-10")
    assert first == second
    assert dump(store_url) == rows
    assert len(rows) == first.rows_inserted > 200


@pytest.mark.parametrize(("retention", "retained"), [(7, [4, 8, 10]), (None, [1, 3, 4, 8, 10])])
def test_retention_deletes_what_is_older(
    store_url: str, retention: int | None, retained: list[int]
) -> None:
    """Base dates up to D - 7 are deleted and reported; without retention all stay."""
    store = FeatureStore(url=store_url, retention_days=None)
    load(store, *generate(800, date(2025, 3, 10), seed=0))
    for day in (1, 3, 4, 8):
        store.merge(f"2025-03-{day:02}")
    before = store.row_counts()
    merged = FeatureStore(url=store_url, retention_days=retention).merge("2025-03-10")
    assert list(store.row_counts()) == [f"2025-03-{day:02}" for day in retained]
    deleted = set(before) - set(store.row_counts())
    assert merged.expired == {base_dt: before[base_dt] for base_dt in deleted}


@pytest.mark.parametrize("base_dt", ["2052-01-31", "2025-02-29", "2024-12-31", "yesterday"])
def test_a_date_that_is_no_base_date_deletes_nothing(store: FeatureStore, base_dt: str) -> None:
    """Not over yet, no day, before the first one, no date: refused by every way to a merge."""
    load(store, *generate(800, date(2025, 3, 10), seed=0))
    store.merge("2025-03-10")
    before = store.row_counts()
    with pytest.raises(BaseDateError, match=base_dt):
        store.merge(base_dt)
    assert store.row_counts() == before


def test_the_first_base_date_is_that_of_the_calendar(store: FeatureStore) -> None:
    """Which the wiring gives to the feature store (PARTITIONS_START)."""
    settings = Settings(
        _env_file=None, feature_store_url=store.url, partitions_start=date(2025, 3, 1)
    )
    with pytest.raises(BaseDateError, match="before the first one, 2025-03-01"):
        Wiring(settings).feature_store.merge("2025-02-28")


def test_a_base_date_without_rows_expires_no_other(store: FeatureStore) -> None:
    """Its data is yet to come, or somebody mistook the year."""
    load(store, *generate(800, date(2025, 3, 10), seed=0))
    store.merge("2025-03-01")
    before = store.row_counts()
    empty = store.merge("2025-06-30")
    assert (empty.rows_inserted, empty.expired) == (0, {})
    assert store.row_counts() == before
    assert store.merge("2025-03-09").expired == before


def test_two_merges_at_the_same_moment_leave_one_whole(store: FeatureStore) -> None:
    """Four threads merge one base date; none fails and the rows are those of one merge."""
    load(store, *generate(2_000, date(2025, 3, 10), seed=0))
    barrier, failures = threading.Barrier(4), []

    def merge() -> None:
        barrier.wait()
        try:
            FeatureStore(url=store.url).merge("2025-03-10")
        except Exception as error:  # noqa: BLE001 the assertion below shows it
            failures.append(error)

    threads = [threading.Thread(target=merge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    rows = store.row_counts()
    assert rows == {"2025-03-10": store.merge("2025-03-10").rows_inserted}


def _seeds_own_rows(base_dt: str, first_day: str) -> str:
    """What the original system's merge selects, as one statement for every dialect."""
    columns = ", ".join(f"f.{name}" for name in schema.FEATURES)
    return f"""
        SELECT '{base_dt}', l.id, l.customer_id, l.date, {columns}, l.credit_score
        FROM credit_score_features f JOIN credit_score l
            ON f.id = l.id AND f.customer_id = l.customer_id
        WHERE l.date BETWEEN {first_day} AND '{base_dt}'
    """


def test_rows_equal_the_seeds(store: FeatureStore) -> None:
    """Row for row and value for value, month ends included: a feature row per label, of its day."""
    load(store, *generate(4_000, date(2025, 8, 31), seed=0))
    first_days = {
        "2025-01-31": "2024-12-31",
        "2025-03-01": "2025-02-01",
        "2025-03-28": "2025-02-28",
        "2025-03-31": "2025-02-28",
        "2025-07-31": "2025-06-30",
        "2025-08-31": "2025-07-31",
    }
    on_server = store.url.startswith("mysql")
    engine = sa.create_engine(store.url, poolclass=sa.NullPool)
    for base_dt, day in first_days.items():
        merged = store.merge(base_dt)
        start = f"DATE_SUB(DATE('{base_dt}'), INTERVAL 1 MONTH)" if on_server else f"'{day}'"
        with engine.connect() as connection:
            seeds = connection.exec_driver_sql(_seeds_own_rows(base_dt, start))
            expected = sorted(map(tuple, seeds), key=str)
        assert merged.rows_inserted == len(expected) > 200
        assert [row for row in dump(store.url) if row[0] == base_dt] == expected


_SEED_DDL = [
    """CREATE TABLE credit_score (
        id varchar(10) NOT NULL, customer_id varchar(10) NOT NULL, date varchar(10) NOT NULL,
        credit_score varchar(10) NOT NULL, PRIMARY KEY (id, customer_id, date)
    ) PARTITION BY KEY (date) PARTITIONS 8""",
    """CREATE TABLE credit_score_features (
        id varchar(10) NOT NULL, customer_id varchar(10) NOT NULL, date varchar(10) NOT NULL,
        name varchar(50), age float, ssn varchar(20), occupation varchar(50), annual_income float,
        monthly_inhand_salary float, num_bank_accounts float, num_credit_card float,
        interest_rate float, num_of_loan float, type_of_loan text, delay_from_due_date float,
        num_of_delayed_payment float, changed_credit_limit float, num_credit_inquiries float,
        credit_mix varchar(20), outstanding_debt float, credit_utilization_ratio float,
        credit_history_age float, payment_of_min_amount varchar(10), total_emi_per_month float,
        amount_invested_monthly float, payment_behaviour varchar(50), monthly_balance float,
        PRIMARY KEY (id, customer_id, date)
    ) PARTITION BY KEY (date) PARTITIONS 8""",
    """CREATE TABLE credit_score_features_target (
        base_dt varchar(10) NOT NULL, id varchar(10) NOT NULL, customer_id varchar(10) NOT NULL,
        date varchar(10) NOT NULL, age float, occupation varchar(50), annual_income float,
        monthly_inhand_salary float, num_bank_accounts float, num_credit_card float,
        interest_rate float, num_of_loan float, type_of_loan text, delay_from_due_date float,
        num_of_delayed_payment float, changed_credit_limit float, num_credit_inquiries float,
        credit_mix varchar(20), outstanding_debt float, credit_utilization_ratio float,
        credit_history_age float, payment_of_min_amount varchar(10), total_emi_per_month float,
        amount_invested_monthly float, payment_behaviour varchar(50), monthly_balance float,
        credit_score varchar(10) NOT NULL, PRIMARY KEY (base_dt, id, customer_id)
    ) PARTITION BY KEY (base_dt) PARTITIONS 8""",
]


def test_a_database_of_someone_else_works_with_few_rights(mariadb: MariaDB) -> None:
    """Partitioned tables, and a user who may read two tables and write one."""
    url = mariadb.new_database()
    name = sa.make_url(url).database
    mariadb.execute(*_SEED_DDL, url=url)
    load(FeatureStore(url=url), *generate(2_000, date(2025, 3, 10), seed=0))
    mariadb.execute(
        f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 's3cret'",
        f"GRANT SELECT ON {name}.credit_score TO {name}@'127.0.0.1'",
        f"GRANT SELECT ON {name}.credit_score_features TO {name}@'127.0.0.1'",
        f"GRANT SELECT, INSERT, DELETE ON {name}.credit_score_features_target"
        f" TO {name}@'127.0.0.1'",
    )
    limited = FeatureStore(url=url.replace("root@", f"{name}:s3cret@"))
    merged = limited.merge("2025-03-10")
    assert len(limited.read("2025-03-10")) == merged.rows_inserted > 200
    with pytest.raises(FeatureStoreError, match=r"denied.*grant the user this right") as refused:
        limited.upsert({"credit_score": labels(("1", "a", "2025-01-01", "Poor"))})
    assert "s3cret" not in str(refused.value)
