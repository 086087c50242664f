"""Simple predictions that a useful model must beat."""

import pandas as pd
import pytest

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.baselines import compare_with_baselines


def test_no_baseline_uses_a_feature_that_the_model_may_not_use(
    splits: dict[str, pd.DataFrame],
) -> None:
    """Without the best single feature, the next one is the baseline; its accuracy is measured."""
    truth = splits["holdout"][schema.TARGET].to_numpy(dtype=str)
    _, best = compare_with_baselines(**splits, predicted=truth, features=schema.FEATURES)
    excluded = best.name.removesuffix(" alone")
    assert excluded in schema.FEATURES
    features = [name for name in schema.FEATURES if name != excluded]
    majority, other = compare_with_baselines(**splits, predicted=truth, features=features)
    assert other.name.removesuffix(" alone") in features
    most = splits["train"][schema.TARGET].mode()[0]
    assert majority.accuracy == pytest.approx((truth == most).mean())
    assert majority.gain.value == pytest.approx(1 - majority.accuracy)
