"""Golden rows: made-up customers of every kind, with the answers of the pipeline."""

from math import isclose
from typing import Any

import pandas as pd
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.golden import GoldenRow, GoldenRows
from credit_ct_dagster.contracts.scorer import Limits
from credit_ct_dagster.contracts.utility import RuleData
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import CalibratedModel
from credit_ct_dagster.modeling.answers.calibration import fitted as calibrated_model
from credit_ct_dagster.modeling.answers.golden import golden_rows
from credit_ct_dagster.modeling.answers.scorer_data import scorer_record
from credit_ct_dagster.modeling.rows.preparation import Scalers, fit_scalers, record_of
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS, RowRules
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.modeling.search.search_space import Text
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.scorer.class_rule import EXPECTED_UTILITY, HIGHEST_SCORE
from credit_ct_dagster.scorer.encoding import OTHER, Kinds
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.golden import difference, difference_of
from credit_ct_dagster_tests.modeling.conftest import training_data

_LIMITS = {
    name: Limits(low=RowRules().bounds_of(name).low, high=RowRules().bounds_of(name).high)
    for name in schema.NUMERIC
}
_TREES = {"depth": 4, "iterations": 30, "learning_rate": 0.3, "random_seed": 0,
          "loss_function": "MultiClassOneVsAll"}  # fmt: skip


@pytest.fixture(scope="module")
def train(raw_rows: pd.DataFrame) -> pd.DataFrame:
    """Raw training rows."""
    return split_by_customer(raw_rows, 0.7, 0.15)["train"]


@pytest.fixture(scope="module")
def scalers(train: pd.DataFrame) -> Scalers:
    """Fitted to them."""
    return fit_scalers(train)


@pytest.fixture(scope="module")
def fitted(data: TrainingData) -> CatBoostClassifier:
    """A small model."""
    return fit(data, _TREES, 20, thread_count=1)


def _calibrated(fitted: CatBoostClassifier, method: str, val: pd.DataFrame) -> CalibratedModel:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    if method == "none":
        return CalibratedModel(fitted, None, schema.FEATURES)
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), method=method, cv=2)
    calibrated.fit(val[schema.FEATURES], val[schema.TARGET])
    return CalibratedModel(fitted, calibrated, schema.FEATURES)


@pytest.fixture(scope="module")
def golden(
    train: pd.DataFrame,
    scalers: Scalers,
    fitted: CatBoostClassifier,
    splits: dict[str, pd.DataFrame],
) -> GoldenRows:
    """Golden rows of that model."""
    return golden_rows(train, scalers, _calibrated(fitted, "sigmoid", splits["val"]), _LIMITS)


def test_every_kind_of_row_is_among_them(golden: GoldenRows, train: pd.DataFrame) -> None:
    """Nulls, words that training never had, and numbers at the bounds of the rules for rows."""
    rows = [dict(row.features) for row in golden.rows]
    assert 40 <= len(rows) <= 60
    assert all(list(row) == schema.FEATURES for row in rows)
    assert dict.fromkeys(schema.FEATURES) in rows
    for name in schema.FEATURES:
        alone = [row for row in rows if [key for key in row if row[key] is None] == [name]]
        assert alone, f"{name} is never missing by itself"
    for name in schema.WORDS:
        words = {str(row[name]).strip() for row in rows if row[name] is not None}
        column = schema.COLUMNS[name]
        assert set(column.words) <= words if column.words else words - set(train[name])
    for name, bounds in BOUNDS.items():
        assert {bounds.low, bounds.high} <= {row[name] for row in rows}
    assert {row.credit_score for row in golden.rows} == set(schema.CLASSES)


