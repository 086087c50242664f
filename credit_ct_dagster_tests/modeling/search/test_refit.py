"""The chosen candidate, fitted again to more rows."""

import pandas as pd
import pytest

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate, predict_proba
from credit_ct_dagster.modeling.search.refit import refit
from credit_ct_dagster.scorer.encoded import EncodedClassifier, words_of
from credit_ct_dagster.scorer.ordinal import OrdinalClassifier
from credit_ct_dagster_tests.modeling.conftest import search

_PARAMS = {"depth": 3, "rsm": 1.0, "l2_leaf_reg": 3.0}


def test_it_has_the_trees_of_the_candidate_and_sees_all_rows(
    splits: dict[str, pd.DataFrame],
) -> None:
    """The same again gives the same model; without the validation rows it is another one."""
    train, val = splits["train"], splits["val"]
    params = _PARAMS | search().fixed()
    models = [refit(params, [7], train, val, schema.FEATURES, thread_count=1) for _ in range(2)]
    one, other = (predict_proba(model, splits["holdout"]) for model in models)
    assert models[0].tree_count_ == 7
    assert (one == other).all()
    fewer = refit(params, [7], train, val.head(1), schema.FEATURES, thread_count=1)
    assert (predict_proba(fewer, splits["holdout"]) != one).any()
    assert evaluate(models[0], val)["log_loss"] < evaluate(fewer, val)["log_loss"]


def test_counts_are_of_all_rows_that_it_sees(splits: dict[str, pd.DataFrame]) -> None:
    """A kind that only a validation row has gets a column of its own."""
    train = splits["train"].assign(type_of_loan="auto loan")
    val = splits["val"].assign(type_of_loan="payday loan")
    params = _PARAMS | search().fixed() | {"text": "counts"}
    model = refit(params, [5], train, val, schema.FEATURES, thread_count=1)
    assert isinstance(model, EncodedClassifier)
    assert model.encoding.counted["type_of_loan"].counted == ["auto loan", "payday loan"]
    assert model.feature_names_ == schema.FEATURES


def test_a_record_from_before_texts_could_be_counted_is_native(
    splits: dict[str, pd.DataFrame],
) -> None:
    """Its model was; whatever the default is today."""
    model = refit(_PARAMS | search().fixed(), [3], splits["train"], splits["val"], schema.FEATURES)
    assert words_of(model) == (schema.CATEGORICAL, schema.TEXT)


def test_a_monotone_one_has_the_trees_of_each_of_its_models(
    splits: dict[str, pd.DataFrame],
) -> None:
    """And only the features that it was searched with."""
    features = [name for name in schema.FEATURES if name not in ("age", "occupation")]
    params = _PARAMS | search(monotone=True).fixed() | {"monotone": True}
    model = refit(params, [4, 6], splits["train"], splits["val"], features, thread_count=1)
    assert isinstance(model, OrdinalClassifier)
    assert model.trees_ == [4, 6]
    assert model.feature_names_ == features
    with pytest.raises(ValueError, match="zip"):
        refit(params, [4], splits["train"], splits["val"], features)
