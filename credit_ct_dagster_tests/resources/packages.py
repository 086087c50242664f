"""Packages for tests."""

import pandas as pd
from catboost import CatBoostClassifier

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.calibration import CalibratedModel


def any_model() -> CalibratedModel:
    """Any fitted model."""
    rows = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    fitted = CatBoostClassifier(iterations=2, allow_writing_files=False, verbose=False)
    return CalibratedModel(fitted.fit(rows, schema.CLASSES), None, ["x"])
