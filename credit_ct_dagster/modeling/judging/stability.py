"""What two models have in common on the same rows: their reasons, and whether they are the same."""

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.assessment import ReasonStability
from credit_ct_dagster.contracts.scorer import CLASS_COLUMN
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging import confusion

if TYPE_CHECKING:
    from credit_ct_dagster.scorer.reasons import Reason
    from credit_ct_dagster.scorer.scorer import Scored, Scorer

_MOST_ROWS = 500
_DRAWS = 1000
_CONFIDENCE = 0.95
_SEED = 0
_DECIMALS = 9


def reason_stability(
    scorer: "Scorer", before: "Scorer", base_dt_before: str, rows: pd.DataFrame
) -> ReasonStability:
    """How much the reasons of a model have in common with those of the model before it.

    A customer whose class stays is confused by reasons that change from month to month although
    nothing about the customer has changed.

    Args:
        scorer: The model.
        before: The champion before.
        base_dt_before: The base date of that champion.
        rows: Raw rows that neither was fitted to, of which at most 500 are looked at.
    """
    few = rows.sample(min(len(rows), _MOST_ROWS), random_state=_SEED)
    now, then = (each.answer_rows(few, reasons=True) for each in (scorer, before))
    both = (
        (now[CLASS_COLUMN] == then[CLASS_COLUMN])
        & now["reasons"].map(bool)
        & then["reasons"].map(bool)
    )
    pairs = list(zip(now.loc[both, "reasons"], then.loc[both, "reasons"], strict=True))
    if not pairs:
        return ReasonStability(base_dt=base_dt_before, rows=0)
    shares = np.array([shared_share(*pair) for pair in pairs])
    # Per customer the sum of the shares and the number of rows: their quotient is the mean share.
    sums = (
        pd.DataFrame({"shared": shares, "rows": 1.0})
        .groupby(few.loc[both, schema.CUSTOMER].to_numpy())
        .sum()
        .to_numpy()
    )
    drawn = confusion.resampled(sums, _DRAWS, _SEED)
    return ReasonStability(
        base_dt=base_dt_before,
        rows=len(pairs),
        shared=confusion.estimate(shares.mean(), drawn[:, 0] / drawn[:, 1], _CONFIDENCE),
        same_first=float(np.mean([one[0].feature == other[0].feature for one, other in pairs])),
    )


def shared_share(reasons: "tuple[Reason, ...]", others: "tuple[Reason, ...]") -> float:
    """Share of two answers' features that both name, of the longer list; neither is empty."""
    features = [{each.feature for each in of} for of in (reasons, others)]
    return len(features[0] & features[1]) / max(map(len, features))


def predictions_sha256(rows: pd.DataFrame, scored: "Scored") -> str:
    """A hash of predictions, which two trainings on the same rows share.

    Args:
        rows: Raw rows, with their keys.
        scored: What a model says of them.

    Returns:
        64 hexadecimal digits: the SHA-256 of one line per row, in the order of the keys, with the
        key, the class, and the probabilities to nine decimals, which is what differs by no more
        than the last bits of a sum.
    """
    keys = rows[[schema.ID, schema.CUSTOMER]].astype(str).to_numpy()
    # To add 0 makes 0.0 of -0.0.
    rounded = np.round(scored.probabilities, _DECIMALS) + 0.0
    lines = sorted(
        "\t".join([*key, str(name), *(f"{value:.{_DECIMALS}f}" for value in values)])
        for key, name, values in zip(keys, scored.classes, rounded, strict=True)
    )
    return sha256("\n".join(lines).encode()).hexdigest()
