"""Whether a challenger is better than the champion, by what it scored in the shadow."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evidence import Evidence, examine
from credit_ct_dagster.modeling.judging.gate import decide
from credit_ct_dagster.modeling.judging.gate_rules import PastVerdict
from credit_ct_dagster.modeling.watching.columns import DAY, PREDICTED, PROBABILITIES
from credit_ct_dagster.modeling.watching.looks import for_all_looks
from credit_ct_dagster.modeling.watching.paired import IN_SHADOW, counted
from credit_ct_dagster.modeling.watching.probation import NO_LABEL, too_few
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules

if TYPE_CHECKING:  # CatBoost takes a second to import
    from credit_ct_dagster.scorer.scorer import Scored


class HoldoutAnswers(NamedTuple):
    """What a challenger and the champion answer to holdout rows.

    Attributes:
        rows: Labelled rows, raw, of customers that neither model saw.
        answers: Of the challenger, then of the champion.
        base_dates: That the rows are of, the newest first.
    """

    rows: pd.DataFrame
    answers: "Sequence[Scored]"
    base_dates: Sequence[str]


def judge_challenger(
    rows: pd.DataFrame,
    holdouts: HoldoutAnswers | None,
    day: str,
    champion: ModelIdentity,
    history: Sequence[PastVerdict],
    utility: Utility,
    rules: ProbationRules,
    came_back_on: str | None = None,
) -> Decision:
    """What the gate's rules say of a challenger, by its answers in the shadow and by holdouts.

    Both kinds of rows are pooled where holdouts are given: they have no label in common, since
    those of answers are dated after both models' base dates. The answers are the newest window: if
    the holdouts contradict them, only they decide. The rule on old champions does not apply: it is
    for fresh models.

    Args:
        rows: As `pooled` gives them, of the champion and the challenger.
        holdouts: Of challenger and champion; None where they do not exist any more.
        day: The newest prediction day: cool-down and agreement are those of now.
        champion: The model in service.
        history: What the gate found about challengers, in any order.
        utility: What the bank wants of a class.
        rules: Of the gate, and for the shadow.
        came_back_on: The day on which the champion came back by a rollback; None if it did not.

    Returns:
        The decision, with the interval for all looks; its sentence says which evidence decided.
    """
    if rows.empty:
        return _not_yet(NO_LABEL, Evidence(rows=0))
    of_shadow = _examined(rows, None, utility, rules)
    evidence = _examined(rows, holdouts, utility, rules) if holdouts else of_shadow
    assert of_shadow.comparison
    assert evidence.comparison
    few = too_few(evidence.comparison, rules)
    if few:
        return _not_yet(few, evidence)
    no_age = rules.model_copy(update={"max_champion_age_days": 10**6})
    decision = decide(day, champion, evidence, history, no_age, came_back_on)
    suffices = not too_few(of_shadow.comparison, rules)
    if evidence.windows and evidence.windows.contradict:
        decision, holdouts = decision.model_copy(update={"holdouts": ()}), None
    if holdouts and suffices and decision.ground in Ground.of_better():
        by_shadow = decide(day, champion, of_shadow, history, no_age, came_back_on)
        if by_shadow.ground == decision.ground:  # no holdout was needed
            decision, holdouts = by_shadow, None
    by = f"the shadow: {counted(rows)}"
    if decision.windows and decision.windows.contradict:
        by = f"the shadow, the newest window: {counted(rows)}"
    if holdouts:
        by = (
            f"shadow and holdouts, pooled: {counted(rows)}, and {len(holdouts.rows):,} rows of the"
            f" holdouts of {', '.join(holdouts.base_dates)}"
        )
    return decision.model_copy(
        update={
            "sentence": f"{decision.sentence} Evidence of {by}; the interval holds for all"
            " evaluations together.",
            "prediction_days": (rows[DAY].min(), rows[DAY].max()),
        }
    )


def _not_yet(why: str, evidence: Evidence) -> Decision:
    contradiction = evidence.windows.sentence if evidence.windows else ""
    return Decision(
        promoted=False,
        ground=Ground.insufficient_evidence,
        sentence=f"Not promoted: {why}. {contradiction}".rstrip(),
        comparison=evidence.comparison,
        windows=evidence.windows,
    )


def _examined(
    rows: pd.DataFrame,
    holdouts: HoldoutAnswers | None,
    utility: Utility,
    rules: ProbationRules,
) -> Evidence:
    """Floors and comparison on answers, and on holdouts if there are any."""
    from credit_ct_dagster.scorer.scorer import Scored

    kept = [schema.CUSTOMER, schema.TARGET, *schema.GROUPED]
    answers = [_scored(rows, IN_SHADOW), _scored(rows, "")]
    labelled = rows[kept]
    windows = np.zeros(len(rows), dtype=int)
    if holdouts:
        windows = np.concatenate([windows, np.ones(len(holdouts.rows), dtype=int)])
        labelled = pd.concat([labelled, holdouts.rows[kept]], ignore_index=True)
        answers = [
            Scored(
                np.concatenate([each.classes.astype(str), more.classes.astype(str)]),
                np.concatenate([each.probabilities, more.probabilities]),
                np.concatenate([each.scores, more.scores]),
            )
            for each, more in zip(answers, holdouts.answers, strict=True)
        ]
    base_dates = holdouts.base_dates if holdouts else ()
    found = examine(labelled, answers, utility, rules, base_dates, windows)
    if found.comparison is None:
        return found
    # Log-losses are compared in the newest window, and answers are of none.
    confidence = found.comparison.confidence or rules.confidence
    comparison = for_all_looks(found.comparison, confidence)
    return replace(found, comparison=comparison, probabilities=None)


def _scored(rows: pd.DataFrame, suffix: str) -> "Scored":
    """The answers of one of the two models; raw scores are not known, and nothing needs them."""
    from credit_ct_dagster.scorer.scorer import Scored

    names = [f"{name}{suffix}" for name in PROBABILITIES]
    probabilities = rows[names].to_numpy(dtype=np.float64)
    return Scored(rows[f"{PREDICTED}{suffix}"].to_numpy(dtype=str), probabilities, probabilities)
