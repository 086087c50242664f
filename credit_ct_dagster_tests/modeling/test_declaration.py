"""The declaration of the data: one file, of which everything else is derived."""

from collections.abc import Callable
from keyword import iskeyword
from pathlib import Path
from typing import Any

import pytest
import yaml

from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.declaration import WORDS_OF_DAGSTER, Declaration, declared
from credit_ct_dagster.modeling.judging.slices import SLICES
from credit_ct_dagster.resources.feature_store import tables
from credit_ct_dagster_tests.dagster_internals import DISALLOWED_NAMES
from credit_ct_dagster_tests.own_data import test_own_data
from credit_ct_dagster_tests.schema_edits import SHIPPED

_OTHER = Path(test_own_data.__file__).with_name("credit_risk.yaml")


def _edited(change: Callable[[Any], Any], folder: Path) -> Path:
    content = yaml.safe_load(SHIPPED.read_text())
    change(content)
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _age(**values: Any) -> Callable[[Any], Any]:
    return lambda content: content["features"][1].update(values)


def _credit_mix(**values: Any) -> Callable[[Any], Any]:
    return lambda content: content["features"][15].update(values)


def _loans(**values: Any) -> Callable[[Any], Any]:
    return lambda content: content["features"][10].update(values)


def _name(**values: Any) -> Callable[[Any], Any]:
    return lambda content: content["features"][0].update(values)


def _classes(*names: str) -> Callable[[Any], Any]:
    return lambda content: content["target"].update(classes=list(names), costs=[])


def _costs(costs: list[list[float]]) -> Callable[[Any], Any]:
    return lambda content: content["target"].update(costs=costs)


def _labels(name: str) -> Callable[[Any], Any]:
    return lambda content: content["tables"].update(labels=name)


def test_the_shipped_one_declares_credit_scores() -> None:
    """Names that stores of earlier releases have."""
    assert schema.IN_SQL == {
        "labels_table": "credit_score",
        "features_table": "credit_score_features",
        "training_table": "credit_score_features_target",
        "id_column": "id",
        "customer_column": "customer_id",
        "date_column": "date",
        "target_column": "credit_score",
    }
    assert schema.CLASSES == ["Poor", "Standard", "Good"]
    assert (schema.FAVOURABLE, schema.PROTECTED) == ("Good", ["age"])
    assert schema.COSTS == [[0, 2, 5], [1, 0, 1], [2, 1, 0]]
    assert list(SLICES) == ["age band", "occupation"]
    assert len(schema.FEATURES) == 22


