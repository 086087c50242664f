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
from credit_ct_dagster.rounding import told_apart


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
                reached = told_apart(".3f", floor.value, floor.least)
                yield (
                    f"{floor.what} is {reached} on {floor.rows:,} rows, below the floor of"
                    f" {floor.least:g}"
                )
    if champion and base_dt < champion.base_dt:
        yield f"its base date, {base_dt}, is older than the champion's, {champion.base_dt}"
    comparison = evidence.decision.comparison if evidence else None
    if evidence and comparison and comparison.difference.high < 0:
        yield _worse(comparison, evidence.before)
    rollback = rollback_of(records, mlflow_run_id)
    if rollback:
        yield rolled_back_by(rollback)
    own = [each for each in records if each.model.mlflow_run_id == mlflow_run_id]
    answers = [each for each in own if each.by_person]
    if answers and answers[-1].decision.ground == Ground.rejected:
        rejection = answers[-1]
        yield f"{rejection.by} has rejected it (decision {rejection.number}): {rejection.reason}"


def rollback_of(records: Sequence[DecisionRecord], mlflow_run_id: str) -> DecisionRecord | None:
    """The rollback by which a model went out of service; None if it did not, or not by one.

    Args:
        records: Every decision, oldest first.
        mlflow_run_id: The run of the model.
    """
    took_its_place = [
        each
        for each in records
        if each.decision.promoted and each.before and each.before.mlflow_run_id == mlflow_run_id
        if each.model.mlflow_run_id != mlflow_run_id
    ]
    return took_its_place[-1] if took_its_place and took_its_place[-1].is_rollback else None


def rolled_back_by(rollback: DecisionRecord) -> str:
    """Who took a model out of service, and why, in a few words."""
    why = rollback.reason or rollback.decision.sentence.removeprefix("Rolled back: ").rstrip(".")
    return f"{rollback.by} has rolled it back (decision {rollback.number}): {why}"


def _worse(comparison: Comparison, champion: ModelIdentity | None) -> str:
    return (
        f"it is worse than the champion of {champion.base_dt if champion else 'then'}, beyond doubt"
        f" ({comparison.figures}; difference {comparison.difference.signed}, on"
        f" {comparison.rows:,} rows)"
    )
