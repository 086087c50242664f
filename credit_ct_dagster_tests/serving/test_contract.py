"""Which rows the model takes, and how those that it does not take are refused."""

import json
from math import inf, nan
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.column import WORDS_FOR_MISSING
from credit_ct_dagster.modeling.rows.quarantine import check_features
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS, Bounds, RowRules, rules_of
from credit_ct_dagster.serving import contract
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.example import example
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster_tests.schema_edits import add_features


def broken(row: Any, rules: RowContract | None = None) -> dict[str, str]:
    """The broken rule per field."""
    return {each.field: each.rule for each in (rules or RowContract()).problems(row)}


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("age", "33", contract.NOT_NUMBER),
        ("age", True, contract.NOT_NUMBER),
        ("age", [33], contract.NOT_NUMBER),
        ("age", {"years": 33}, contract.NOT_NUMBER),
        ("age", 13, "must be 14 to 120"),
        ("age", 10**400, "must be 14 to 120"),
        ("age", nan, "must be 14 to 120"),
        ("monthly_balance", inf, "must be -1,000,000,000 to 1,000,000,000"),
        ("monthly_balance", -inf, "must be -1,000,000,000 to 1,000,000,000"),
        ("occupation", 7, contract.NOT_TEXT),
        ("occupation", False, contract.NOT_TEXT),
        ("occupation", "x" * 51, "must have at most 50 characters"),
        ("occupation", "NULL", contract.SPELT_MISSING),
        ("occupation", " nan ", contract.SPELT_MISSING),
        ("occupation", "a\0b", contract.UNREADABLE),
        ("occupation", "\ud800", contract.UNREADABLE),
        ("credit_mix", "good", "must be Bad, Standard or Good"),
        ("payment_of_min_amount", "YES", "must be Yes, No or NM"),
        ("customer_id", 5, "must be text of 1 to 10 characters"),
        ("customer_id", "", "must be text of 1 to 10 characters"),
        ("customer_id", "12345678901", "must be text of 1 to 10 characters"),
        ("name", "Ada", contract.PERSONAL),
        ("ssn", "000-00-0000", contract.PERSONAL),
        ("colour", "blue", contract.UNKNOWN),
    ],
)
def test_a_broken_rule_is_named_with_its_field(field: str, value: Any, rule: str) -> None:
    """One value that is not right gives one problem: its field and the rule."""
    assert broken(example() | {field: value}) == {field: rule}


@pytest.mark.parametrize("field", schema.FEATURES)
def test_an_absent_feature_is_refused_and_null_is_missing(field: str) -> None:
    """Every feature must be given, and any may be null."""
    row = example()
    assert broken(row | {field: None}) == {}
    del row[field]
    assert broken(row) == {field: contract.ABSENT}


@pytest.mark.parametrize("value", [[], "row", 1, None, True])
def test_a_row_is_an_object(value: Any) -> None:
    """Anything but an object is refused, without a field."""
    assert broken(value) == {"": contract.NOT_OBJECT}


def test_only_a_plain_name_is_repeated() -> None:
    """What a caller wrote as a field's name is not echoed if it could carry a value."""
    row = example() | {"Ada Lovelace": 1, "821-00-0265": 1, "x" * 65: 1, "Plain_name1": 1}
    assert broken(row) == {"": contract.UNKNOWN, "Plain_name1": contract.UNKNOWN}


def test_no_more_problems_are_listed_than_help() -> None:
    """A row with thousands of wrong fields does not make a long answer."""
    assert len(RowContract().problems({f"field_{number}": 1 for number in range(5_000)})) == 64


def test_the_bounds_are_those_of_the_model(model: ServedModel) -> None:
    """The limits that a package holds replace those of the rules."""
    rules = RowContract(RowRules(bounds={"age": Bounds(low=20)}))
    assert broken(example() | {"age": 19}, rules) == {"age": "must be 20 or more"}
    assert broken(example() | {"age": 1_000}, rules) == {}
    record: ScorerRecord = model.data
    limits = dict(record.limits) | {"age": record.limits["age"].model_copy(update={"high": 30.0})}
    changed = RowContract.of(record.model_copy(update={"limits": limits}))
    assert broken(example() | {"age": 31}, changed) == {"age": "must be 14 to 30"}


