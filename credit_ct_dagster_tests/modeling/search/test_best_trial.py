"""Which of several trials is packaged."""

import pytest

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.modeling.search.tuning import best_of


@pytest.mark.parametrize(
    ("metrics", "best"),
    [
        ([(0.7, 0.5), (0.8, 0.9)], 1),
        ([(0.8, 0.9), (0.8, 0.5)], 1),
        ([(0.8, 0.5), (0.8, 0.5)], 0),
    ],
)
def test_ties_go_to_the_lower_log_loss_then_the_earlier(
    metrics: list[tuple[float, float]], best: int
) -> None:
    """Accuracy decides, then log-loss, then the order."""
    found = [
        Trial(
            number=number,
            params={},
            state=TrialState.completed,
            metrics={"accuracy": accuracy, "log_loss": loss},
        )
        for number, (accuracy, loss) in enumerate(metrics)
    ]
    assert best_of(found[::-1]) is found[best]
    assert best_of([]) is None
