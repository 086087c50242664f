"""Packages for tests."""

import pandas as pd
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.scorer import CalibrationData, ScorerRecord
from credit_ct_dagster.contracts.splits import Scale
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.scorer.class_rule import HIGHEST_SCORE


def any_model() -> CatBoostClassifier:
    """Any fitted model, of one number."""
    rows = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    fitted = CatBoostClassifier(iterations=2, allow_writing_files=False, verbose=False)
    return fitted.fit(rows, schema.CLASSES)


def any_data(center: float = 0.0) -> ScorerRecord:
    """What the scorer of that model knows.

    Args:
        center: Of the scaler: another one makes a package with other contents.
    """
    return ScorerRecord(
        features=["x"],
        categorical=[],
        text=[],
        scales={"x": Scale(center=center, scale=1.0)},
        missing_word=schema.MISSING_WORD,
        classes=schema.CLASSES,
        class_rule=HIGHEST_SCORE,
        gains=[],  # as JSON gives it back
        calibration=CalibrationData(method="none"),
        typical={name: {"x": 1.0} for name in schema.CLASSES},
        orders=[["x"]],
        sentences={
            "x": dict.fromkeys(("higher", "lower", "other", "missing"), "x lowers the score.")
        },
        protected=[],
        limits={},
    )