def test_the_table_of_scores_refuses_what_the_service_refuses(model: ServedModel) -> None:
    """By the same rules, also where the limits of a package lack a column."""
    limits = {
        name: each.model_copy(update={"high": 30.0})
        for name, each in model.data.limits.items()
        if name == "age"
    }
    of_service = RowContract.of(model.data.model_copy(update={"limits": limits}))
    values = [("age", 31), ("age", 30), ("interest_rate", 101), ("interest_rate", 100)]
    rows = [example() | {"age": 20} | {name: value} for name, value in values]
    keys = {"id": [str(place) for place in range(len(rows))], "customer_id": "1"}
    frame = pd.DataFrame(rows, columns=schema.FEATURES)
    frame = frame.astype(dict.fromkeys(schema.NUMERIC, "float64"))
    checked = check_features(frame.assign(**keys, date="2025-08-31"), rules_of(limits))
    assert checked.quarantined["id"].tolist() == ["0", "2"]
    assert [bool(broken(row, of_service)) for row in rows] == [True, False, True, False]


def test_a_number_without_bounds_is_finite() -> None:
    """Open bounds still refuse infinity, NaN, and integers that no double can hold."""
    rules = RowContract(RowRules(bounds={"age": Bounds()}))
    for value in (inf, -inf, nan, 10**400, -(10**400)):
        assert broken(example() | {"age": value}, rules) == {"age": "must be a finite number"}
    assert broken(example() | {"age": 10**300}, rules) == {}


def test_an_unseen_word_is_a_warning(model: ServedModel) -> None:
    """A word that training did not have is scored, and said; its value is not repeated."""
    rules = model.contract
    assert rules.warnings(example()) == []
    for word in ("engineer", "Astronaut"):
        assert rules.problems(example() | {"occupation": word}) == []
        [warning] = rules.warnings(example() | {"occupation": word})
        assert str(warning) == f"occupation {contract.UNSEEN}"
    assert rules.warnings(example() | {"occupation": None}) == []
    assert rules.warnings(example() | {"occupation": " Engineer "}) == []


def test_blanks_around_words_are_not_scored() -> None:
    """What is scored and logged has no blanks around words; a word of blanks is missing."""
    row = example() | {"occupation": " Engineer\r", "type_of_loan": "  ", "customer_id": "1"}
    assert RowContract().problems(row) == []
    assert RowContract().features_of(row) == example() | {"type_of_loan": None}


def test_the_schema_describes_every_feature_and_its_example_is_accepted() -> None:
    """OpenAPI shows description, bounds, words and an example of each feature."""
    described = RowContract().json_schema()
    assert list(described["properties"]) == ["customer_id", *schema.FEATURES]
    assert described["required"] == schema.FEATURES
    assert described["properties"]["age"] == {
        "nullable": True,
        "description": "Years",
        "type": "number",
        "minimum": 14,
        "maximum": 120,
        "example": 33,
    }
    assert described["properties"]["credit_mix"]["enum"] == ["Bad", "Standard", "Good", None]
    assert broken(json.loads(json.dumps(described["example"]))) == {}
    assert set(described["example"]) == set(schema.FEATURES)


