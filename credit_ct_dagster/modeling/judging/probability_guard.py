"""Whether the probabilities of one model are worse than those of another, whatever its classes.

Classes hide it: a model whose probabilities fit another month can still rank customers well.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import ProbabilityComparison
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import expected_calibration_error
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.judging.gate_rules import GateRules


def compare_probabilities(
    rows: pd.DataFrame,
    challenger: np.ndarray,
    champion: np.ndarray,
    rules: GateRules,
    holdouts: Sequence[str] = (),
) -> ProbabilityComparison:
    """Compare the log-loss of two models on the same rows.

    A paired bootstrap of whole customers, as for the classes. It only warns: as a second way to be
    promoted, it would double the promotions without a gain.

    Args:
        rows: Labelled rows of customers that neither model saw.
        challenger: Calibrated probabilities, shape (rows, 3), in the order of `schema.CLASSES`.
        champion: The same.
        rules: The confidence, and the bootstrap.
        holdouts: The base dates that the rows are of, the newest first.
    """
    truth = rows[schema.TARGET]
    customer, _ = pd.factorize(rows[schema.CUSTOMER])
    summands = [loss_per_row(truth, challenger), loss_per_row(truth, champion), np.ones(len(rows))]
    per_customer = np.stack([np.bincount(customer, weights=each) for each in summands], axis=1)
    drawn = confusion.resampled(per_customer, rules.draws, rules.seed)
    ours, theirs = (float(each.mean()) for each in summands[:2])
    return ProbabilityComparison(
        challenger=ours,
        champion=theirs,
        challenger_ece=expected_calibration_error(truth, challenger),
        champion_ece=expected_calibration_error(truth, champion),
        difference=confusion.estimate(
            theirs - ours,
            (drawn[:, 1] - drawn[:, 0]) / drawn[:, 2],
            rules.probability_confidence,
        ),
        confidence=rules.probability_confidence,
        rows=len(rows),
        holdouts=tuple(holdouts),
    )


def loss_per_row(truth: pd.Series, probabilities: np.ndarray) -> np.ndarray:
    """Negative logarithm of the true class's probability, in nats, shape (rows,).

    Args:
        truth: True classes.
        probabilities: Shape (rows, 3), in the order of `schema.CLASSES`. One of 0 counts as the
            smallest that makes a difference to 1, as for scikit-learn's `log_loss`.
    """
    column = truth.map({name: number for number, name in enumerate(schema.CLASSES)}).to_numpy()
    chosen = probabilities[np.arange(len(column)), column]
    return -np.log(np.clip(chosen, np.finfo(np.float64).eps, 1.0))
