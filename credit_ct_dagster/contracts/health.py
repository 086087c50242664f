"""How the champion does on a prediction day: sentences for a person, and their figures."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.files import HEALTH_FILE
from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.contracts.triggers import Watch


class Severity(StrEnum):
    """How urgent a sentence is, the most urgent first."""

    critical = "critical"
    """Customers get no answer, or a wrong one: somebody has to act now."""
    warning = "warning"
    """Somebody has to look at it today."""
    notice = "notice"
    """Worth knowing; nobody has to act."""
    ok = "ok"
    """It was measured, and is as it should be."""

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return list(Severity).index(self)


class Topic(StrEnum):
    """What a sentence is about, in the order in which a person asks."""

    serving = "serving"
    decisions = "decisions"
    volume = "volume"
    latency = "latency"
    classes = "classes"
    skew = "skew"
    drift = "drift"
    estimated = "estimated performance"
    performance = "real performance"
    probation = "probation"

    @property
    def rank(self) -> int:
        """0 for what is asked first."""
        return list(Topic).index(self)


class HealthSentence(Part):
    """A sentence about the champion.

    Attributes:
        topic: What it is about.
        severity: How urgent it is.
        text: What happened, on which day.
        code: Names the kind of problem, for the runbook; None where nothing is wrong.
        action: What to do, as a sentence; None where nobody has to do anything.
    """

    topic: Topic
    severity: Severity
    text: str
    code: str | None = None
    action: str | None = None


class OpenDecision(Part):
    """What has not been decided yet.

    Attributes:
        what: What is open, in a sentence.
        waits_for: What ends it: `a person`, or evidence, in a few words.
        command: What a person runs to decide; None where nobody has to.
    """

    what: str
    waits_for: str
    command: str | None = None


class ServedChampion(Part):
    """The model that should serve.

    Attributes:
        base_dt: The base date that it was trained on.
        bentoml_tag: Its package.
        registered_version: Its version in MLflow.
        since: When it became the champion; None if no decision on record made it so.
        by: Who decided: `gate`, `probation`, or a person; None likewise.
    """

    base_dt: str
    bentoml_tag: str
    registered_version: str
    since: AwareDatetime | None = None
    by: str | None = None


class ServiceInstance(Part):
    """A process that answers over HTTP.

    Attributes:
        tag: The package that it answers with; None without one.
        since: When it began to; None if it does not say so.
        problem: Why it does not serve the champion; None if it does.
    """

    tag: str | None
    since: AwareDatetime | None = None
    problem: str | None = None


class ServiceState(Part):
    """What the HTTP service said when it was asked.

    Attributes:
        url: Where it was asked.
        asked_at: When.
        is_expected: Whether somebody configured its address; otherwise it need not run.
        status: `ready`, `degraded`, `not ready`, `not running`, `silent`, or `not asked`: the day
            was long over when the record was made.
        is_known: Whether it told its model: it tells it to callers with a key only.
        tag: The package that it answers with; None without one.
        since: When it began to.
        champion: The package that it takes for the champion's.
        instances: Its processes.
        problems: What it says is wrong, each as a sentence.
    """

    url: str
    asked_at: AwareDatetime
    is_expected: bool
    status: str
    is_known: bool = False
    tag: str | None = None
    since: AwareDatetime | None = None
    champion: str | None = None
    instances: tuple[ServiceInstance, ...] = ()
    problems: tuple[str, ...] = ()


class Latency(Part):
    """How long answers over HTTP took, in milliseconds."""

    p50: float
    p95: float
    p99: float


class AnswerVolume(Part):
    """Answers of one source and package on a prediction day.

    Attributes:
        source: `request` over HTTP, or `batch`.
        model_tag: The package that answered.
        classes: Answers per class.
        latency: Of requests; None for a batch.
    """

    source: str
    model_tag: str
    classes: Mapping[str, int]
    latency: Latency | None = None

    @property
    def rows(self) -> int:
        """All answers."""
        return sum(self.classes.values())


class DayFigures(Part):
    """What is known of a prediction day, now: labels still arrive for it.

    Attributes:
        day: The prediction day.
        volumes: Per source and package.
        answers: Answers that could have a label; None where performance was not measured.
        labelled: Answers that have one.
        accuracy: Of labelled answers; None without any.
        macro_f1: Of labelled answers; None without any.
        estimated_accuracy: Of all answers, from their probabilities; None where not estimated.
        disagreeing: Per feature, the share of values that differ between what was served and the
            feature store; None where not compared.
    """

    day: str
    volumes: tuple[AnswerVolume, ...] = ()
    answers: int | None = None
    labelled: int | None = None
    accuracy: Estimate | None = None
    macro_f1: Estimate | None = None
    estimated_accuracy: Estimate | None = None
    disagreeing: Mapping[str, float] | None = None

    def rows(self, source: str | None = None) -> int:
        """Answers of a source; of all without one."""
        return sum(each.rows for each in self.volumes if source in (None, each.source))

    @property
    def coverage(self) -> float | None:
        """Share of answers that have a label; None where that is not known."""
        if not self.answers or self.labelled is None:
            return None
        return self.labelled / self.answers


class HealthRecord(Record):
    """How the champion did on a prediction day, as of a moment.

    Attributes:
        base_dt: The prediction day, in Asia/Seoul.
        made_at: When the sentences were made.
        dagster_run_id: The run that made them.
        model_name: The model.
        champion: The model that should serve; None if no model was promoted yet.
        service: What the HTTP service said.
        sentences: The most urgent first.
        open_decisions: What has not been decided yet.
        changes: What is different from the record of the day before, each as a sentence.
        days: Figures of this day, the last, and of days before it.
        watch: What the rules for alerts and retraining found.
    """

    FILE: ClassVar[str] = HEALTH_FILE
    REMEDY: ClassVar[str] = "materialize champion_health for this prediction day"

    base_dt: str
    made_at: AwareDatetime
    dagster_run_id: str
    model_name: str
    champion: ServedChampion | None
    service: ServiceState
    sentences: tuple[HealthSentence, ...]
    open_decisions: tuple[OpenDecision, ...] = ()
    changes: tuple[str, ...] = ()
    days: tuple[DayFigures, ...] = ()
    watch: Watch = Watch()

    @property
    def worst(self) -> Severity:
        """The severity of the most urgent sentence."""
        found = [each.severity for each in self.sentences]
        return min(found, key=lambda each: each.rank, default=Severity.ok)

    @property
    def is_healthy(self) -> bool:
        """Whether nobody has to act or to look."""
        return self.worst.rank > Severity.warning.rank

    @property
    def today(self) -> DayFigures:
        """The figures of the prediction day."""
        found = [each for each in self.days if each.day == self.base_dt]
        return found[-1] if found else DayFigures(day=self.base_dt)
