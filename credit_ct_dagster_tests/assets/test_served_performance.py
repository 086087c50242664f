"""The assets on served answers, on a real store: requests, batch scores, and labels that come."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import yaml

from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.served_performance import (
    EstimatedPerformance,
    ServedPerformance,
)
from credit_ct_dagster.evidence.learned_labels import learned_until, learned_until_by_tag
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.estimation import estimated_performance as estimates
from credit_ct_dagster.modeling.watching.performance import served_performance as measured
from credit_ct_dagster.modeling.watching.performance_rules import EstimationRules, PerformanceRules
from credit_ct_dagster.resources.bentoml_packages import Package
from credit_ct_dagster_tests import served_rows
from credit_ct_dagster_tests.decisions.decided import identity_of
from credit_ct_dagster_tests.platform import Platform, metadata_of

_DAY = "2025-03-09"
_SELECTION = dg.AssetSelection.assets("served_performance", "estimated_performance")


@pytest.fixture
def watched(tmp_path: Path) -> Platform:
    """A platform with an empty store: no rows but those that a test writes."""
    (tmp_path / "var").mkdir()
    made = Platform(tmp_path, f"sqlite:///{tmp_path}/feature_store.db", "m", "sqlite://")
    made.store.create_missing_tables()
    return made


def _serve(platform: Platform, day: str, customers: int = 6) -> None:
    """As many requests as customers, and a batch score for each, dated on a day."""
    tag = f"{platform.model_name}:first"
    classes = [schema.CLASSES[n % 3] for n in range(customers)]
    served_rows.log(
        platform.store,
        *(
            served_rows.request(
                f"{day}-{n}",
                day,
                f"c{n}",
                name,
                model_tag=tag,
                feature_date=day,
                probabilities=[0.8 if name == each else 0.1 for each in schema.CLASSES],
            )
            for n, name in enumerate(classes)
        ),
    )
    served_rows.score(
        platform.store,
        day,
        *((f"i{n}", f"c{n}", day, name) for n, name in enumerate(classes)),
        model_name=platform.model_name,
        model_tag=tag,
    )


def _label(platform: Platform, day: str, labels: dict[str, str]) -> None:
    served_rows.label(
        platform.store, *((f"l{name}", name, day, label) for name, label in labels.items())
    )


def _materialize(
    platform: Platform, instance: dg.DagsterInstance, **estimation: int
) -> dg.ExecuteInProcessResult:
    small = {"min_customers": 2, "draws": 100}
    days = {name: value for name, value in estimation.items() if name == "days"}
    return platform.materialize(
        instance,
        _DAY,
        selection=_SELECTION,
        config={
            "served_performance": {"config": small | days},
            "estimated_performance": {"config": small | estimation},
        },
        checks=False,
    )


def _read(platform: Platform) -> tuple[ServedPerformance, EstimatedPerformance]:
    folder = platform.artifacts.open(files.MONITORING_FOLDER, _DAY)
    return folder.read(ServedPerformance), folder.read(EstimatedPerformance)


def test_labels_that_come_judge_what_was_served(
    watched: Platform, instance: dg.DagsterInstance
) -> None:
    """Estimated at once; measured when labels come; the same again when nothing has changed."""
    _serve(watched, _DAY)
    assert _materialize(watched, instance).success
    served, estimated = _read(watched)
    [model], [estimate] = served.models, estimated.models
    assert (served.answers, served.labelled, model.metrics) == (12, 0, None)
    assert model.sources == {"batch": 6, "request": 6}
    assert estimate.without_label is not None
    # Requests are 0.8 sure of their class; scores are 0.7, 0.2 and 0.1 sure of Poor to Good.
    expected = (6 * 0.8 + 2 * (0.7 + 0.2 + 0.1)) / 12
    assert estimate.without_label.accuracy.value == pytest.approx(expected)

    _label(watched, "2025-03-20", {"c0": "Poor", "c1": "Standard", "c2": "Poor"})
    _label(watched, "2025-04-30", {"c3": "Poor"})  # too late to belong to these answers
    result = _materialize(watched, instance)
    served, estimated = _read(watched)
    [model], [estimate] = served.models, estimated.models
    assert (model.labelled, model.labelled_customers) == (6, 3)
    assert model.confusion == [[2, 0, 2], [0, 2, 0], [0, 0, 0]]
    assert model.metrics is not None
    assert model.metrics.accuracy.value == pytest.approx(4 / 6)
    assert model.metrics.recall["Good"] is None
    assert estimate.how_far_off is not None
    assert estimate.how_far_off.real_accuracy == pytest.approx(4 / 6)
    _require_shown(watched, result)

    assert _materialize(watched, instance).success
    again = [each.model_dump(exclude={"known_at"}) for each in _read(watched)]
    assert again == [each.model_dump(exclude={"known_at"}) for each in (served, estimated)]


def _require_shown(platform: Platform, result: dg.ExecuteInProcessResult) -> None:
    """The metadata are short; the page is in the folder that they name, private as rows are."""
    shown = metadata_of(result, "served_performance")
    assert (shown["answers"], shown["labelled"], shown["coverage"]) == (12, 6, 0.5)
    assert shown["accuracy"] == 0.6667
    assert "6 of 12 answers have a label (50.0%)" in shown["sentence"]
    [row] = shown["models"].records
    assert row.data["version"] == "first"
    page = Path(shown["page"])
    assert page.name == files.PERFORMANCE_PAGE_FILE
    assert "prediction day 2025-03-09" in page.read_text()
    assert page.stat().st_mode & 0o077 == 0
    table = platform.artifacts.open(files.MONITORING_FOLDER, _DAY)[files.PERFORMANCE_TABLE_FILE]
    [accuracy] = table[(table["kind"] == "all") & (table["metric"] == "accuracy")]["value"]
    assert accuracy == pytest.approx(4 / 6)
    estimates = metadata_of(result, "estimated_performance")
    assert estimates["without_label"] == 6
    assert "concept drift" in estimates["blind_to"]
    assert "estimated_minus_real_accuracy" in estimates


def _describe(platform: Platform, version: str, base_dt: str, calibrated_on: str) -> None:
    """Leave the description of a package, which tells what its model learned from."""
    folder = Path(platform.packages.home) / "models" / platform.model_name / version
    folder.mkdir(parents=True)
    identity = identity_of(base_dt, "mlflow", "dagster")
    description = {
        "name": platform.model_name,
        "version": version,
        "creation_time": "2025-03-08T00:00:00+00:00",
        "labels": identity.labels(),
        "metadata": {"calibrated_on": calibrated_on},
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(description))


def test_labels_that_the_package_learned_from_do_not_count(
    watched: Platform, instance: dg.DagsterInstance
) -> None:
    """A champion of its own day scores rows that it was trained, or calibrated on."""
    _serve(watched, _DAY)
    _label(watched, _DAY, {"c0": "Poor", "c1": "Standard"})
    _label(watched, "2025-03-10", {"c2": "Poor", "c3": "Good"})
    # Of an unknown package, those up to the prediction day do not count.
    result = _materialize(watched, instance)
    [model] = _read(watched)[0].models
    assert (model.labelled, model.learned, model.learned_until) == (4, 4, None)
    assert metadata_of(result, "served_performance")["labels_learned_from"] == 4
    assert metadata_of(result, "estimated_performance")["labels_learned_from"] == 4
    _describe(watched, "first", "2025-03-08", "2025-03-10")
    assert _materialize(watched, instance).success
    served, estimated = _read(watched)
    assert (served.labelled, served.learned, served.models[0].learned_until) == (
        0, 8, "2025-03-10",
    )  # fmt: skip
    assert (estimated.without_label, estimated.learned) == (4, 8)
    page = watched.artifacts.open(files.MONITORING_FOLDER, _DAY)[files.PERFORMANCE_PAGE_FILE]
    assert "The labels of 8 more do not count: dated up to 2025-03-10" in page


def test_decisions_tell_of_packages_that_were_deleted() -> None:
    """Their base date, but nothing of a calibration: that of the day they answered on is safe."""
    tags = ["m:old", "m:new", "m:kept", "m:other"]
    days = ("2025-02-01", "2025-03-20", "2025-02-01")
    old, new, kept = (
        identity_of(day, f"run-{tag}", "dagster").model_copy(update={"bentoml_tag": tag})
        for tag, day in zip(tags, days, strict=False)
    )
    package = Package(kept, None, Path(), "2025-02-01", {}, calibrated_on="2025-02-14")
    promotions: Any = SimpleNamespace(
        records=lambda: [
            SimpleNamespace(model=old, before=None),
            SimpleNamespace(model=new, before=kept),
        ],
        packages=SimpleNamespace(tagged=lambda tags: [package], packaged=lambda base_dt: [package]),
    )
    assert learned_until_by_tag(promotions, tags, _DAY) == {
        "m:old": _DAY, "m:new": "2025-03-20", "m:kept": "2025-02-14",
    }  # fmt: skip
    assert learned_until_by_tag(promotions, ["m:kept"], _DAY) == {"m:kept": "2025-02-14"}
    assert learned_until(promotions, kept) == "2025-02-14"
    assert learned_until(promotions, old) == "2025-02-01"


def _record(platform: Platform, day: str) -> None:
    """Write what was found of a day, of the answers of another one."""
    frame = served_rows.answers(100, model_tag="m:first")
    now = datetime(2025, 4, 1, tzinfo=UTC)
    records = [
        measured(day, frame, PerformanceRules(draws=100), now),
        estimates(day, frame, EstimationRules(draws=100), now),
    ]
    found = {record.FILE: record for record in records}
    platform.artifacts.write(files.MONITORING_FOLDER, day, found)


def test_earlier_days_are_in_the_page_and_in_the_record(
    watched: Platform, instance: dg.DagsterInstance
) -> None:
    """As many as configured, none of them later; one that is damaged is left out."""
    for day in ("2025-03-05", "2025-03-06", "2025-03-07", "2025-03-08", "2025-03-10"):
        _record(watched, day)
    for name in (files.SERVED_PERFORMANCE_FILE, files.ESTIMATED_PERFORMANCE_FILE):
        folder = str(watched.artifacts.open(files.MONITORING_FOLDER, "2025-03-08").path)
        (Path(folder) / name).write_text("{")
    _serve(watched, _DAY)
    assert _materialize(watched, instance, days=3, min_record_days=1).success
    record = _read(watched)[1].models[0].record
    assert record is not None
    assert (record.first, record.last, record.days) == ("2025-03-06", "2025-03-07", 2)
    page = watched.artifacts.open(files.MONITORING_FOLDER, _DAY)[files.PERFORMANCE_PAGE_FILE]
    dates = ("03-05", "03-06", "03-07", "03-09", "03-10")
    assert [date for date in dates if f">{date}<" in page] == ["03-06", "03-07", "03-09"]
    accuracy = page[page.index('id="accuracy-over-days"') : page.index('id="macro-f1-over-days"')]
    markers = accuracy.count("<circle") + accuracy.count("<polygon")
    assert markers == 2 + 3  # by labels, and estimated


def test_a_day_without_answers_is_recorded(watched: Platform, instance: dg.DagsterInstance) -> None:
    """Not even the tables of answers exist: the records and the page say that there were none."""
    assert _materialize(watched, instance).success
    served, estimated = _read(watched)
    assert (served.answers, estimated.answers) == (0, 0)
    page = watched.artifacts.open(files.MONITORING_FOLDER, _DAY)[files.PERFORMANCE_PAGE_FILE]
    assert "No answer was given on this day" in page
