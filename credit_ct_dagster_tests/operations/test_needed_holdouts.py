"""Deleting old base dates never changes on which holdouts a model is judged."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import MODEL_FOLDER, PREPROCESSING_FOLDER, SPLIT_FILES
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.stores import DamagedFileError
from credit_ct_dagster.io_managers import raw_rows
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.decisions import DecisionRecords, Decisions
from credit_ct_dagster.io_managers.raw_rows import HOLDOUT_FILES, earlier_holdouts, raw_holdouts
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.operations import needed_holdouts
from credit_ct_dagster.operations.needed_holdouts import NeededHoldouts
from credit_ct_dagster.partitions import LabelWindow, last_expired
from credit_ct_dagster.settings import Settings
from credit_ct_dagster_tests.operations.world import NOT_PROMOTED, PROMOTED, World, days_ago
from credit_ct_dagster_tests.stored_splits import store_splits

pytestmark = pytest.mark.integration

_HOLDOUT = SPLIT_FILES["holdout"].format(model_name="m")
_FIRST = date(2025, 1, 31)
_WHOLE, _HALF, _DAMAGED, _ABSENT = "whole", "half", "damaged", "absent"
_days = st.tuples(
    st.one_of(st.integers(1, 3), st.integers(1, 70)),
    st.sampled_from([_WHOLE, _WHOLE, _WHOLE, _HALF, _DAMAGED, _ABSENT]),
)
"""How many days after the one before a base date comes, and what is there of it."""


@pytest.fixture(scope="module")
def template() -> UPath:
    """A folder with the splits of a base date, in memory."""
    artifacts = ArtifactsIOManager(base_path=f"memory://{uuid4().hex}", model_name="m")
    store_splits(artifacts, "2025-01-01")
    return artifacts.open(PREPROCESSING_FOLDER, "2025-01-01").path


def _leave(artifacts: ArtifactsIOManager, base_dt: str, state: str, template: UPath) -> None:
    if state == _ABSENT:
        return
    folder = artifacts.open(PREPROCESSING_FOLDER, base_dt).path
    folder.fs.copy(template.path, folder.path, recursive=True)
    if state == _HALF:
        folder.fs.rm_file((folder / _HOLDOUT).path)
    if state == _DAMAGED:
        folder.fs.pipe_file((folder / _HOLDOUT).path, b"")


def _prune(artifacts: ArtifactsIOManager, newest: str, keep_days: int) -> None:
    limit = last_expired(newest, keep_days)
    assert limit is not None
    days = [day for day, _ in artifacts.open_all(PREPROCESSING_FOLDER) if day <= limit]
    needed = NeededHoldouts(artifacts, newest).reasons(days, in_use=(), last_expired=limit)
    for day in days:
        if day in needed:
            artifacts.delete_all_but(PREPROCESSING_FOLDER, day, HOLDOUT_FILES)
        else:
            artifacts.delete(PREPROCESSING_FOLDER, day)


@pytest.fixture
def only_existence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A holdout is whole if its file is: to read the rows takes 100 times as long."""

    def whole(artifacts: ArtifactsIOManager, base_dt: str) -> pd.DataFrame:
        if not artifacts.open(PREPROCESSING_FOLDER, base_dt).content(SPLIT_FILES["holdout"]):
            raise DamagedFileError("It is empty.")
        return pd.DataFrame()

    for module in (raw_rows, needed_holdouts):
        monkeypatch.setattr(module, "whole_holdout", whole)


@pytest.mark.usefixtures("only_existence")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_days, min_size=1, max_size=12), st.integers(1, 200))
def test_pruning_never_changes_which_holdouts_are_pooled(
    template: UPath, days: list[tuple[int, str]], keep_days: int
) -> None:
    """Whatever base dates exist, and however short the retention: every night, for months."""
    place = uuid4().hex
    everything = ArtifactsIOManager(base_path=f"memory://{place}/all", model_name="m")
    pruned = ArtifactsIOManager(base_path=f"memory://{place}/pruned", model_name="m")
    newest, earlier = _FIRST, GateRules().holdout_windows - 1
    for gap, state in days:
        newest += timedelta(days=gap)
        _prune(pruned, newest.isoformat(), keep_days)  # at night, before it is trained
        for artifacts in (everything, pruned):
            _leave(artifacts, newest.isoformat(), state, template)
        for later in (0, 1, 40):
            judged = (newest + timedelta(days=later)).isoformat()
            expected = list(earlier_holdouts(everything, judged, earlier))
            assert list(earlier_holdouts(pruned, judged, earlier)) == expected


