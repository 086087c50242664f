"""Records of prediction days, as small as a rule that reads them needs."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from credit_ct_dagster.contracts.decision import Estimate, Floor, FloorVerdict
from credit_ct_dagster.contracts.drift import ColumnDrift
from credit_ct_dagster.contracts.drift import Verdict as DriftVerdict
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import Look, ProbationPolicy, ProbationRecord, Verdict
from credit_ct_dagster.contracts.served_performance import (
    EstimatedPerformance,
    HowFarOff,
    Metrics,
    ServedPerformance,
    TagEstimate,
    TagPerformance,
)
from credit_ct_dagster.contracts.serving_skew import (
    Agreement,
    FeatureSkew,
    ServedDrift,
    ServingSkew,
)
from credit_ct_dagster.contracts.triggers import Trigger, TriggerKind
from credit_ct_dagster.modeling.watching.triggers import watch
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules

CHAMPION, OTHER = "m:champion", "m:other"
DAY = "2025-05-14"
"""A Wednesday."""
_NOW = datetime(2025, 6, 1, tzinfo=UTC)
_RULES = WatchRules()
_ABOUT = Estimate(value=0.7, low=0.6, high=0.8)


def before(days: int, day: str = DAY) -> str:
    """So many days before a day."""
    return (date.fromisoformat(day) - timedelta(days=days)).isoformat()


def performance(
    day: str, *below: str, tag: str = CHAMPION, enough_labels: bool = True
) -> ServedPerformance:
    """A day on which a model was below some floors beyond doubt, and met another one."""
    floors = [
        Floor(what=what, value=0.21, least=0.4, rows=90, verdict=FloorVerdict.below)
        for what in below
    ]
    met = Floor(what="recall of Good", value=0.7, least=0.4, rows=90, verdict=FloorVerdict.met)
    metrics = Metrics(
        accuracy=_ABOUT, macro_f1=_ABOUT, recall={}, log_loss=_ABOUT, ece=_ABOUT, ece_by_chance=0.1
    )
    model = TagPerformance(
        model_tag=tag,
        answers=100,
        customers=100,
        labelled=90 if enough_labels else 3,
        labelled_customers=90 if enough_labels else 3,
        coverage=Estimate(value=0.9, low=0.8, high=1),
        sources={"batch": 100},
        predicted={"Poor": 100},
        confusion=[[0] * 3] * 3,
        metrics=metrics if enough_labels else None,
        floors=[*floors, met] if enough_labels else [],
    )
    return ServedPerformance(
        base_dt=day,
        known_at=_NOW,
        label_days=31,
        labels_until=day,
        answers=100,
        labelled=model.labelled,
        models=[model],
    )


def estimated(
    day: str, low: float, tag: str = CHAMPION, half_width: float = 0.05
) -> EstimatedPerformance:
    """A day on which the accuracy was lower than estimated, at least by `low` beyond doubt."""
    difference = Estimate(value=low + half_width, low=low, high=low + 2 * half_width)
    off = HowFarOff(
        answers=90,
        customers=90,
        estimated_accuracy=0.75,
        real_accuracy=0.65,
        accuracy=difference,
        estimated_macro_f1=0.7,
        real_macro_f1=0.6,
        macro_f1=difference,
    )
    return EstimatedPerformance(
        base_dt=day,
        known_at=_NOW,
        answers=100,
        without_label=10,
        models=[TagEstimate(model_tag=tag, how_far_off=off)],
    )


def skew(
    day: str,
    *drifted: str,
    disagrees: str | None = None,
    compared: int = 100,
    source: str = "request",
    trained_on: str = "2025-03-31",
) -> ServingSkew:
    """A day on which some features of a source have drifted, and one may disagree."""
    columns = [
        ColumnDrift(
            column=name,
            psi=0.4 if name in drifted else 0.01,
            p_value=1e-9 if name in drifted else 0.5,
            verdict=DriftVerdict.much if name in drifted else DriftVerdict.stable,
        )
        for name in {*drifted, "age"}
    ]
    share = 0.4 if disagrees else 0.0
    feature = FeatureSkew(
        feature=disagrees or "age",
        rows=compared,
        disagreeing=round(share * compared),
        share=Estimate(value=share, low=share / 2, high=share * 1.5),
        customers=round(share * compared),
        p_value=1e-9 if disagrees else 1.0,
        verdict=Agreement.disagrees if disagrees else Agreement.agrees,
    )
    return ServingSkew(
        base_dt=day,
        limit=0.01,
        confidence=0.999,
        requests=compared,
        compared=compared,
        customers=compared,
        features=[feature] if compared else [],
        drift={source: ServedDrift(rows=100, columns=columns, significance=0.001)},
        trained_on=trained_on,
    )


def probation(
    day: str, verdict: Verdict, in_a_row: int = 3, decision: int | None = None
) -> ProbationRecord:
    """The evaluation of a champion of whom several evaluations in a row said the same."""
    looks = [Look(day=before(n, day), rows=100, verdict=verdict) for n in range(in_a_row)]
    return ProbationRecord(
        base_dt=day,
        evaluated_at=_NOW,
        policy=ProbationPolicy.alert,
        may_decide=True,
        champion=ModelIdentity(
            base_dt="2025-03-31",
            mlflow_run_id="r",
            dagster_run_id="d",
            data_fingerprint="f",
            bentoml_tag=CHAMPION,
        ),
        verdict=verdict,
        looks=tuple(reversed(looks)),
        in_a_row=in_a_row,
        needed_in_a_row=3,
        decision=decision,
        sentence="The accuracy is 0.1 lower on 300 answers.",
    )


def trigger_of(watched: Watched, kind: TriggerKind, rules: WatchRules = _RULES) -> Trigger | None:
    """The trigger of a kind that the rules find on a day, if any."""
    return watch(watched, rules).of(kind)


def by_labels(below: Sequence[bool], first: int = 30) -> Watched:
    """Days in a row, oldest first, the newest so many days ago; below a floor on some."""
    days = [before(first + n) for n in reversed(range(len(below)))]
    return Watched(
        day=DAY,
        champion=CHAMPION,
        performance={
            day: performance(day, *(["recall of Poor"] if each else []))
            for day, each in zip(days, below, strict=True)
        },
    )


def drifting(*columns: Sequence[str], trained_on: str = "2025-03-31") -> Watched:
    """Per day, oldest first, the newest today: the features that have drifted."""
    days = [before(n) for n in reversed(range(len(columns)))]
    return Watched(
        DAY,
        CHAMPION,
        skew={
            day: skew(day, *each, trained_on=trained_on)
            for day, each in zip(days, columns, strict=True)
        },
    )
