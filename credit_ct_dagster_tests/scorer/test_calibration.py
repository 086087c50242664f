"""A calibration that is data does the arithmetic of the one that was fitted."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.naive_bayes import GaussianNB

from credit_ct_dagster.modeling.answers.scorer_data import calibration_data
from credit_ct_dagster.scorer.calibration import Calibration


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("classes", [["bad", "good"], ["Good", "Poor", "Standard"]])
def test_probabilities_are_those_of_the_fitted_calibration(classes: list[str], method: str) -> None:
    """To the last bit; of two classes, scikit-learn fits one curve, and the other has the rest."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(800, len(classes)))
    labels = np.array(classes)[(rows + rng.normal(0, 1, rows.shape)).argmax(axis=1)]
    model = GaussianNB().fit(rows[:400], labels[:400])
    fitted = CalibratedClassifierCV(FrozenEstimator(model), method=method, cv=2)
    fitted.fit(rows[400:600], labels[400:600])
    curves = calibration_data(fitted).model_dump()["curves"]
    calibration = Calibration(method, [curves.get(name, {}) for name in classes])
    found = calibration.probabilities(model.predict_proba(rows[600:]))
    np.testing.assert_array_equal(found, fitted.predict_proba(rows[600:]))
    np.testing.assert_allclose(found.sum(axis=1), 1)