def test_three_windows_fit_into_the_default_retention() -> None:
    """On every day of four years: whoever trains daily prunes by PRUNE_KEEP_DAYS alone."""
    longest = 0
    for number in range(4 * 365):
        newest = oldest = date(2024, 1, 1) + timedelta(days=number)
        for _ in range(3 - 1):
            oldest = LabelWindow.of(oldest.isoformat()).start - timedelta(days=1)
        longest = max(longest, (newest - oldest).days)
    assert longest == 64
    assert longest < Settings.model_fields["prune_keep_days"].default == 90


def test_what_is_retained_of_a_holdout_is_what_is_read(template: UPath) -> None:
    """Neither training rows as they were prepared, nor the quarantine; the same rows as before."""
    place = f"memory://{uuid4().hex}"
    artifacts = ArtifactsIOManager(base_path=place, model_name="m")
    for day in ("2025-03-31", "2025-02-27"):
        _leave(artifacts, day, _WHOLE, template)
    before = raw_holdouts(artifacts, "2025-03-31", 3)
    _prune(artifacts, "2025-03-31", 1)
    assert list(artifacts.sizes(PREPROCESSING_FOLDER)["2025-02-27"]) == [
        "encoders/robust_scaler.json", "features_target.parquet", _HOLDOUT, "summary.json",
    ]  # fmt: skip
    after = raw_holdouts(artifacts, "2025-03-31", 3)
    assert list(before) == list(after) == ["2025-03-31", "2025-02-27"]
    for day, rows in before.items():
        assert rows.equals(after[day])


def test_a_retention_of_a_month_keeps_the_evidence_of_three(world: World) -> None:
    """The plan shows which holdouts, and why; of the rest of these base dates nothing remains."""
    artifacts = world.platform.artifacts
    for days in (1, 33, 35, 66, 70, 140):
        store_splits(artifacts, days_ago(days))
        artifacts.write(MODEL_FOLDER, days_ago(days), {"summary.json": {}})
    world.train(days_ago(35), NOT_PROMOTED, splits=False)
    plan = world.retention.plan(30)
    assert set(plan.expired) == {days_ago(days) for days in (33, 35, 66, 70, 140)}
    reason = f"base date {days_ago(0)}, or a later one, is judged on it"
    assert plan.holdouts == {days_ago(days): reason for days in (33, 35, 66)}
    assert "holdouts" not in plan.expired[days_ago(33)]
    assert plan.expired[days_ago(70)]["holdouts"].items == 4
    judged_on = list(earlier_holdouts(artifacts, days_ago(0), 2))
    outcomes = [str(each) for each in world.retention.carry_out(plan)]
    assert f"Deleted base date {days_ago(33)} except its holdout: {reason}" in outcomes
    assert f"Deleted base date {days_ago(70)}" in outcomes
    assert list(earlier_holdouts(artifacts, days_ago(0), 2)) == judged_on == [
        days_ago(33), days_ago(66),
    ]  # fmt: skip
    assert set(world.remaining(days_ago(35))) == {"artifacts"}
    assert world.remaining(days_ago(70)) == {}
    again = world.retention.plan(30)
    assert (again.expired, again.holdouts) == ({}, plan.holdouts)


def test_the_holdouts_that_judged_the_champion_are_retained(world: World) -> None:
    """However old they are: its model card can be made again. Those of others are not."""
    artifacts = world.platform.artifacts
    champion, pooled, unneeded = days_ago(200), days_ago(240), days_ago(239)
    for day in (days_ago(1), days_ago(33), days_ago(66), champion, pooled, unneeded):
        store_splits(artifacts, day)
    judged = PROMOTED.model_copy(update={"holdouts": (champion, pooled)})
    world.train(champion, judged, splits=False)
    reason = f"the model of base date {champion} was judged on it"
    plan = world.retention.plan(90)
    assert plan.retained == {champion: "champion"}
    assert plan.holdouts == {pooled: reason}
    assert set(plan.expired) == {pooled, unneeded}
    assert [each.deleted for each in world.retention.carry_out(plan)] == [True, True]
    assert list(raw_holdouts(artifacts, champion, 3)) == [champion, pooled]


