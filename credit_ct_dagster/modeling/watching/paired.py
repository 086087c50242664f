"""The champion's labelled answers beside those of a model that scored the same in the shadow."""

from collections.abc import Collection, Sequence

import pandas as pd

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.columns import (
    DAY,
    KEY,
    LABEL,
    LABEL_DATE,
    MODEL_TAG,
    PREDICTED,
    PROBABILITIES,
    SOURCE,
)
from credit_ct_dagster.modeling.watching.learned import is_evidence

IN_SHADOW = "_in_shadow"
"""Ends the names of the columns with the answers of the model in the shadow."""
SHADOW_COLUMNS = [SOURCE, KEY, schema.CUSTOMER, MODEL_TAG, "role", PREDICTED, *PROBABILITIES]

_ANSWER = [PREDICTED, *PROBABILITIES]

_PAIRED = [
    schema.CUSTOMER, schema.TARGET, LABEL_DATE, DAY, *schema.GROUPED, *_ANSWER,
    *(f"{name}{IN_SHADOW}" for name in _ANSWER),
]  # fmt: skip


def paired(
    answers: pd.DataFrame,
    shadow: pd.DataFrame,
    day: str,
    served_by: Collection[str],
    shadow_tags: Collection[str],
    after: str,
) -> pd.DataFrame:
    """The champion's labelled answers of a day, beside those of a model in the shadow.

    Only labels that neither of them may have learned from are evidence: see `is_evidence`.

    Args:
        answers: Every answer of the day, as `ServedAnswers.of_day` has them.
        shadow: What was scored in the shadow, `SHADOW_COLUMNS`.
        day: The prediction day.
        served_by: Tags of the champion's packages.
        shadow_tags: Tags of the other model's packages.
        after: The newest base date that one of the two learned from.

    Returns:
        A row per answer: customer, label and its date, day, what groups are made by, and both
        answers.
    """
    counts = (
        answers[LABEL].notna()
        & answers[schema.CUSTOMER].notna()
        & answers[MODEL_TAG].isin(list(served_by))
        & is_evidence(answers[LABEL_DATE], after)
    )
    scored = shadow.loc[shadow[MODEL_TAG].isin(list(shadow_tags)), [SOURCE, KEY, *_ANSWER]]
    found = answers[counts].merge(
        # The same rows twice, if the model was packaged again between two materializations.
        scored.drop_duplicates([SOURCE, KEY], keep="last"),
        on=[SOURCE, KEY],
        suffixes=("", IN_SHADOW),
    )
    return found.rename(columns={LABEL: schema.TARGET}).assign(**{DAY: day})[_PAIRED]


def pooled(days: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of several days, the oldest first, in which each label counts once.

    A customer who is answered every day has one label a month: the first answer counts, so that
    evidence only grows.

    Args:
        days: As `paired` gives them.
    """
    if not days:
        return pd.DataFrame(columns=_PAIRED)
    rows = pd.concat([each for each in days if len(each)] or days[:1], ignore_index=True)
    return rows.drop_duplicates([schema.CUSTOMER, LABEL_DATE], ignore_index=True)


def counted(rows: pd.DataFrame) -> str:
    """How many answers of how many customers and which days, for a person."""
    customers = rows[schema.CUSTOMER].nunique()
    return (
        f"{len(rows):,} labelled answers of {customers:,} customers, of {rows[DAY].min()} to"
        f" {rows[DAY].max()}"
    )
