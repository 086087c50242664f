"""When what was served is wrong beyond doubt: rules over the records of the last days."""

from credit_ct_dagster.contracts.triggers import Trigger, TriggerKind, Watch
from credit_ct_dagster.modeling.watching.finding import Finding, trigger
from credit_ct_dagster.modeling.watching.triggers_by_labels import below_estimate, below_floor
from credit_ct_dagster.modeling.watching.triggers_by_rows import drift, skew, volume
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules


def watch(watched: Watched, rules: WatchRules) -> Watch:
    """Apply every rule; the most urgent finding first."""
    findings = {
        TriggerKind.skew: skew(watched),
        TriggerKind.volume: volume(watched, rules),
        TriggerKind.below_floor: below_floor(watched, rules),
        TriggerKind.probation: _probation(watched),
        TriggerKind.below_estimate: below_estimate(watched, rules),
        TriggerKind.drift: drift(watched, rules),
    }
    return Watch(
        triggers=tuple(each for each in findings.values() if isinstance(each, Trigger)),
        unknown={kind: each for kind, each in findings.items() if isinstance(each, str)},
        retrain=rules.retrain,
        cool_down_days=rules.cool_down_days,
    )


def _probation(watched: Watched) -> Finding:
    """What the evaluation of this day found of the champion; it excludes chance itself."""
    record = watched.probation
    if record is None or record.base_dt != watched.day:
        return f"The probation was not evaluated on {watched.day}."
    if not record.is_worse or record.champion is None:
        return None
    champion = record.champion.bentoml_tag
    looks = [each.day for each in record.looks][-record.in_a_row :]
    return trigger(
        TriggerKind.probation,
        champion,
        looks or [watched.day],
        record.sentence,  # with the command that ends it, unless it is decided
        "Ask why the gate promoted it: its decision and its model card have the evidence of then.",
    )
