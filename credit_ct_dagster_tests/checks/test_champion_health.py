"""A check per thing that can be wrong with the champion, from what was found of a day."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.checks.champion_health import champion_health_checks
from credit_ct_dagster.contracts.files import MONITORING_FOLDER
from credit_ct_dagster.contracts.health import (
    HealthRecord,
    HealthSentence,
    ServiceState,
    Severity,
    Topic,
)
from credit_ct_dagster.contracts.triggers import Trigger, TriggerKind, Watch
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching.finding import CODES
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.failures import check_code
from credit_ct_dagster_tests.checks.execution import results_of

_DAY = "2025-03-10"
_NAMES = {spec.name for spec in champion_health_checks.check_specs}


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactsIOManager:
    """Where the records of days are."""
    return ArtifactsIOManager(base_path=str(tmp_path), model_name="m")


def _check(
    instance: dg.DagsterInstance,
    artifacts: ArtifactsIOManager,
    *sentences: HealthSentence,
    watch: Watch | None = None,
) -> dict[str, dg.AssetCheckEvaluation]:
    """What the checks report of a day of which this was found."""
    record = HealthRecord(
        base_dt=_DAY,
        made_at=datetime.now(UTC),
        dagster_run_id="r",
        model_name="m",
        champion=None,
        service=ServiceState(
            url="http://x", asked_at=datetime.now(UTC), is_expected=False, status="silent"
        ),
        sentences=sentences,
        watch=watch or Watch(),
    )
    artifacts.write(MONITORING_FOLDER, _DAY, {record.FILE: record})
    result = dg.materialize(
        [dg.AssetSpec("champion_health"), champion_health_checks],
        tags={PARTITION_TAG: _DAY},
        instance=instance,
        selection=dg.AssetSelection.checks(champion_health_checks),
        resources={"artifacts": artifacts},
    )
    return results_of(result)


def _failed(results: dict[str, dg.AssetCheckEvaluation]) -> set[str]:
    return {name for name, each in results.items() if not each.passed}


def _sentence(topic: Topic, severity: Severity, code: str = "CT-X-1") -> HealthSentence:
    return HealthSentence(topic=topic, severity=severity, text="It is.", code=code, action="Do it.")


def test_nothing_is_wrong(instance: dg.DagsterInstance, artifacts: ArtifactsIOManager) -> None:
    """What could not be judged is said, and is no failure; nor is what nobody has to look at."""
    found = _check(
        instance,
        artifacts,
        _sentence(Topic.latency, Severity.notice),
        _sentence(Topic.serving, Severity.ok),
        watch=Watch(unknown={TriggerKind.volume: "Nobody knows."}),
    )
    assert set(found) == _NAMES
    assert _failed(found) == set()
    assert found["volume_is_as_usual"].description == f"Base date {_DAY}: Nobody knows."


@pytest.mark.parametrize(
    "kind", [kind for kind in TriggerKind if kind not in (TriggerKind.skew, TriggerKind.probation)]
)
def test_a_trigger_fails_its_own_check_only(
    instance: dg.DagsterInstance, artifacts: ArtifactsIOManager, kind: TriggerKind
) -> None:
    """With sentence, what to do, and its code, which only warns; the page repeats it."""
    trigger = Trigger(
        kind=kind, code=CODES[kind], sentence="It was.", action="Look.", champion="m:1",
        days=("2025-02-01", "2025-02-02", "2025-02-03"), needed=3, fingerprint="f",
    )  # fmt: skip
    repeated = _sentence(Topic.performance, Severity.critical, CODES[kind])
    found = _check(instance, artifacts, repeated, watch=Watch(triggers=(trigger,)))
    [name] = _failed(found)
    assert check_code(name) == CODES[kind]
    assert f"Base date {_DAY}: It was. Look. See {CODES[kind]}: " in str(found[name].description)
    assert found[name].severity == dg.AssetCheckSeverity.WARN
    assert (found[name].metadata["observed"].value, found[name].metadata["limit"].value) == (3, 2)


@pytest.mark.parametrize("kind", [TriggerKind.skew, TriggerKind.probation])
def test_what_another_asset_checks_is_not_reported_twice(
    instance: dg.DagsterInstance, artifacts: ArtifactsIOManager, kind: TriggerKind
) -> None:
    """Serving skew and probation."""
    trigger = Trigger(
        kind=kind, code=CODES[kind], sentence="It was.", action="Look.", champion="",
        days=(_DAY,), fingerprint="f",
    )  # fmt: skip
    repeated = _sentence(Topic.skew, Severity.critical, CODES[kind])
    assert _failed(_check(instance, artifacts, repeated, watch=Watch(triggers=(trigger,)))) == set()


@pytest.mark.parametrize(
    ("topic", "severity", "name"),
    [
        (Topic.serving, Severity.critical, "champion_is_served"),
        (Topic.serving, Severity.warning, "champion_is_served"),
        (Topic.latency, Severity.warning, "answers_are_as_usual"),
        (Topic.classes, Severity.warning, "answers_are_as_usual"),
    ],
)
def test_other_urgent_sentences_fail_a_check(
    instance: dg.DagsterInstance,
    artifacts: ArtifactsIOManager,
    topic: Topic,
    severity: Severity,
    name: str,
) -> None:
    """Somebody would have to look at the page to know of them."""
    found = _check(instance, artifacts, _sentence(topic, severity))
    assert _failed(found) == {name}
    assert "It is. Do it." in str(found[name].description)


def test_a_kind_has_the_code_of_its_check() -> None:
    """The page leads to the same section of the runbook as the alert."""
    elsewhere = {CODES[TriggerKind.skew], CODES[TriggerKind.probation]}
    assert set(CODES) == set(TriggerKind)
    assert set(CODES.values()) - elsewhere <= {check_code(name) for name in _NAMES}
