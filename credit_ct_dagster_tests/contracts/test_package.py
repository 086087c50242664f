"""What a package's record says for a person."""

from collections.abc import Mapping

import pytest

from credit_ct_dagster.contracts.package import PackageRecord

_TRIED = "in cross-validation on the validation rows"


@pytest.mark.parametrize(
    ("calibration", "losses", "said"),
    [
        ("none", {}, "not recalibrated: there were too few validation rows to learn it from."),
        (
            "none",
            {"none": 0.70401, "sigmoid": 0.70404},
            f"not recalibrated: {_TRIED}, the model's own had the lowest log-loss (the model's"
            " own 0.70401, with a sigmoid curve per class 0.70404).",
        ),
        (
            "none",
            {"none": 0.71, "isotonic": 0.70},
            "not recalibrated, because the model follows declared directions (monotone: true),"
            f" which curves per class would break; log-loss {_TRIED} (the model's own 0.7100, with"
            " an isotonic curve per class 0.7000).",
        ),
        (
            "sigmoid",
            {"none": 0.71, "sigmoid": 0.70},
            f"recalibrated with a sigmoid curve per class: {_TRIED}, that had the lowest log-loss"
            " (the model's own 0.7100, with a sigmoid curve per class 0.7000).",
        ),
        ("sigmoid", {}, "recalibrated with a sigmoid curve per class."),
    ],
)
def test_why_probabilities_are_calibrated_as_they_are(
    calibration: str, losses: Mapping[str, float], said: str
) -> None:
    """In words, with what was tried."""
    record = PackageRecord(
        seen_share=0.85, calibration=calibration, log_loss_per_calibration=losses
    )

    assert record.calibration_sentence == f"The probabilities were {said}"