def test_the_variable_names_another_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the environment, or of `.env`; /dev/null is the shipped one, as in the stack."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_SCHEMA", raising=False)
    shipped = declared()
    assert shipped.target.classes == ("Poor", "Standard", "Good")
    (tmp_path / ".env").write_text(f"DATA_SCHEMA={_OTHER}\n")
    assert declared().target.classes == ("bad", "good")
    monkeypatch.setenv("DATA_SCHEMA", "/dev/null")
    assert declared() == shipped
    (tmp_path / ".env").write_bytes("# Müller".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"`\.env` is not UTF-8"):
        declared()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_age(lenght=3), r"features\[age\]\.lenght is not expected there"),
        (_age(name="Age"), r"features\[Age\]\.name .*pattern"),
        (_age(kind="count"), r"features\[age\]\.kind .*'number', 'category'"),
        (_age(description=True), r"features\[age\]\.description must be text: put it in quotes"),
        (_age(low=130), "low, 130, must not lie above high, 120"),
        (_age(low=True), r"features\[age\]\.low: must be no truth value"),
        (_age(low=float("-inf")), r"features\[age\]\.low .*finite number"),
        (_age(words=["old"], length=3), r"features\[age\]: kind number has no length, words"),
        (_age(called={"other": "years"}), "kind number has no called"),
        (_age(description=" "), r"features\[age\]\.description must not be empty"),
        (_age(reason=["Age", "", "is lower"]), r"features\[age\]\.reason\[1\] must not be empty"),
        (_age(groups=True), r"features\[age\]: groups: true is for category only"),
        (_age(groups=[45, 25]), "groups must be numbers in ascending order"),
        (_age(groups=[]), "groups must be numbers in ascending order"),
        (_age(groups=[30, 30]), "groups must be numbers in ascending order"),
        (_age(groups=[float("nan")]), r"features\[age\]\.groups\[0\] .*finite number\. Correct"),
        (_age(groups=[30, float("inf")]), r"features\[age\]\.groups\[1\] .*finite number"),
        (_age(groups=[-5, 30]), "groups must begin within low and high"),
        (_age(groups=[30, 121]), "groups must begin within low and high"),
        (_age(example="old"), "example must be of its kind"),
        (_age(example=True), r"features\[age\]\.example: must be no truth value"),
        (_age(example=121), "example must be a finite number within low and high"),
        (_age(example=float("nan")), "example must be a finite number within low and high"),
        (_age(low=None, high=None, example=10**400), "example must be a finite number"),
        (_credit_mix(example="Fair"), "example must be one of Bad, Standard, Good"),
        (_credit_mix(words=["Bad", " Bad"]), r"features\[credit_mix\]: words must differ"),
        (_credit_mix(words=["Bad", " "]), r"features\[credit_mix\]\.words\[1\] must not be empty"),
        (_credit_mix(words=["Bad", "None"]), "None: a word for a missing value"),
        (_credit_mix(words=["Bad", "Standard"], length=4), "Standard: longer than length, 4"),
        (_credit_mix(words=[], length=7, example="Standard"), "example is longer than length, 7"),
        (_credit_mix(words=[], example="nan"), "example must be no word for a missing value"),
        (_credit_mix(name="age_band"), "age band: groups of two features are called so"),
        (_loans(kinds=["auto loan", "Auto  Loan"]), "kinds must differ in more than blanks"),
        (_loans(kinds=["Other"]), "'other' stands for all kinds"),
        (_loans(separator=";"), 'separator must be ","'),
        (_loans(separator=None), "kinds need a separator"),
        (_loans(called={"auto loam": "auto loans"}), "called names auto loam, which kinds do not"),
        (_loans(kinds=[], called={"other": "loans"}), "called needs kinds"),
        (_name(protected=True, reason="Name"), "kind personal has no protected, reason"),
        (_name(length=16_383), "features need .* bytes of the 65,000 that a row of MySQL has"),
        (_age(name="reasons"), "reasons: the platform uses such a name itself"),
        (_age(name="probability_poor"), "probability_poor: the platform uses such a name"),
        (_age(name="self"), "self: the platform uses such a name"),
        (_age(name="date"), "date: names two columns"),
        (_classes("Poor", "None"), "None: a word for a missing value is no class"),
        (lambda content: content.pop("keys"), "keys is missing"),
        (lambda content: content["target"].update(classes=["Good"]), "target.classes .*at least 2"),
        (lambda content: content["target"].update(classes=["a", "A"]), "more than upper and lower"),
        (lambda content: content["target"].update(length=4), "a class has more than 4 characters"),
        (_costs([[0, 1], [1, 0]]), "a row for each of Poor, Standard, Good"),
        (_costs([[0, 1, 2], [1, 3, 1], [2, 1, 0]]), "a Standard customer must not cost more"),
        (_costs([[0, 0, 0], [1, 0, 1], [2, 1, 0]]), "some error on a Poor customer must cost more"),
        (_costs([[0, 1, float("nan")], [1, 0, 1], [2, 1, 0]]), "finite numbers, from"),
        (_costs([[0, 1, 1e9], [1, 0, 1], [2, 1, 0]]), "to 1,000,000"),
        (_labels("credit_arrivals"), "credit_arrivals: the platform has such a table or asset"),
        (_labels("customer_scores"), "customer_scores: the platform has such a table or asset"),
        (_labels("credit_score_features"), "need three different names"),
        (_labels("config"), "tables: config: a word of Python, Dagster or SQLite"),
        (_labels("class"), "class: a word of Python"),
        (_labels("sqlite_labels"), "sqlite_labels: a word of"),
        (_labels("a" * 33), r"tables\.labels .*at most 32 characters"),
        (
            lambda content: content["keys"]["date"].update(length=19),
            "date has 10",
        ),
        (lambda content: content.update(features=content["features"][:1]), "at least one number"),
    ],
)
def test_what_cannot_be_used_is_named(
    change: Callable[[Any], Any], problem: str, tmp_path: Path
) -> None:
    """With its place in the file, and in a few lines however much is wrong."""
    with pytest.raises(SettingsError, match=rf"(?s)DATA_SCHEMA: .*data\.yaml .*{problem}") as found:
        Declaration.read(_edited(change, tmp_path))
    assert len(str(found.value)) < 500


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: [", "is not YAML"),
        ("[1]", "cannot be used: it .*valid dict"),
        ("# target:", "cannot be used: it .*valid dict"),
        ("", r"data\.yaml is empty"),
        ("target: {}\ntarget: {}", "'target' is there twice, in line 1 and in line 2"),
    ],
)
def test_a_file_of_something_else_is_named(content: str, problem: str, tmp_path: Path) -> None:
    """As is one that a copy left empty, and one that does not exist."""
    path = tmp_path / "data.yaml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=problem):
        Declaration.read(path)
    with pytest.raises(SettingsError, match=r"none\.yaml cannot be read \(No such"):
        Declaration.read(tmp_path / "none.yaml")


def test_words_that_dagster_refuses_are_no_names_of_tables() -> None:
    """Source tables are assets; its list says of a later release whether there are more."""
    assert {word for word in DISALLOWED_NAMES if not iskeyword(word)} == WORDS_OF_DAGSTER


@pytest.mark.parametrize("word", ["order", "returning"])
def test_words_of_sql_are_no_names_of_keys(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements name tables, keys and target without quotes; some are words of MariaDB's only."""
    monkeypatch.setattr(schema, "IN_SQL", schema.IN_SQL | {"id_column": word})
    with pytest.raises(SettingsError, match=f"DATA_SCHEMA: {word} cannot be the name"):
        tables.Tables.of_schema()
