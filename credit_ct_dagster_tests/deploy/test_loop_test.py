"""What `deploy/loop-test` computes by itself, and which rows it touches."""

import random
import re
import sys
from datetime import timedelta
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.health import DayFigures
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.pages.health import HealthPage
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster_tests import served_rows
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.modeling.watching import healths
from credit_ct_dagster_tests.platform import REPOSITORY

_LATER = "2025-03-12"
_OWN, _OTHER = "loopa1b000", "loopa1b"
"""A customer of the test, and one of the bank's whose name is like it."""


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The program, which has no suffix, and finds what it shares beside it."""
    path = str(REPOSITORY / "deploy" / "loop-test")
    loader = SourceFileLoader("loop_test", path)
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "deploy"))
        patch.setitem(sys.modules, loader.name, module)
        loader.exec_module(module)
    return module


def _asked(program: ModuleType, customers: int) -> Any:
    """Customers with and without a label, of all classes but for answers Good."""
    chance = random.Random(0)
    labels = [*schema.CLASSES, None]
    return [
        program.Asked(str(n), "m:2", chance.choice(schema.CLASSES[:2]), chance.choice(labels))
        for n in range(customers)
    ]


def test_figures_are_those_of_scikit_learn(program: ModuleType) -> None:
    """Also with a class that no answer has; those that were known before are added."""
    asked = _asked(program, 90)
    figures = program.Figures.of(asked)
    true, said = zip(*((each.label, each.answer) for each in asked if each.label), strict=True)
    assert figures.labelled == len(true) < figures.answers == 90
    assert figures.coverage == len(true) / 90
    names = list(schema.CLASSES)
    assert figures.confusion == confusion_matrix(true, said, labels=names).tolist()
    assert figures.accuracy == pytest.approx(accuracy_score(true, said))
    f1 = f1_score(true, said, labels=names, average="macro", zero_division=0)
    assert figures.macro_f1 == pytest.approx(f1)
    assert (figures + figures).labelled == 2 * len(true)


def test_it_finds_its_figures_on_the_page(program: ModuleType) -> None:
    """In the words of the page as it is."""
    figures = program.Figures.of(_asked(program, 90))
    day = DayFigures(
        day=healths.DAY,
        answers=figures.answers,
        labelled=figures.labelled,
        accuracy=Estimate(value=figures.accuracy, low=0.1, high=0.9),
        macro_f1=Estimate(value=figures.macro_f1, low=0.1, high=0.9),
    )
    newest = healths.record(days=(day,), made_at=healths.NOW + timedelta(days=2))
    page = HealthPage(healths.record(), "", "", newest=newest).html()
    shown = program.known_by_now(page)
    counts = (figures.answers, figures.labelled)
    assert all(part in shown for part in program.on_the_page(figures, *counts))
    others = program.Figures.of(_asked(program, 9))
    assert not any(part in shown for part in program.on_the_page(others, 9, others.labelled))
    assert program.known_by_now(HealthPage(healths.record(), "", "").html()) == ""


def test_its_customers_are_accepted(program: ModuleType) -> None:
    """Whatever is drawn keeps to the contract that the service publishes."""
    contract = RowContract()
    drawn = [program.features_of(contract.json_schema(), random.Random(n)) for n in range(50)]
    assert [each for row in drawn for each in contract.problems(row)] == []
    assert len({row["credit_mix"] for row in drawn}) > 1


def _in(database: str, *statements: str) -> list[str]:
    """The statements, for another database than that of the stack."""
    name = sa.make_url(database).database
    return [re.sub(r"\bmlops\b", str(name), each).replace("%", "%%") for each in statements]


def test_it_moves_and_deletes_its_own_rows_only(program: ModuleType, mariadb: MariaDB) -> None:
    """By two days to the microsecond; what only looks like one of its rows stays as it is."""
    database = mariadb.new_database()
    store = FeatureStore(url=database)
    served_rows.log(
        store,
        served_rows.request("loop-test-a1b-000", _LATER, _OWN),
        served_rows.request("loop-test-c2d-000", _LATER, "loopc2d000"),
        served_rows.request("loop-testing", _LATER, _OTHER),
        served_rows.request("8f1d", _LATER, "11803"),
    )
    keys = [(_OWN, _OWN), ("7", _OTHER), ("11803", "11803")]
    served_rows.label(store, *((*key, _LATER, "Poor") for key in keys))
    store.arrivals.record(["credit_score"])

    def rows(columns: str, table: str) -> list[tuple[Any, ...]]:
        with store.database.engine.connect() as connection:
            found = connection.exec_driver_sql(f"SELECT {columns} FROM {table} ORDER BY 1, 2")
            return [tuple(each) for each in found]

    before = rows("request_id, time", "credit_predictions")
    mariadb.execute(*_in(database, program.moved_back("a1b", 2)), url=database)
    moved = [
        (request, time - timedelta(days=2) if request == "loop-test-a1b-000" else time)
        for request, time in before
    ]
    assert rows("request_id, time", "credit_predictions") == moved
    mariadb.execute(*_in(database, *program.REMOVED), url=database)
    assert [name for name, _ in rows("request_id, time", "credit_predictions")] == [
        "8f1d", "loop-testing",
    ]  # fmt: skip
    remaining = [("11803", "11803"), ("7", _OTHER)]
    assert rows("id, customer_id", "credit_score") == remaining
    since_when = ("", "")  # of the ledger itself
    assert rows("id, customer_id", "credit_arrivals") == [since_when, *remaining]