def test_more_windows_are_retained_where_more_are_pooled(world: World) -> None:
    """A gate that pools six windows by configuration finds six the next day as well."""
    artifacts = world.platform.artifacts
    days = [days_ago(number) for number in (1, 33, 66, 99, 132, 165, 200)]
    for day in days:
        store_splits(artifacts, day)
    assert set(world.retention.plan(90).holdouts) == set()
    wide = NOT_PROMOTED.model_copy(update={"holdouts": tuple(days[:6])})
    world.train(days[0], wide, splits=False)
    assert set(world.retention.plan(90).holdouts) == set(days[3:6])


def test_an_old_base_date_that_is_run_again_releases_no_holdout(template: UPath) -> None:
    """Before it there were fewer windows: the widest decision within the retention counts."""
    artifacts, days = _seven_windows(template)
    _decide(artifacts, days[0], days[:6])
    _decide(artifacts, days[4], days[4:6])
    needed = NeededHoldouts(artifacts, days[0])
    assert set(needed.reasons(days[3:], (), last_expired=days[3])) == set(days[3:6])
    # The wide decision is old by then: only the last one counts, and what the gate pools anyway.
    assert set(needed.reasons(days[2:], (), last_expired=days[0])) == {days[2]}


def test_decisions_are_read_again_when_there_is_another(
    template: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For all base dates of a night once; one that is taken meanwhile counts all the same."""
    artifacts, days = _seven_windows(template)
    reads: list[int] = []
    read = DecisionRecords.read

    def counted(self: DecisionRecords) -> Decisions:
        found = read(self)
        reads.append(len(found.records))
        return found

    monkeypatch.setattr(DecisionRecords, "read", counted)
    needed = NeededHoldouts(artifacts, days[0])
    for _ in range(3):
        assert needed.reasons(days[3:], {days[4]}, last_expired=days[3]) == {}
    assert reads == [0]
    _decide(artifacts, days[4], days[4:6])
    assert set(needed.reasons(days[3:], {days[4]}, last_expired=days[3])) == set(days[4:6])
    assert reads == [0, 0, 1], "the second read is that of who decides"


def _seven_windows(template: UPath) -> tuple[ArtifactsIOManager, list[str]]:
    """Base dates whose label windows do not overlap, newest first, each with a holdout."""
    artifacts = ArtifactsIOManager(base_path=f"memory://{uuid4().hex}", model_name="m")
    days = [(_FIRST - timedelta(days=33 * number)).isoformat() for number in range(7)]
    for day in days:
        _leave(artifacts, day, _WHOLE, template)
    return artifacts, days


def _decide(artifacts: ArtifactsIOManager, base_dt: str, holdouts: list[str]) -> None:
    records = DecisionRecords(artifacts)
    records.append(
        DecisionRecord(
            number=records.read().next_number,
            time=datetime(2025, 1, 31, tzinfo=UTC),
            by="gate",
            reason=None,
            dagster_run_id=None,
            model=ModelIdentity(
                base_dt=base_dt, mlflow_run_id="m", dagster_run_id="d", data_fingerprint="f"
            ),
            before=None,
            decision=NOT_PROMOTED.model_copy(update={"holdouts": tuple(holdouts)}),
            champion=None,
            previous=None,
        )
    )


def test_damaged_splits_are_not_retained(template: UPath, tmp_path: Path) -> None:
    """What the gate would pass over is deleted as before."""
    artifacts = ArtifactsIOManager(base_path=f"memory://{tmp_path.name}", model_name="m")
    for day, state in (("2025-02-01", _WHOLE), ("2025-02-02", _HALF), ("2025-02-03", _DAMAGED)):
        _leave(artifacts, day, state, template)
    _prune(artifacts, "2025-08-31", 30)
    assert [day for day, _ in artifacts.open_all(PREPROCESSING_FOLDER)] == ["2025-02-01"]