def test_lists_of_kinds_are_written_as_people_do(golden: GoldenRows) -> None:
    """So that a service which splits them otherwise is not started, whatever the encoding."""
    texts = [str(row.features["type_of_loan"]) for row in golden.rows]
    kinds = schema.COLUMNS["type_of_loan"].kinds
    split = Kinds(kinds, kinds)
    assert any(" and " in text for text in texts)
    assert any(text.isupper() and split.listed(text) == list(kinds[-3:]) for text in texts)
    assert any(len(set(listed)) < len(listed) for listed in map(split.listed, texts))
    mixed = [set(split.listed(text)) for text in texts if split.has_other(text)]
    assert {OTHER} in mixed
    assert any(len(listed) > 1 for listed in mixed)


def test_none_is_a_row_of_a_customer(golden: GoldenRows, train: pd.DataFrame) -> None:
    """They travel with the package to people who may not see any customer."""
    known = set(train[schema.FEATURES].astype(str).agg("|".join, axis=1))
    made = pd.DataFrame([dict(row.features) for row in golden.rows], columns=schema.FEATURES)
    assert known.isdisjoint(made.astype(str).agg("|".join, axis=1))


def test_the_same_training_rows_give_the_same_golden_rows(
    golden: GoldenRows,
    train: pd.DataFrame,
    scalers: Scalers,
    fitted: CatBoostClassifier,
    splits: dict[str, pd.DataFrame],
) -> None:
    """In whatever order; and they are read as they were written, to the last bit."""
    model = _calibrated(fitted, "sigmoid", splits["val"])
    again = golden_rows(train.sample(frac=1, random_state=1), scalers, model, _LIMITS)
    assert again == golden
    assert GoldenRows.from_json(golden.to_json(), "golden.json") == golden


def test_the_service_takes_every_golden_row(golden: GoldenRows) -> None:
    """A refused row would say nothing of the model."""
    contract = RowContract()
    assert [
        problem for row in golden.rows for problem in contract.problems(dict(row.features))
    ] == []


_COSTS = RuleData(
    rule=EXPECTED_UTILITY, gains=[[0.0, -2.0, -5.0], [-1.0, 0.0, -1.0], [-2.0, -1.0, 0.0]]
)
_WEIGHTS = RuleData(
    rule=EXPECTED_UTILITY, gains=[[1.3, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.9]]
)


@pytest.mark.parametrize("rule", [RuleData(rule=HIGHEST_SCORE), _COSTS, _WEIGHTS])
@pytest.mark.parametrize("method", ["none", "sigmoid", "isotonic"])
def test_the_scorer_answers_as_the_pipeline_to_the_last_bit(
    method: str,
    rule: RuleData,
    train: pd.DataFrame,
    scalers: Scalers,
    fitted: CatBoostClassifier,
    splits: dict[str, pd.DataFrame],
) -> None:
    """Two independent paths: scikit-learn's objects, and arithmetic on what they learned."""
    model = _calibrated(fitted, method, splits["val"])
    golden = golden_rows(train, scalers, model, _LIMITS, rule)
    record = scorer_record(
        model=model.model,
        scales=record_of(scalers).columns,
        calibrated=model.calibrated,
        train=train,
        limits=_LIMITS,
        rule=rule,
    )
    scorer = Scorer(fitted, record.model_dump(mode="json"))
    assert len({row.credit_score for row in golden.rows}) > 1
    for row in golden.rows:
        answer = scorer.score(row.features, reasons=False)
        assert (answer.credit_score, answer.probabilities) == (row.credit_score, row.probabilities)
    frame = pd.DataFrame([dict(row.features) for row in golden.rows], columns=schema.FEATURES)
    many = scorer.score_rows(frame)
    assert many.classes.tolist() == [row.credit_score for row in golden.rows]
    assert many.probabilities.tolist() == [list(row.probabilities.values()) for row in golden.rows]
    assert difference_of(scorer, golden) is None


