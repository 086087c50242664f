"""Whether the champion is worse than the model whose place it took, by labelled answers."""

from dataclasses import dataclass

import pandas as pd

from credit_ct_dagster.contracts.decision import Comparison, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import Verdict
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.modeling.judging.evidence import compare
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.watching.columns import PREDICTED
from credit_ct_dagster.modeling.watching.looks import for_all_looks
from credit_ct_dagster.modeling.watching.paired import IN_SHADOW, counted
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules

NO_LABEL = "no label of any answer is known yet"


@dataclass(frozen=True)
class Findings:
    """What the evidence says about the champion, with the model before in the other's place.

    Attributes:
        comparison: Of both; None without labels.
        verdict: What follows.
        sentence: The same for a person.
    """

    comparison: Comparison | None
    verdict: Verdict
    sentence: str


def evaluate(
    rows: pd.DataFrame,
    promoted_as: Ground,
    previous: ModelIdentity,
    utility: Utility,
    rules: ProbationRules,
) -> Findings:
    """Compare the champion with the model whose place it took.

    By the gate's paired bootstrap of customers, with an interval that holds for the looks of all
    days together. A champion that was promoted because the model before was old, and not because it
    was better, may be worse by the margin that the gate allowed it.

    Args:
        rows: As `pooled` gives them.
        promoted_as: Why the champion was promoted.
        previous: The model before.
        utility: What the bank wants of a class.
        rules: The rules.
    """
    if rows.empty:
        return Findings(None, Verdict.undecided, NO_LABEL)
    of_one_look = rules.model_copy(update={"confidence": rules.probation_confidence})
    comparison = for_all_looks(
        compare(
            rows,
            rows[PREDICTED].to_numpy(dtype=str),
            rows[f"{PREDICTED}{IN_SHADOW}"].to_numpy(dtype=str),
            utility,
            of_one_look,
        ),
        rules.probation_confidence,
    )
    few = too_few(comparison, rules)
    if few:
        return Findings(comparison, Verdict.undecided, few)
    seen = (
        f"{comparison.figures}"
        f" of the model of {previous.base_dt} before it, difference"
        f" {comparison.difference.signed} ({100 * rules.probation_confidence:g}% interval for all"
        f" evaluations together), on {counted(rows)}"
    )
    allowed = rules.non_inferiority_margin if promoted_as == Ground.aged else 0.0
    if comparison.difference.high < -allowed:
        return Findings(comparison, Verdict.worse, seen)
    if comparison.difference.low > -rules.non_inferiority_margin:
        return Findings(comparison, Verdict.confirmed, seen)
    return Findings(comparison, Verdict.undecided, seen)


def too_few(comparison: Comparison, rules: GateRules) -> str:
    """Why a comparison of labelled answers says nothing yet; empty if it does."""
    for what, found, least, option in (
        ("labels are known", comparison.rows, rules.min_rows, "min_rows"),
        ("customers have a label", comparison.customers, rules.min_customers, "min_customers"),
        (
            "labelled answers differ between the two models",
            comparison.differing or 0,
            rules.min_differing_rows,
            "min_differing_rows",
        ),
    ):
        if found < least:
            return f"only {found:,} {what} ({option}: {least:,})"
    return ""
