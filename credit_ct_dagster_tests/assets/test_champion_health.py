"""The asset of the champion's health: what it reads, records and survives."""

import logging
from pathlib import Path
from unittest.mock import create_autospec

import dagster as dg
import pandas as pd

from credit_ct_dagster.contracts.customer_scores import CustomerScoresSummary
from credit_ct_dagster.contracts.files import (
    HEALTH_FILE,
    HEALTH_PAGE_FILE,
    MONITORING_FOLDER,
    SCORES_FOLDER,
)
from credit_ct_dagster.contracts.health import HealthRecord, Severity, Topic
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.watching import MissingMeasurementError
from credit_ct_dagster.evidence.measured_health import HealthSources
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.modeling.watching.health import HealthRules
from credit_ct_dagster.operations.service import Service
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.dagster_ui import PACKED_RECORD
from credit_ct_dagster.resources.service_address import ServiceAddress
from credit_ct_dagster_tests.modeling.watching import healths
from credit_ct_dagster_tests.platform import BASE_DT, Platform, metadata_of
from credit_ct_dagster_tests.servers import free_port
from credit_ct_dagster_tests.trained import Trained

_HEALTH = dg.AssetSelection.assets("champion_health")


def _record(platform: Platform, day: str) -> HealthRecord:
    return platform.artifacts.open(MONITORING_FOLDER, day).read(HealthRecord)


def _packed(result: dg.ExecuteInProcessResult) -> HealthRecord:
    """The record that Dagster's history has."""
    packed = metadata_of(result, "champion_health")[PACKED_RECORD][PACKED_RECORD]
    return HealthRecord.from_packed(packed, "the history")


def test_a_day_that_is_over_is_told_from_its_records(trained_copy: Trained) -> None:
    """What was answered and by which model; what was not measured is named, and nobody is asked.

    The record is in the history, for the page that the UI serves.
    """
    platform = trained_copy.platform
    result = platform.materialize(trained_copy.instance, selection=_HEALTH, checks=False)
    assert result.success
    record = _record(platform, BASE_DT)
    scored = platform.artifacts.open(SCORES_FOLDER, BASE_DT).read(CustomerScoresSummary)
    [volume] = record.today.volumes
    assert (volume.source, volume.model_tag) == ("batch", scored.model.bentoml_tag)
    assert dict(volume.classes) == dict(scored.classes)
    assert record.champion
    assert record.champion.bentoml_tag == scored.model.bentoml_tag
    assert record.service.status == "not asked"
    missing = [each for each in record.sentences if each.code == MissingMeasurementError.code]
    assert {each.topic for each in missing} == {
        Topic.performance, Topic.estimated, Topic.skew, Topic.probation,
    }  # fmt: skip
    page = platform.artifacts.open(MONITORING_FOLDER, BASE_DT)[HEALTH_PAGE_FILE]
    assert all(each.topic in page for each in record.sentences)
    shown = metadata_of(result, "champion_health")
    assert (shown["healthy"], shown["warnings"]) == (False, len(missing))
    assert shown["page"].endswith(f"monitoring/{platform.model_name}/{BASE_DT}/{HEALTH_PAGE_FILE}")
    assert _packed(result) == record


def test_a_service_that_is_down_is_a_sentence_and_no_failure(trained_copy: Trained) -> None:
    """Of the newest day."""
    platform, day = trained_copy.platform, Calendar().newest()
    result = platform.materialize(
        trained_copy.instance,
        day,
        selection=_HEALTH,
        checks=False,
        service_address=ServiceAddress(url=f"http://127.0.0.1:{free_port()}", is_expected=True),
    )
    assert result.success
    record = _record(platform, day)
    first = record.sentences[0]
    assert (first.topic, first.severity) == (Topic.serving, Severity.critical)
    assert "Nothing listens at" in first.text
    assert record.champion
    assert record.champion.since
    assert record.champion.by == "gate"
    assert record.changes == ("There is no health record of the day before to compare with.",)
    assert _packed(result) == record


class _Counting:
    """Counts answers, and remembers of which days it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def volumes(self, first_day: str, last_day: str) -> pd.DataFrame:
        self.asked.append((first_day, last_day))
        days = ["2025-03-01", "2025-03-04", "2025-03-05"]
        row = {"source": "batch", "model_tag": "m:2", "answers": 6}
        row |= {"count_poor": 1, "count_standard": 2, "count_good": 3}
        row |= dict.fromkeys(columns.LATENCIES.values(), float("nan"))
        counted = [{"day": each, **row} for each in days if first_day <= each <= last_day]
        return pd.DataFrame(counted)


def test_days_that_were_counted_are_not_counted_again(tmp_path: Path) -> None:
    """Of a million answers a day, two months would take minutes; the last day may have got more."""
    artifacts = ArtifactsIOManager(base_path=str(tmp_path), model_name="m")
    counting, promotions = _Counting(), create_autospec(Promotions, instance=True)
    promotions.records.return_value, promotions.champion.return_value = [], None
    sources = HealthSources(
        artifacts=artifacts,
        promotions=promotions,
        answers=counting,  # type: ignore[arg-type]  # has what is asked of it
        service=Service(f"http://127.0.0.1:{free_port()}"),
        calendar=Calendar(),
        log=logging.getLogger("test"),
    )
    first = sources.measured("2025-03-04", HealthRules(), healths.NOW)
    assert counting.asked == [("2025-01-02", "2025-03-04")]
    record = healths.record(base_dt="2025-03-04", days=tuple(first.days))
    artifacts.write(MONITORING_FOLDER, "2025-03-04", {HEALTH_FILE: record})
    second = sources.measured("2025-03-05", HealthRules(), healths.NOW)
    assert counting.asked[1:] == [("2025-03-04", "2025-03-05")]
    assert [each.rows() for each in second.days] == [6, 0, 0, 6, 6]
    assert sources.before("2025-03-05") == record
    assert sources.before("2025-03-06") is None
