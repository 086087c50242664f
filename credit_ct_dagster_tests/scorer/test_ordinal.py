"""A model of ordered classes in one file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, Pool

from credit_ct_dagster.scorer.ordinal import Model, OrdinalClassifier, load_model
from credit_ct_dagster_tests.scorer.rewriting import AGAIN, answers_of_rewritten

ORDERED = ["Poor", "Standard", "Good"]
COLUMNS = ["debt", "mix", "text"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Rows whose class falls with the debt, and depends on words."""
    rng = np.random.default_rng(0)
    debt, mix = rng.normal(size=600), rng.choice(["a", "b"], 600)
    text = rng.choice(["one loan", "two loans", "missing"], 600)
    debt[::17] = np.nan
    latent = np.nan_to_num(-debt) + (mix == "a") + rng.logistic(size=600)
    number = np.digitize(latent, [-0.5, 1.5])
    return pd.DataFrame(
        {"debt": debt, "mix": mix, "text": text, "label": np.array(ORDERED)[number]}
    )


@pytest.fixture(scope="module")
def parts(rows: pd.DataFrame) -> list[CatBoostClassifier]:
    """A model per pair of neighbouring classes."""
    found = []
    for number, pair in enumerate([("Poor", "Standard"), ("Standard", "Good")]):
        chosen = rows[rows["label"].isin(pair)]
        label = (chosen["label"] == pair[1]).astype(int)
        model = CatBoostClassifier(
            iterations=8 + number, depth=3, allow_writing_files=False, verbose=False
        )
        pool = Pool(chosen[COLUMNS], label, cat_features=["mix"], text_features=["text"])
        found.append(model.fit(pool))
    return found


@pytest.fixture(scope="module")
def ordinal(parts: list[CatBoostClassifier]) -> OrdinalClassifier:
    """The two as one."""
    return OrdinalClassifier.of_fitted(ORDERED, parts)


def test_probabilities_follow_from_the_log_odds_of_neighbours(
    ordinal: OrdinalClassifier, parts: list[CatBoostClassifier], rows: pd.DataFrame
) -> None:
    """1 : e^a : e^(a + b), divided by their sum, in the alphabetical order of CatBoost."""
    a, b = (model.predict(rows[COLUMNS], prediction_type="RawFormulaVal") for model in parts)
    weights = np.stack([np.exp(a + b), np.ones_like(a), np.exp(a)], axis=1)
    expected = weights / weights.sum(axis=1, keepdims=True)
    found = ordinal.predict_proba(rows[COLUMNS])
    assert list(ordinal.classes_) == ["Good", "Poor", "Standard"]
    assert found == pytest.approx(expected, abs=1e-12)
    assert (ordinal.predict(rows[COLUMNS]) == ordinal.classes_[found.argmax(axis=1)]).all()


def test_raw_values_differ_by_log_odds(ordinal: OrdinalClassifier, rows: pd.DataFrame) -> None:
    """So a margin is what a reason explains, whichever two classes it is between."""
    raw = ordinal.predict(rows[COLUMNS], prediction_type="RawFormulaVal")
    logs = np.log(ordinal.predict_proba(rows[COLUMNS]))
    assert raw[:, 1] - raw[:, 2] == pytest.approx(logs[:, 1] - logs[:, 2], abs=1e-9)
    assert raw[:, 2] - raw[:, 0] == pytest.approx(logs[:, 2] - logs[:, 0], abs=1e-9)


def test_a_single_row_gets_what_it_gets_among_others(
    ordinal: OrdinalClassifier, rows: pd.DataFrame
) -> None:
    """To the last bit, as a list and in a frame."""
    together = ordinal.predict_proba(rows[COLUMNS])
    raw = ordinal.predict(rows[COLUMNS], prediction_type="RawFormulaVal")
    for place in range(0, 60, 3):
        alone = [rows[COLUMNS].iloc[place].tolist()]
        assert (ordinal.predict_proba(alone, thread_count=1) == together[place]).all()
        found = ordinal.predict(alone, prediction_type="RawFormulaVal", thread_count=1)
        assert (found == raw[place]).all()


def test_it_describes_itself_as_a_catboost_model_does(ordinal: OrdinalClassifier) -> None:
    """Whoever asks for trees, columns or importances need not know which one it has."""
    assert ordinal.trees_ == [8, 9]
    assert ordinal.tree_count_ == 17
    assert ordinal.feature_names_ == COLUMNS
    importances = ordinal.get_feature_importance()
    assert len(importances) == len(COLUMNS)
    assert importances.sum() == pytest.approx(100)
    with pytest.raises(ValueError, match="LogProbability"):
        ordinal.predict([], prediction_type="LogProbability")
    with pytest.raises(NotImplementedError):
        ordinal.fit([], [])


@pytest.mark.parametrize("kind", ["ordinal", "ordinary"])
def test_its_file_survives_being_read_and_written(
    kind: str,
    ordinal: OrdinalClassifier,
    parts: list[CatBoostClassifier],
    rows: pd.DataFrame,
    tmp_path: Path,
) -> None:
    """In another process: a file that CatBoost writes wrongly crashes whoever loads it."""
    model: Model = ordinal if kind == "ordinal" else parts[1]
    answers = answers_of_rewritten(model, rows[COLUMNS], tmp_path)
    assert (answers == model.predict_proba(rows[COLUMNS])).all()
    read = load_model(tmp_path / AGAIN)
    assert type(read) is type(model)
    assert read.feature_names_ == COLUMNS
    assert list(read.classes_) == list(model.classes_)


def test_a_form_of_a_later_release_is_refused(tmp_path: Path) -> None:
    """It would be read as a model of something else."""
    model = CatBoostClassifier(iterations=1, allow_writing_files=False, verbose=False)
    model.fit([[0.0], [1.0]], [0, 1])
    model.get_metadata()["credit_ct_ordinal"] = json.dumps({"form": "cumulative"})
    model.save_model(str(tmp_path / "model.cbm"))
    with pytest.raises(ValueError, match="unknown to this release: cumulative"):
        load_model(tmp_path / "model.cbm")
