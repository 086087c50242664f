"""Scoring of many customers: rows of the feature table in, rows of the table of scores out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from credit_ct_dagster.contracts.scorer import CLASS_COLUMN
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.row_rules import RowRules

# pandas and pandera take seconds to import; definitions reach this module.
if TYPE_CHECKING:
    import pandas as pd


class BatchScorer(Protocol):
    """What scores; a `scorer.Scorer`."""

    @property
    def columns(self) -> list[str]:
        """The features that it takes."""
        ...

    def answer_rows(self, rows: "pd.DataFrame", reasons: bool = False) -> "pd.DataFrame":
        """Answers for raw rows: class, probabilities and, if asked for, reasons."""
        ...


@dataclass(frozen=True)
class ScoredChunk:
    """Feature rows, scored.

    Attributes:
        answers: Of the rows that break no rule: `schema.KEY`, `schema.TARGET`, `is_most_probable`,
            a probability per class, `reasons` and `compliance_flags` (JSON texts; None unless
            asked for).
        quarantined: The other rows, with their reasons.
        per_rule: How many rows break each rule; a row may break several.
    """

    answers: "pd.DataFrame"
    quarantined: "pd.DataFrame"
    per_rule: Mapping[str, int]


def score_chunk(
    rows: "pd.DataFrame", scorer: BatchScorer, rules: RowRules, *, reasons: bool
) -> ScoredChunk:
    """Score the rows that break no rule.

    Args:
        rows: Columns `schema.KEY` and `schema.FEATURES`, raw.
        scorer: Scores raw rows.
        rules: What a row must satisfy.
        reasons: Whether to give reasons, which takes most of the time.

    Raises:
        RowTypesError: A column is missing, or holds another type of value than its kind.
    """
    import pandas as pd

    from credit_ct_dagster.modeling.rows.quarantine import check_features
    from credit_ct_dagster.scorer.reasons import protected_features

    checked = check_features(rows, rules, scorer.columns)
    accepted = checked.accepted
    found = scorer.answer_rows(accepted, reasons=reasons)
    probabilities = list(schema.PROBABILITIES.values())
    highest = found[probabilities].to_numpy()
    numbers = found[CLASS_COLUMN].map(schema.CLASSES.index).to_numpy(dtype=int)
    answers = pd.DataFrame(
        {
            **{name: accepted[name] for name in schema.KEY},
            schema.TARGET: found[CLASS_COLUMN],
            # Of equally probable classes the first counts, as in an answer to one customer.
            "is_most_probable": highest.argmax(axis=1) == numbers,
            **{name: found[name] for name in probabilities},
            "reasons": None,
            "compliance_flags": None,
        }
    )
    if reasons:
        answers["reasons"] = [_json([each.as_dict() for each in of]) for of in found["reasons"]]
        answers["compliance_flags"] = [_json(protected_features(of)) for of in found["reasons"]]
    return ScoredChunk(answers, checked.quarantined, checked.per_rule)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
