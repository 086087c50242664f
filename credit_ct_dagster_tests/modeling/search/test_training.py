"""One candidate: what it is trained on, and what CatBoost refuses."""

import threading

import pandas as pd
import pytest
from catboost import CatBoostError

from credit_ct_dagster.contracts.trial import TrialState
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate, feature_importances
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.modeling.search.trials import fit_trial
from credit_ct_dagster_tests.modeling.conftest import new_study, search


@pytest.fixture(scope="module")
def unique_texts(splits: dict[str, pd.DataFrame]) -> TrainingData:
    """Rows whose `type_of_loan` is another one in each, as an account number is."""
    given = [
        splits[name].assign(type_of_loan=[f"{name}{n}" for n in range(len(splits[name]))])
        for name in ("train", "val")
    ]
    return TrainingData.of(*given)


@pytest.mark.parametrize(
    "excluded", [["age", "occupation"], schema.TEXT, schema.CATEGORICAL, schema.WORDS[1:]]
)
@pytest.mark.parametrize("monotone", [False, True])
def test_a_model_is_trained_on_the_given_features_only(
    splits: dict[str, pd.DataFrame], excluded: list[str], monotone: bool
) -> None:
    """Whatever they are; whoever measures it passes rows with all columns."""
    features = [name for name in schema.FEATURES if name not in excluded]
    data = TrainingData.of(splits["train"], splits["val"], features, monotone=monotone)
    params = search(monotone=monotone, iterations=4).fixed()
    params.pop("early_stopping_rounds")
    model = fit(data, params, 4, thread_count=1)
    assert model.feature_names_ == features
    assert list(feature_importances(model)) != []
    assert set(feature_importances(model)) == set(features)
    measured = evaluate(model, splits["holdout"])
    changed = splits["holdout"].assign(**dict.fromkeys(excluded))
    assert evaluate(model, changed) == measured


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
