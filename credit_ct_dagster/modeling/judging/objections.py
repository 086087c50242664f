"""What speaks against a model that a person wants to promote, by the decisions on record."""

from collections.abc import Iterator, Sequence

from credit_ct_dagster.contracts.decision import (
    GATE,
    Comparison,
    DecisionRecord,
    FloorVerdict,
    Ground,
)
from credit_ct_dagster.contracts.identity import ModelIdentity


def evidence_on(records: Sequence[DecisionRecord], mlflow_run_id: str) -> DecisionRecord | None:
    """The newest decision of the gate on a model with evidence; None if it was not judged.

    Args:
        records: Every decision, oldest first.
        mlflow_run_id: The run of the model.
    """
    by_gate = [
        each
        for each in records
        if each.model.mlflow_run_id == mlflow_run_id and each.by == GATE
        if each.decision.floors or each.decision.comparison
    ]
    return by_gate[-1] if by_gate else None


def objections_to(
    base_dt: str,
    mlflow_run_id: str,
    champion: ModelIdentity | None,
    records: Sequence[DecisionRecord],
) -> tuple[str, ...]:
    """What a person should know before this model serves, each in a few words.

    What may be chance is none: where the evidence is not enough, a person decides.

    Args:
        base_dt: The base date of the model.
        mlflow_run_id: Its run.
        champion: The model in service; None without one.
        records: Every decision, oldest first.
    """
    return tuple(_objections(base_dt, mlflow_run_id, champion, records))


def _objections(
    base_dt: str,
    mlflow_run_id: str,
    champion: ModelIdentity | None,
    records: Sequence[DecisionRecord],
) -> Iterator[str]:
    evidence = evidence_on(records, mlflow_run_id)
    if evidence is None:
        yield f"the gate has not judged it (materialize champion_model for {base_dt})"
    else:
        for floor in evidence.decision.floors:
            if floor.verdict in (FloorVerdict.below, FloorVerdict.missed):
                yield (
                    f"{floor.what} is {floor.value:.3f} on {floor.rows:,} rows, below the floor of"
                    f" {floor.least:g}"
                )
    if champion and base_dt < champion.base_dt:
        yield f"its base date, {base_dt}, is older than the champion's, {champion.base_dt}"
    comparison = evidence.decision.comparison if evidence else None
    if evidence and comparison and comparison.difference.high < 0:
        yield _worse(comparison, evidence.before)
    own = [each for each in records if each.model.mlflow_run_id == mlflow_run_id]
    answers = [each for each in own if each.by_person]
    if answers and answers[-1].decision.ground == Ground.rejected:
        rejection = answers[-1]
        yield f"{rejection.by} has rejected it (decision {rejection.number}): {rejection.reason}"


def _worse(comparison: Comparison, champion: ModelIdentity | None) -> str:
    found = comparison.difference
    return (
        f"it is worse than the champion of {champion.base_dt if champion else 'then'}, beyond doubt"
        f" ({comparison.metric.value} {comparison.challenger:.4f} against"
        f" {comparison.champion:.4f}; difference {found.value:+.4f}, {found.low:+.4f} to"
        f" {found.high:+.4f}, on {comparison.rows:,} rows)"
    )
