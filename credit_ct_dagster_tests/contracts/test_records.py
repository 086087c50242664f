"""Records: readable across releases, and refused in a sentence when they are not."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import (
    Comparison,
    Decision,
    DecisionRecord,
    Estimate,
    Ground,
    Metric,
)
from credit_ct_dagster.contracts.drift import DriftReport, Verdict
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.errors.stores import NewerRecordError, UnreadableRecordError
from credit_ct_dagster.io_managers.artifacts import ArtifactFolder

_OLD = Path(__file__).parent / "written_by_0_1"
_RECORDS: dict[str, type[Record]] = {
    "splits_summary.json": SplitsSummary,
    "search_summary.json": SearchSummary,
    "decision.json": DecisionRecord,
    "drift.json": DriftReport,
    "lineage.json": ModelIdentity,
    "assessment.json": AssessmentReport,
}
_EACH = pytest.mark.parametrize("file", _RECORDS)


def _old(file: str) -> Record:
    return _RECORDS[file].from_json((_OLD / file).read_bytes(), file)


@_EACH
def test_what_release_0_1_wrote_is_read_and_written_again_without_loss(file: str) -> None:
    """Its records had no version; every value that they held is in the record of today."""
    record = _old(file)
    again = _RECORDS[file].from_json(record.to_json(), file)
    assert again == record
    upgraded = 1 if file == "decision.json" else _RECORDS[file].VERSION
    assert json.loads(record.to_json())["version"] == upgraded
    assert _leaves(json.loads((_OLD / file).read_bytes())) <= _leaves(json.loads(record.to_json()))


def _leaves(value: object) -> set[str]:
    """Every value that is no container, whatever its key is called."""
    if isinstance(value, dict):
        return set().union(*map(_leaves, value.values()))
    if isinstance(value, list):
        return set().union(*map(_leaves, value))
    # The form of a moment changed: both forms name the same one.
    return {str(value).replace("+00:00", "Z")}


def test_old_names_are_read_by_their_new_ones() -> None:
    """A registered version was `version`, and drift was the list alone."""
    decision = _old("decision.json")
    assert isinstance(decision, DecisionRecord)
    assert decision.model.registered_version == "3"
    assert decision.before is not None
    assert decision.before.registered_version == "1"
    assert decision.decision.ground == Ground.below_floor
    drift = _old("drift.json")
    assert isinstance(drift, DriftReport)
    assert drift.columns[0].column == "predicted class"
    assert drift.columns[0].verdict == Verdict.stable


def test_drift_of_before_rows_counted_is_read_as_it_was_judged() -> None:
    """By its PSI alone, in which missing values were one more bin."""
    column = {"column": "age", "psi": 0.3, "ks": 0.2, "ks_p_value": 0.01, "verdict": "much drift"}
    stored = json.dumps({"version": 1, "columns": [column]}).encode()
    drift = DriftReport.from_json(stored, "drift.json")
    assert drift.version == DriftReport.VERSION
    [read] = drift.columns
    assert (read.verdict, read.p_value, read.missing) == (Verdict.much, None, None)
    assert read.sentence == "age (PSI 0.300)"


def test_ratios_of_groups_of_earlier_releases_are_read() -> None:
    """They were ratios to the highest share; what replaces them was not measured."""
    report = _old("assessment.json")
    assert isinstance(report, AssessmentReport)
    assert report.fairness is None
    assert report.holdout.slices[0].disparate_impact is not None


@_EACH
def test_a_newer_version_is_refused_with_the_way_out(file: str) -> None:
    """The sentence names the path, both versions, and what to do."""
    known = _RECORDS[file].VERSION
    newer = json.loads(_old(file).to_json()) | {"version": known + 1}
    with pytest.raises(NewerRecordError) as refused:
        _RECORDS[file].from_json(json.dumps(newer).encode(), f"models/{file}")
    sentence = str(refused.value)
    assert sentence.startswith(f"models/{file} has version {known + 1}, but this release reads")
    assert f"up to version {known}. Install the release that wrote it, or " in sentence
    assert sentence.endswith("See CT-FILES-4: docs/runbook.md#ct-files-4")


@_EACH
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"{}", b'"text"', b"\xff\xfe", b"null"])
def test_a_broken_record_is_refused_with_the_way_out(file: str, content: bytes) -> None:
    """Empty, torn or something else: never a KeyError."""
    with pytest.raises(UnreadableRecordError) as refused:
        _RECORDS[file].from_json(content, f"models/{file}")
    assert str(refused.value).startswith(f"models/{file} is not a valid ")
    assert "To replace it, " in str(refused.value)


@_EACH
@given(data=st.data())
def test_a_record_that_lacks_a_field_is_refused_by_the_name_of_the_field(
    file: str, data: st.DataObject
) -> None:
    """Whichever required field it is."""
    values = json.loads(_old(file).to_json())
    required = [name for name, field in _RECORDS[file].model_fields.items() if field.is_required()]
    absent = data.draw(st.sampled_from(required))
    del values[absent]
    with pytest.raises(UnreadableRecordError, match=rf"\({absent}"):
        _RECORDS[file].from_json(json.dumps(values).encode(), file)


@_EACH
def test_fields_of_a_later_release_are_passed_over(file: str) -> None:
    """A later release may add fields without a new version; this one reads the rest."""
    values = json.loads(_old(file).to_json()) | {"added_later": 1}
    assert _RECORDS[file].from_json(json.dumps(values).encode(), file) == _old(file)


def test_the_sentence_names_the_file_of_an_artifact(tmp_path: Path) -> None:
    """As a person finds it."""
    (tmp_path / "summary.json").write_text("{}")
    folder = ArtifactFolder(UPath(tmp_path), lambda name: name)
    with pytest.raises(UnreadableRecordError, match=f"{tmp_path}/summary.json is not a valid"):
        folder.read(SplitsSummary)


def test_a_number_that_json_does_not_know_is_not_written() -> None:
    """A NaN would make a file that other readers refuse."""
    old = _old("decision.json")
    assert isinstance(old, DecisionRecord)
    nan = Estimate(value=float("nan"), low=0.0, high=0.0)
    comparison = Comparison(
        metric=Metric.accuracy, challenger=0.5, champion=0.5, difference=nan, rows=1, customers=1
    )
    decision = Decision(
        promoted=False, ground=Ground.worse, sentence="Not promoted.", comparison=comparison
    )
    with pytest.raises(ValueError, match="Out of range float"):
        old.model_copy(update={"decision": decision}).to_json()


_METADATA = {"seen_share": 0.85, "calibration": "none", "log_loss_per_calibration": {}}


def test_the_metadata_of_packages_of_release_0_1_are_read() -> None:
    """They had no version either; what else a package's metadata hold is passed over."""
    record = PackageRecord.from_metadata({**_METADATA, "depth": 8}, "package m:1")
    assert record.seen_share == 0.85
    assert PackageRecord.from_metadata(record.to_metadata(), "package m:1") == record


def test_a_package_of_a_later_release_is_refused() -> None:
    """With its tag and the way out."""
    with pytest.raises(NewerRecordError, match="package m:1 has version 2"):
        PackageRecord.from_metadata({**_METADATA, "record_version": 2}, "package m:1")


def test_labels_of_other_packages_are_no_identity() -> None:
    """Others may have packages of the same name in the store."""
    assert ModelIdentity.from_labels({"role": "champion"}, "m:1") is None
    labels = _old("lineage.json").model_dump(include={"base_dt", "mlflow_run_id"})
    whole = labels | {"dagster_run_id": "r", "data_fingerprint": "f"}
    identity = ModelIdentity.from_labels(whole, "m:1")
    assert identity is not None
    assert identity.labels() == whole
    assert identity.bentoml_tag == "m:1"
