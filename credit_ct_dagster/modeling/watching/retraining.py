"""Whether a trigger starts a training: not twice on the same evidence, and not too soon."""

from collections.abc import Sequence
from datetime import date

from credit_ct_dagster.contracts.triggers import Retrain, Retraining, Trigger, TriggerKind, Watch

_BY_LABELS = (TriggerKind.below_floor, TriggerKind.below_estimate)
"""Two sides of the same labels: what one has started, the other does not start again."""


def retraining_for(watch: Watch, day: str, past: Sequence[Retraining]) -> Trigger | str:
    """The trigger that starts a training.

    A training takes the champion's place only if the gate finds its model better. If it does not,
    the champion stays as bad as it is, and so do the days that said so: without this rule, every
    day of the same weeks would start a training on the same rows.

    Args:
        watch: What the rules found on the newest prediction day.
        day: That day, `YYYY-MM-DD`.
        past: The trainings that triggers started before, in any order.

    Returns:
        A sentence instead of a trigger: why no training starts.
    """
    if watch.retrain == Retrain.off:
        return "Triggers start no training (retrain: off, of champion_health)"
    calling = [each for each in watch.triggers if each.kind.calls_for_training]
    if not calling:
        return f"Nothing that was found on {day} calls for a training"
    if watch.of(TriggerKind.skew):
        return (
            f"Features were served on {day} otherwise than the feature store has them: correct that"
            " first, since no training on the rows of the store does"
        )
    for each in past:
        passed = (date.fromisoformat(day) - date.fromisoformat(each.day)).days
        if passed < watch.cool_down_days:
            return (
                f"The last training of a trigger was for {each.day}: the next one is for"
                f" {watch.cool_down_days} days later at the earliest (cool_down_days)"
            )
    refusals = []
    for trigger in calling:
        refusal = _refused(trigger, past)
        if refusal is None:
            return trigger
        refusals.append(refusal)
    return "; ".join(refusals)


def _refused(trigger: Trigger, past: Sequence[Retraining]) -> str | None:
    """Why the evidence is not new; None if it is."""
    used = [
        each
        for each in past
        if each.champion == trigger.champion and _same_source(each.kind, trigger.kind)
    ]
    if not used:
        return None
    until = max(each.until for each in used)
    newer = sum(day > until for day in trigger.days)
    if newer >= trigger.needed:
        return None
    evidence = (
        "The same evidence" if any(each.fingerprint == trigger.fingerprint for each in used)
        else "Evidence up to " + until
    )  # fmt: skip
    return (
        f"{evidence} has started a training already ({trigger.kind.value} of {trigger.champion}):"
        f" {newer} of the days that say so are newer, {trigger.needed} are needed"
    )


def _same_source(kind: TriggerKind, other: TriggerKind) -> bool:
    return kind == other or (kind in _BY_LABELS and other in _BY_LABELS)
