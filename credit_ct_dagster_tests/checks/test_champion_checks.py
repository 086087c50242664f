"""What is reported about probabilities when a decision is taken."""

import dagster as dg

from credit_ct_dagster.checks.champion_model import probabilities_are_reliable
from credit_ct_dagster.contracts.decision import DecisionRecord, Estimate, ProbabilityComparison
from credit_ct_dagster.contracts.files import DECISION_FILE, MODEL_FOLDER, SEARCH_SUMMARY_FILE
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster_tests.checks.execution import execute_check
from credit_ct_dagster_tests.platform import BASE_DT, Platform
from credit_ct_dagster_tests.trained import Trained

_EARLIER = "2025-03-01"


def _compared(low: float, high: float) -> ProbabilityComparison:
    middle = (low + high) / 2
    return ProbabilityComparison(
        challenger=0.806,
        champion=0.806 + middle,
        challenger_ece=0.04,
        champion_ece=0.131,
        difference=Estimate(value=middle, low=low, high=high),
        confidence=0.99,
        rows=390,
    )


def _write(platform: Platform, found: ProbabilityComparison | None, promoted: bool) -> None:
    """Replace the decision of `BASE_DT` by one against a champion of an earlier base date."""
    record = platform.decision_record()
    decision = record.decision.model_copy(update={"probabilities": found, "promoted": promoted})
    before = record.model.model_copy(update={"base_dt": _EARLIER})
    changed: DecisionRecord = record.model_copy(update={"decision": decision, "before": before})
    platform.artifacts.write(MODEL_FOLDER, BASE_DT, {DECISION_FILE: changed})


def _checked(trained: Trained) -> dg.AssetCheckEvaluation:
    result = execute_check(probabilities_are_reliable, trained.platform, trained.instance)
    assert result.success
    [found] = result.get_asset_check_evaluations()
    assert found.severity == dg.AssetCheckSeverity.WARN
    return found


def test_probabilities_that_are_worse_only_warn(trained_copy: Trained) -> None:
    """Whichever model's, unless it no longer serves; the proposal names both base dates."""
    recalibrate = (
        f"Recalibrate the champion: for base date {_EARLIER}, materialize bentoml_model with"
        f" calibrate_on: {BASE_DT}, then champion_model and model_card."
    )
    own = f"recalibrate it: for base date {BASE_DT}, materialize bentoml_model with calibrate_on:"
    for found, promoted, passed, sentence in (
        (None, True, True, "Not compared: there were too few rows in the holdout."),
        (_compared(-0.02, 0.01), False, True, "no difference beyond doubt."),
        (_compared(0.1, 0.27), False, False, recalibrate),
        (_compared(0.1, 0.27), True, True, "worse, but that champion no longer serves."),
        (_compared(-0.2, -0.1), False, False, "which was not promoted, are worse. Look at"),
        (_compared(-0.2, -0.1), False, False, own),
        (_compared(-0.2, -0.1), True, False, "Or return to the champion before: credit-ct"),
    ):
        _write(trained_copy.platform, found, promoted)
        checked = _checked(trained_copy)
        assert checked.passed == passed
        assert sentence in (checked.description or "")
    figures = "log-loss 0.806 against 0.656 of the champion of 2025-03-01, lower by -0.150 (99%"
    assert figures in (checked.description or "")


def test_a_first_model_is_compared_with_nothing(trained: Trained) -> None:
    """The check passes, and says that it compared nothing instead of a difference of 0."""
    found = _checked(trained)
    assert found.passed
    assert found.description == f"Base date {BASE_DT}: Not compared: there was no champion."
    assert found.metadata["observed"].value == "not compared"


def test_no_recalibration_of_a_monotone_model_is_proposed(trained_copy: Trained) -> None:
    """Its probabilities are not calibrated: the proposal would change nothing."""
    platform = trained_copy.platform
    search = platform.models().read(SearchSummary)
    best = search.best.model_copy(update={"fixed": {**search.best.fixed, "monotone": True}})
    for base_dt in (BASE_DT, _EARLIER):
        changed = search.model_copy(update={"best": best, "base_dt": base_dt})
        platform.artifacts.write(MODEL_FOLDER, base_dt, {SEARCH_SUMMARY_FILE: changed})
    for found in (_compared(0.1, 0.27), _compared(-0.2, -0.1)):
        _write(platform, found, promoted=False)
        described = _checked(trained_copy).description or ""
        assert "a monotone model is not calibrated" in described
        assert "calibrate_on" not in described
