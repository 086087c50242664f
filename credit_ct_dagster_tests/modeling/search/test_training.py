"""One candidate: what it is trained on, and what CatBoost refuses."""

import threading
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from catboost import CatBoostError

from credit_ct_dagster.contracts.trial import TrialState
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate, feature_importances
from credit_ct_dagster.modeling.search.search_space import Text
from credit_ct_dagster.modeling.search.training import Part, TrainingData, fit, pools_of
from credit_ct_dagster.modeling.search.trials import fit_trial
from credit_ct_dagster_tests.modeling.conftest import new_study, search, training_data


@pytest.fixture(scope="module")
def unique_texts(splits: dict[str, pd.DataFrame]) -> TrainingData:
    """Rows whose `type_of_loan` is another one in each, as an account number is."""
    given = [
        splits[name].assign(type_of_loan=[f"{name}{n}" for n in range(len(splits[name]))])
        for name in ("train", "val")
    ]
    return training_data(*given, text=Text.native)


@pytest.mark.parametrize(
    "excluded", [["age", "occupation"], schema.TEXT, schema.CATEGORICAL, schema.WORDS[1:]]
)
@pytest.mark.parametrize(
    ("monotone", "text"),
    [(False, Text.native), (True, Text.native), (False, Text.counts), (True, Text.counts)],
)
def test_a_model_is_trained_on_the_given_features_only(
    splits: dict[str, pd.DataFrame], excluded: list[str], monotone: bool, text: Text
) -> None:
    """Whatever they are; whoever measures it passes rows with all columns."""
    features = [name for name in schema.FEATURES if name not in excluded]
    data = training_data(splits["train"], splits["val"], features, text=text, monotone=monotone)
    params = search(monotone=monotone, iterations=4).fixed()
    params.pop("early_stopping_rounds")
    model = fit(data, params, 4, thread_count=1)
    assert model.feature_names_ == features
    assert list(feature_importances(model)) != []
    assert set(feature_importances(model)) == set(features)
    measured = evaluate(model, splits["holdout"])
    changed = splits["holdout"].assign(**dict.fromkeys(excluded))
    assert evaluate(model, changed) == measured


@pytest.mark.parametrize("monotone", [False, True])
def test_quantised_rows_give_the_same_model(
    splits: dict[str, pd.DataFrame], monotone: bool
) -> None:
    """And the same losses of the rows to stop early on, whatever the number of threads."""
    data = training_data(splits["train"], splits["val"], text=Text.counts, monotone=monotone)
    assert all(part.train.is_quantized() for part in data.parts)
    raw = pools_of(splits["train"], data.columns, monotone=monotone)
    pairs = zip(raw, data.parts, strict=True)
    unquantised = replace(data, parts=[Part(train, part.val) for train, part in pairs])
    params = search(monotone=monotone, iterations=15).fixed() | {"depth": 7, "rsm": 0.9}
    patience = params.pop("early_stopping_rounds")
    found = []
    for rows, threads in ((unquantised, 1), (data, 1), (data, 3)):
        watching = _Losses()
        model = fit(rows, params, patience, threads, [watching])
        scores = model.predict_proba(splits["holdout"][model.feature_names_])
        found.append((scores.tolist(), watching.seen))
    (scores, losses), *others = found
    for other_scores, other_losses in others:
        assert other_scores == scores
        assert other_losses == pytest.approx(losses, rel=1e-12)


class _Losses:
    """Remembers the validation loss of each tree."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def after_iteration(self, info: Any) -> bool:
        [losses] = info.metrics["validation"].values()
        self.seen.append(losses[-1])
        return True


def test_rows_without_information_are_refused_by_the_fit(splits: dict[str, pd.DataFrame]) -> None:
    """As CatBoost's own sentence, with which the candidate fails."""
    train, val = (splits[name].assign(age=1.0) for name in ("train", "val"))
    data = training_data(train, val, ["age"], text=Text.counts)
    with pytest.raises(CatBoostError, match="All features are either constant or ignored"):
        fit(data, {"iterations": 2, "loss_function": "MultiClassOneVsAll"}, 2, 1)


def test_a_text_without_frequent_words_is_named(unique_texts: TrainingData) -> None:
    """CatBoost's own message names no column, and no value is quoted."""
    with pytest.raises(CatBoostError) as refused:
        fit(unique_texts, {"iterations": 2, "loss_function": "MultiClassOneVsAll"}, 2, 1)
    rows = len(unique_texts.train_texts)
    assert str(refused.value).startswith(
        "type_of_loan has no word that occurs often enough: the most frequent one occurs in 1 of"
        f" {rows:,} training rows. Correct the column in the source table"
    )
    assert "train0" not in str(refused.value)


def test_it_is_the_reason_of_the_failed_trial(unique_texts: TrainingData) -> None:
    """From there it gets into the sentence with which a search ends without a model."""
    parameters = search()
    trial = new_study(parameters).ask(parameters.distributions())
    fitted = fit_trial(trial, unique_texts, parameters, 1, threading.Event())
    assert fitted.trial.state == TrialState.failed
    assert "type_of_loan has no word" in (fitted.trial.reason or "")