@pytest.mark.parametrize("text", Text)
def test_a_model_without_some_features_has_golden_rows_without_them(
    train: pd.DataFrame, scalers: Scalers, splits: dict[str, pd.DataFrame], text: Text
) -> None:
    """Nothing of a package names what the bank excluded; the rest is as it would be."""
    excluded = {"age", "occupation", "payment_behaviour"}
    features = [name for name in schema.FEATURES if name not in excluded]
    data = training_data(splits["train"], splits["val"], features, text=text)
    model = calibrated_model(fit(data, _TREES, 20, thread_count=1), "isotonic", splits["val"])
    assert model.features == features
    golden = golden_rows(train, scalers, model, _LIMITS, _WEIGHTS)
    record = scorer_record(
        model=model.model,
        scales=record_of(scalers).columns,
        calibrated=model.calibrated,
        train=train,
        limits=_LIMITS,
        protected=["age"],
        rule=_WEIGHTS,
    )
    assert all(list(row.features) == features for row in golden.rows)
    # Protected all the same: a validator sees that it is, and that the model does without.
    assert record.protected == ["age"]
    described = record.model_copy(update={"protected": []}).to_json().decode()
    assert not [name for name in excluded if f'"{name}"' in described]
    assert difference_of(Scorer(model.model, record.model_dump(mode="json")), golden) is None
    contract = RowContract.of(record)
    assert [each for row in golden.rows for each in contract.problems(dict(row.features))] == []


def _answers(golden: GoldenRows) -> list[tuple[str, dict[str, float]]]:
    return [(row.credit_score, dict(row.probabilities)) for row in golden.rows]


def test_a_difference_names_the_first_row_and_no_value(golden: GoldenRows) -> None:
    """Whoever reads it finds the row in golden.json; a log must hold no value of a row."""
    answers = _answers(golden)
    assert difference(golden, answers) is None
    score, shares = answers[7]
    answers[7] = (score, shares | {"Poor": shares["Poor"] + 2e-12})
    answers[9] = ("Else", answers[9][1])
    assert difference(golden, answers) == (
        f"2 of {len(answers)} golden rows get another answer than the pipeline's; the first has"
        " index 7, and gets a probability that is 2e-12 away"
    )
    answers[7] = (score, shares)
    found = difference(golden, answers)
    assert found is not None
    assert found.endswith("the first has index 9, and gets another class")


@pytest.mark.parametrize(
    "change",
    [
        {"Poor": float("nan")},
        {"Standard": float("nan")},
        {"Good": float("nan")},
        {"Else": 0.0},
    ],
)
def test_what_is_no_number_or_no_class_differs(golden: GoldenRows, change: Any) -> None:
    """NaN is no further away than the tolerance, by comparison."""
    answers = _answers(golden)
    answers[0] = (answers[0][0], answers[0][1] | change)
    assert difference(golden, answers) is not None
    assert difference(golden, answers[:-1]) is not None


def test_probabilities_sum_to_one(golden: GoldenRows) -> None:
    """Of every golden row."""
    assert all(isclose(sum(row.probabilities.values()), 1) for row in golden.rows)


def test_a_scorer_that_raises_is_a_difference(golden: GoldenRows) -> None:
    """And not an exception, whose text might quote a value."""

    class _Raises:
        def score(self, row: Any, reasons: bool) -> None:
            raise ValueError(f"{row}")

    found = difference_of(_Raises(), golden)  # type: ignore[arg-type]
    assert found == "the golden row with index 0 cannot be scored (ValueError)"


def test_frequent_words_only(
    train: pd.DataFrame, scalers: Scalers, fitted: CatBoostClassifier
) -> None:
    """A word that few customers have does not leave the database in a package."""
    rare = train.assign(occupation=[f"Spy {n}" for n in range(len(train))])
    model = CalibratedModel(fitted, None, schema.FEATURES)
    rows: list[GoldenRow] = list(golden_rows(rare, scalers, model, _LIMITS).rows)
    words = {row.features["occupation"] for row in rows}
    assert not {word for word in words if str(word).startswith("Spy")}
