"""A model with its encoding, in one file and as a scorer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import fitted
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.search.search_space import Text
from credit_ct_dagster.modeling.search.training import fit
from credit_ct_dagster.scorer.encoded import EncodedClassifier, trees_of, words_of
from credit_ct_dagster.scorer.ordinal import Model, OrdinalClassifier, load_model
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster_tests.modeling.conftest import training_data
from credit_ct_dagster_tests.scorer.conftest import Pipeline
from credit_ct_dagster_tests.scorer.rewriting import AGAIN, answers_of_rewritten

LOANS = "type_of_loan"
_PAYDAY = f"{LOANS}: payday loan"
_TREES = {"iterations": 25, "depth": 4, "learning_rate": 0.3}


@pytest.fixture(scope="module")
def raw(rows: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Rows whose class goes with their payday loans, and hardly with anything else."""
    made = {}
    for name, split in rows.items():
        payday = split[LOANS].fillna("").str.count("payday loan").to_numpy()
        best = np.where(payday == 0, "Good", "Standard")
        made[name] = split.assign(**{schema.TARGET: np.where(payday > 1, "Poor", best)})
    return made


@pytest.fixture(scope="module")
def prepared(raw: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """As models take them."""
    scalers = fit_scalers(raw["train"])
    return {name: prepare(split, scalers) for name, split in raw.items()}


def _model(prepared: Mapping[str, pd.DataFrame], *, monotone: bool) -> Model:
    data = training_data(prepared["train"], prepared["val"], text=Text.counts, monotone=monotone)
    loss = {} if monotone else {"loss_function": "MultiClassOneVsAll"}
    return fit(data, _TREES | loss, 25, thread_count=1)


@pytest.fixture(scope="module", params=[False, True], ids=["free", "monotone"])
def model(request: pytest.FixtureRequest, prepared: Mapping[str, pd.DataFrame]) -> Model:
    """Around a model of CatBoost's, and around one of several."""
    return _model(prepared, monotone=request.param)


def test_it_describes_itself_as_a_model_without_encoding_does(
    model: EncodedClassifier, prepared: Mapping[str, pd.DataFrame]
) -> None:
    """Columns and importances are those of prepared rows; a text has that of all its kinds."""
    assert isinstance(model, EncodedClassifier)
    assert model.feature_names_ == schema.FEATURES
    assert list(model.classes_) == ["Good", "Poor", "Standard"]
    assert trees_of(model) == model.trees_ == trees_of(model.inner)
    assert model.tree_count_ == sum(model.trees_)
    importances = dict(zip(schema.FEATURES, model.get_feature_importance(), strict=True))
    assert sum(importances.values()) == pytest.approx(100)
    assert max(importances, key=importances.__getitem__) == LOANS
    assert words_of(model) == ([*schema.CATEGORICAL, "payment_behaviour"], [])
    assert model.inner.feature_names_ == model.encoding.columns
    assert (model.predict(prepared["val"]).ravel() == prepared["val"][schema.TARGET]).mean() > 0.9
    with pytest.raises(NotImplementedError):
        model.fit([], [])


def test_a_single_row_gets_what_it_gets_among_others(
    model: EncodedClassifier, prepared: Mapping[str, pd.DataFrame]
) -> None:
    """To the last bit, as a list and in a frame."""
    frame = prepared["holdout"][schema.FEATURES].head(40)
    together = model.predict_proba(frame)
    raw = model.predict(frame, prediction_type="RawFormulaVal")
    for place, row in enumerate(frame.to_numpy().tolist()):
        assert (model.predict_proba([row], thread_count=1) == together[place]).all()
        found = model.predict([row], prediction_type="RawFormulaVal", thread_count=1)
        assert (found == raw[place]).all()


def test_scikit_learn_calibrates_it(
    model: EncodedClassifier, prepared: Mapping[str, pd.DataFrame]
) -> None:
    """As any fitted classifier."""
    calibrated = fitted(model, "sigmoid", prepared["val"])
    assert calibrated.features == schema.FEATURES
    assert calibrated.predict_proba(prepared["holdout"]).sum(axis=1) == pytest.approx(1)
    assert FrozenEstimator(model).__sklearn_tags__().classifier_tags.multi_class


def test_its_file_survives_being_read_and_written(
    model: EncodedClassifier, prepared: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    """In another process: a file that CatBoost writes wrongly crashes whoever loads it."""
    frame = prepared["holdout"][schema.FEATURES]
    answers = answers_of_rewritten(model, frame, tmp_path)
    assert (answers == model.predict_proba(frame)).all()
    read = load_model(tmp_path / AGAIN)
    assert isinstance(read, EncodedClassifier)
    assert type(read.inner) is type(model.inner)
    assert read.encoding.to_data() == model.encoding.to_data()


def test_an_encoding_of_a_later_release_is_refused(
    prepared: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    """It would be read as a model of other columns."""
    model = _model({name: rows.head(200) for name, rows in prepared.items()}, monotone=False)
    assert isinstance(model, EncodedClassifier)
    later = model.encoding.to_data() | {"form": "embedding"}
    model.inner.get_metadata()["credit_ct_encoding"] = json.dumps(later)
    model.save_model(str(tmp_path / "model.cbm"))
    with pytest.raises(ValueError, match="unknown: embedding"):
        load_model(tmp_path / "model.cbm")


@pytest.fixture(scope="module")
def scorer(
    raw: Mapping[str, pd.DataFrame], prepared: Mapping[str, pd.DataFrame], model: Model
) -> Scorer:
    """The model as it serves."""
    return Pipeline(
        fit_scalers(raw["train"]), fitted(model, "sigmoid", prepared["val"]), raw["train"]
    ).scorer()


@pytest.fixture(scope="module")
def answers(scorer: Scorer, raw: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Answers with reasons."""
    return scorer.answer_rows(raw["holdout"], reasons=True)


def test_reasons_name_the_kind_of_loan(
    scorer: Scorer, answers: pd.DataFrame, raw: Mapping[str, pd.DataFrame]
) -> None:
    """Who has a payday loan more than those with the next better score is told that."""
    bad = answers[answers["credit_score"] != "Good"]
    assert len(bad) > 50
    first = [reasons[0] for reasons in bad["reasons"]]
    named = [reason for reason in first if reason.feature == LOANS]
    assert len(named) > 0.9 * len(first)
    assert {(reason.direction, reason.sentence) for reason in named} == {
        (
            "higher",
            "More payday loans are held than is usual for customers with the next better score.",
        )
    }


def test_a_row_gets_the_reasons_that_it_gets_among_others(
    scorer: Scorer, answers: pd.DataFrame, raw: Mapping[str, pd.DataFrame]
) -> None:
    """To the last bit, in the space of the model's columns."""
    for place, row in enumerate(raw["holdout"].head(25).to_dict("records")):
        answer = scorer.score(row)
        assert answer.credit_score == answers["credit_score"].iloc[place]
        assert answer.reasons == answers["reasons"].iloc[place]


def test_contributions_of_kinds_add_up(scorer: Scorer, raw: Mapping[str, pd.DataFrame]) -> None:
    """Per feature of the raw rows, to the difference from the typical customer's margin."""
    some = raw["holdout"].head(30)
    data = scorer_data(scorer, raw)
    for number, better in enumerate(["Standard", "Good"]):
        typical = pd.DataFrame([data["typical"][better]], columns=schema.FEATURES)
        typical = typical.astype(dict.fromkeys(schema.NUMERIC, float))
        difference = scorer.margins(some)[:, number] - scorer.margins(typical)[0, number]
        found = scorer.contributions(some, number)
        assert found.shape == (30, len(schema.FEATURES))
        assert found.sum(axis=1) == pytest.approx(difference, abs=1e-12)


def test_a_missing_text_is_one_reason(scorer: Scorer, raw: Mapping[str, pd.DataFrame]) -> None:
    """And not one per kind."""
    rows = raw["holdout"].assign(**{LOANS: None})
    for reasons in scorer.answer_rows(rows, reasons=True)["reasons"]:
        of_loans = [reason for reason in reasons if reason.feature == LOANS]
        assert len(of_loans) <= 1
        assert all(
            reason.sentence == "The combination of loans held is not known." for reason in of_loans
        )


def test_what_is_typical_is_told_as_a_text(scorer: Scorer, raw: Mapping[str, pd.DataFrame]) -> None:
    """With the median count of each kind; who has no loan counts as well."""
    data = scorer_data(scorer, raw)
    train = raw["train"]
    for name, values in data["typical"].items():
        texts = train.loc[train[schema.TARGET] == name, LOANS].fillna("")
        for kind in schema.COLUMNS[LOANS].kinds:
            median = texts.str.count(kind).quantile(interpolation="lower")
            assert (values[LOANS] or "").count(kind) == median
    assert (data["typical"]["Poor"][LOANS] or "").count("payday loan") >= 2
    assert data["counted"] == {LOANS: list(schema.COLUMNS[LOANS].kinds)}
    assert data["categorical"] == [*schema.CATEGORICAL, "payment_behaviour"]
    assert data["text"] == []
    assert len(data["known_words"]["payment_behaviour"]) == 6
    assert isinstance(scorer.model, EncodedClassifier)
    orders = data["orders"]
    assert all(sorted(order) == sorted(scorer.model.encoding.columns) for order in orders)
    for order in orders:
        of_loans = [place for place, name in enumerate(order) if name.startswith(LOANS)]
        assert of_loans == list(range(of_loans[0], of_loans[0] + len(of_loans)))
    assert orders[1] == orders[0][::-1]
    assert orders[0] != orders[2]


def scorer_data(scorer: Scorer, raw: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """What the scorer knows besides its model."""
    from credit_ct_dagster.modeling.answers.scorer_data import scorer_record

    return scorer_record(
        model=scorer.model, scales={}, calibrated=None, train=raw["train"], limits={}
    ).model_dump(mode="json")


def test_its_model_is_one_of_several_or_one(model: EncodedClassifier) -> None:
    """Both are packaged alike."""
    assert isinstance(model.inner, OrdinalClassifier) == (len(model.trees_) > 1)