def test_the_example_of_a_feature_that_declares_none_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However short its words may be."""
    add_features(
        monkeypatch,
        "{name: tier, kind: category, description: Tier, length: 2}",
        "{name: grade, kind: category, description: Grade, words: [A, B]}",
        "{name: score, kind: number, description: Score}",
    )
    row = example()
    assert (row["tier"], row["grade"], row["score"]) == ("fi", "A", 0.0)
    assert broken(row, RowContract(features=schema.FEATURES)) == {}


_VALUES = {
    **{
        name: st.none()
        | st.floats(allow_nan=False, allow_infinity=True, width=64)
        | st.integers(-2_000, 2_000).map(float)
        | st.sampled_from(
            [
                edge + step
                for edge in (BOUNDS[name].low, BOUNDS[name].high)
                if edge is not None
                for step in (-1e-6, 0.0, 1e-6)
            ]
        )
        for name in schema.NUMERIC
    },
    **{
        name: st.none()
        | st.sampled_from(
            sorted(WORDS_FOR_MISSING | {"", " ", "Good", "Good\r", "good", "Yes", "NM", "x" * 50})
        )
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=55)
        for name in schema.WORDS
    },
}


_CHANGES = st.lists(st.sampled_from(schema.FEATURES), max_size=4, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: _VALUES[name] for name in names})
)


def test_batches_ignore_what_the_service_ignores() -> None:
    """A value that breaks a rule concerns only models that take it."""
    frame = pd.DataFrame([example() | {"age": 5_000}], columns=schema.FEATURES)
    frame = frame.astype(dict.fromkeys(schema.NUMERIC, "float64"))
    frame = frame.assign(id="1", customer_id="1", date="2025-08-31")
    without = [name for name in schema.FEATURES if name != "age"]
    assert len(check_features(frame, RowRules()).quarantined) == 1
    checked = check_features(frame, RowRules(), without)
    assert checked.quarantined.empty
    assert RowContract(features=without).problems(example() | {"age": 5_000}) == []


@settings(max_examples=20)
@given(st.lists(_CHANGES, min_size=1, max_size=20))
def test_the_verdict_is_that_of_the_quarantine(changes: list[dict[str, Any]]) -> None:
    """A row is refused if, and only if, training would have put it into quarantine."""
    rows = [example() | changed for changed in changes]
    frame = pd.DataFrame(rows, columns=schema.FEATURES)
    frame = frame.astype(dict.fromkeys(schema.NUMERIC, "float64"))
    keys = {"id": [str(place) for place in range(len(rows))], "customer_id": "1"}
    checked = check_features(frame.assign(**keys, date="2025-08-31"), RowRules())
    quarantined = set(checked.quarantined["id"].astype(int))
    assert {place for place, row in enumerate(rows) if broken(row)} == quarantined


@pytest.mark.parametrize("value", [3.0, "three", None, 1_000, {"a": 1}])
def test_a_feature_that_the_model_does_not_take_is_ignored(value: Any) -> None:
    """Excluded by the bank, or added to the schema since: it is not asked for, and may be given."""
    of_package = [name for name in schema.FEATURES if name not in ("interest_rate", "occupation")]
    rules = RowContract(features=of_package, known_words={"occupation": ["Engineer"]})
    row = {name: value for name, value in example().items() if name in of_package}
    assert rules.problems(row) == []
    given = row | {"interest_rate": value, "occupation": value, "customer_id": "1"}
    assert rules.problems(given) == rules.warnings(given) == []
    assert rules.features_of(given) == row
    assert broken(given | {"colour": 1}, rules) == {"colour": contract.UNKNOWN}
    described = rules.json_schema()
    assert described["required"] == of_package
    assert list(described["example"]) == of_package
    assert described["properties"]["interest_rate"] == {
        "nullable": True, "description": contract.IGNORED,
    }  # fmt: skip


def test_a_kind_that_training_did_not_have_is_a_warning() -> None:
    """It counts as any other; letter case and separators make no difference, and none is quoted."""
    rules = RowContract(counted={"type_of_loan": ["auto loan", "payday loan", "boat loan"]})
    for known in ("Auto Loan and payday loan, auto loan", "boat loan", " ", None):
        assert rules.warnings(example() | {"type_of_loan": known}) == []
    for unknown in ("student loan", "auto loan, yacht loan"):
        row = example() | {"type_of_loan": unknown}
        assert rules.problems(row) == []
        assert rules.warnings(row) == [contract.Problem("type_of_loan", contract.UNSEEN_KIND)]


def test_a_text_that_is_a_category_warns_of_unknown_words() -> None:
    """As any category without a closed list."""
    rules = RowContract(known_words={"payment_behaviour": ["Low", "High"]})
    assert rules.warnings(example() | {"payment_behaviour": "Low"}) == []
    row = example() | {"payment_behaviour": "Medium"}
    assert rules.warnings(row) == [contract.Problem("payment_behaviour", contract.UNSEEN)]


def test_a_text_is_no_longer_than_the_feature_table_holds() -> None:
    """Otherwise the database would refuse its row of the log for ever, and hold up those behind."""
    row = example()
    assert broken(row | {"type_of_loan": "x" * schema.LONGEST_TEXT}) == {}
    assert broken(row | {"type_of_loan": "x" * (schema.LONGEST_TEXT + 1)}) == {
        "type_of_loan": "must have at most 16383 characters"
    }
