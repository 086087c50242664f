"""Whether anything is wrong with the champion, by what was found of a prediction day."""

from collections.abc import Iterator

import dagster as dg

from credit_ct_dagster.assets.champion_health import champion_health
from credit_ct_dagster.checks.results import base_date_of, needs_base_date, result
from credit_ct_dagster.contracts.files import MONITORING_FOLDER
from credit_ct_dagster.contracts.health import HealthRecord, HealthSentence, Severity, Topic
from credit_ct_dagster.contracts.triggers import TriggerKind, Watch
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching.finding import CODES
from credit_ct_dagster.runs.failures import failing_clearly

_SERVED = "champion_is_served"
_USUAL = "answers_are_as_usual"
_RULES = {
    "volume_is_as_usual": (
        TriggerKind.volume,
        "Of no source there were far fewer answers than on the days of the same weekday before, by"
        " more than chance. A failure only warns.",
    ),
    "performance_is_above_floors": (
        TriggerKind.below_floor,
        "The champion was not below a floor of the bank beyond doubt on several of the last days"
        " whose labels have arrived. A failure only warns.",
    ),
    "performance_is_as_estimated": (
        TriggerKind.below_estimate,
        "The champion was not right less often than its probabilities promise on several of the"
        " last days whose labels have arrived. A failure only warns.",
    ),
    "served_rows_have_not_drifted": (
        TriggerKind.drift,
        "No feature of the rows that were served has drifted from the training rows on several of"
        " the last days. A failure only warns.",
    ),
}
"""Those of triggers, the most urgent first; skew and probation have checks of their own assets."""
_OTHERS = {
    _SERVED: "The HTTP service answers with the champion, if it is expected to run. A failure only"
    " warns.",
    _USUAL: "Answers are as fast, and of the same classes, as on the days before, and everything"
    " that was to be measured was. A failure only warns.",
}


@dg.multi_asset_check(
    name="champion_health_checks",
    specs=[
        dg.AssetCheckSpec(name, asset=champion_health, description=description)
        for name, description in [
            (_SERVED, _OTHERS[_SERVED]),
            *((name, description) for name, (_, description) in _RULES.items()),
            (_USUAL, _OTHERS[_USUAL]),
        ]
    ],
    can_subset=True,
)
@needs_base_date
def champion_health_checks(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> Iterator[dg.AssetCheckResult]:
    """Read the health record: what it says is what alerts repeat."""
    with failing_clearly(context):
        health = artifacts.open(MONITORING_FOLDER, base_date_of(context)).read(HealthRecord)
    urgent = [
        each
        for each in health.sentences
        if each.severity.rank <= Severity.warning.rank and each.code not in CODES.values()
    ]
    serving = [each for each in urgent if each.topic == Topic.serving]
    others = [each for each in urgent if each not in serving]
    results = [
        _of_sentences(context, _SERVED, serving),
        *(_of_rule(context, name, kind, health.watch) for name, (kind, _) in _RULES.items()),
        _of_sentences(context, _USUAL, others),
    ]
    selected = {key.name for key in context.selected_asset_check_keys}
    yield from (each for each in results if each.check_name in selected)


def _of_rule(
    context: dg.AssetCheckExecutionContext, name: str, kind: TriggerKind, watch: Watch
) -> dg.AssetCheckResult:
    trigger = watch.of(kind)
    sentence = (
        f"{trigger.sentence} {trigger.action}"
        if trigger
        else watch.unknown.get(kind, "nothing was found.")
    )
    return result(
        context,
        passed=trigger is None,
        observed=len(trigger.days) if trigger else 0,
        limit=trigger.needed - 1 if trigger else 0,
        sentence=sentence,
        severity=dg.AssetCheckSeverity.WARN,
        name=name,
    )


def _of_sentences(
    context: dg.AssetCheckExecutionContext, name: str, found: list[HealthSentence]
) -> dg.AssetCheckResult:
    sentence = " ".join(" ".join(filter(None, [each.text, each.action])) for each in found)
    return result(
        context,
        passed=not found,
        observed=len(found),
        limit=0,
        sentence=sentence or "nothing was found.",
        severity=dg.AssetCheckSeverity.WARN,
        name=name,
    )
