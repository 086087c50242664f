"""Health records, and what they are made from, by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.health import (
    AnswerVolume,
    DayFigures,
    HealthRecord,
    HealthSentence,
    Latency,
    OpenDecision,
    ServedChampion,
    ServiceInstance,
    ServiceState,
    Severity,
    Topic,
)
from credit_ct_dagster.modeling.watching.health import Measured

DAY = "2025-03-04"
NOW = datetime(2025, 3, 5, 0, 31, tzinfo=UTC)
"""09:31 in Seoul, on the morning after."""
CHAMPION = ServedChampion(
    base_dt="2025-02-19",
    bentoml_tag="m:2",
    registered_version="2",
    since=datetime(2025, 2, 20, 1, tzinfo=UTC),
    by="gate",
)
_BATCH = {"Poor": 90, "Standard": 120, "Good": 90}
USUAL = {"Poor": 30, "Standard": 50, "Good": 20}


def service(**changes: Any) -> ServiceState:
    """A service that serves the champion in two processes."""
    since = NOW - timedelta(days=2)
    instance = ServiceInstance(tag="m:2", since=since)
    fields: dict[str, Any] = {
        "url": "http://serving:8000",
        "asked_at": NOW,
        "is_expected": True,
        "status": "ready",
        "is_known": True,
        "tag": "m:2",
        "since": since,
        "champion": "m:2",
        "instances": (instance, instance),
    }
    return ServiceState(**fields | changes)


def volume(
    classes: dict[str, int] | None = None, tag: str = "m:2", p95: float | None = 12.0
) -> AnswerVolume:
    """Answers of a package: over HTTP, or in the batch without a latency."""
    return AnswerVolume(
        source="request" if p95 else "batch",
        model_tag=tag,
        classes=classes or USUAL,
        latency=Latency(p50=5.0, p95=p95, p99=2 * p95) if p95 else None,
    )


def before(day: str, days: int) -> str:
    """So many days earlier."""
    return (datetime.fromisoformat(day) - timedelta(days=days)).date().isoformat()


def figures(number: int = 20, **of_today: Any) -> list[DayFigures]:
    """Days up to `DAY`, each with 100 answers over HTTP."""
    days = [
        DayFigures(day=before(DAY, number - 1 - each), volumes=(volume(),))
        for each in range(number)
    ]
    return [*days[:-1], days[-1].model_copy(update=of_today)]


def labelled_day() -> DayFigures:
    """`DAY`, when labels of its answers have arrived."""
    return DayFigures(
        day=DAY,
        answers=400,
        labelled=90,
        accuracy=Estimate(value=0.71, low=0.65, high=0.77),
        macro_f1=Estimate(value=0.69, low=0.62, high=0.75),
        estimated_accuracy=Estimate(value=0.74, low=0.7, high=0.78),
    )


def measured(**changes: Any) -> Measured:
    """A day on which nothing is wrong."""
    fields: dict[str, Any] = {
        "day": DAY,
        "champion": CHAMPION,
        "service": service(),
        "days": figures(),
    }
    return Measured(**fields | changes)


def sentence(
    severity: Severity, topic: Topic = Topic.serving, text: str = "It is so.", **more: Any
) -> HealthSentence:
    """A sentence."""
    return HealthSentence(topic=topic, severity=severity, text=text, **more)


def record(**changes: Any) -> HealthRecord:
    """A record of a day on which a person has to act, with figures of everything."""
    days = [
        each.model_copy(
            update={
                "volumes": (*each.volumes, volume(_BATCH, p95=0)),
                "answers": 400,
                "labelled": 20 * max(0, 15 - number),
                "accuracy": _estimate(0.71) if number < 12 else None,
                "macro_f1": _estimate(0.69) if number < 12 else None,
                "estimated_accuracy": _estimate(0.74),
                "disagreeing": {"credit_history_age": 0.98, "num_of_delayed_payment": 0.01}
                if each.day == DAY
                else None,
            }
        )
        for number, each in enumerate(figures())
    ]
    fields: dict[str, Any] = {
        "base_dt": DAY,
        "made_at": NOW,
        "dagster_run_id": "run-1",
        "model_name": "m",
        "champion": CHAMPION,
        "service": service(),
        "sentences": (
            sentence(
                Severity.critical,
                Topic.skew,
                f"On {DAY}, served features disagree: credit_history_age, another unit (/ 12).",
                code="CT-CHECK-SERVED-FEATURES-AGREE-WITH-THE-STORE",
                action="Look at who sends these features.",
            ),
            sentence(Severity.ok, Topic.serving, "m:2 serves over HTTP, in 2 processes."),
            sentence(Severity.ok, Topic.volume, "Answers: 100 over HTTP, 300 in the batch."),
        ),
        "open_decisions": (
            OpenDecision(
                what="m:2 is worse than m:1 beyond doubt, and serves on (policy alert).",
                waits_for="a person",
                command="credit-ct rollback --by NAME --reason TEXT",
            ),
        ),
        "changes": ("New: skew (critical, CT-CHECK-SERVED-FEATURES-AGREE-WITH-THE-STORE).",),
        "days": tuple(days),
    }
    return HealthRecord(**fields | changes)


def _estimate(value: float) -> Estimate:
    return Estimate(value=value, low=value - 0.04, high=value + 0.04)
