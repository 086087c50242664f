"""`credit-ct history`: every decision, by whomever."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.contracts.decision import PROBATION, DecisionRecord, Ground
from credit_ct_dagster.io_managers.decisions import DecisionRecords
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.purposes import TRIGGER_TAG
from credit_ct_dagster_tests.decisions.decided import COMPARISON
from credit_ct_dagster_tests.decisions.decisions_in_memory import NOW, DecisionsInMemory
from credit_ct_dagster_tests.platform import Platform

_FIRST, _SECOND = "2025-03-01", "2025-03-03"
_TRIGGER = "below_floor of m:1, 2025-01-01 to 2025-01-05"


@pytest.fixture
def records(platform: Platform) -> list[DecisionRecord]:
    """A champion, a challenger that a person promotes, and the way back."""
    made = DecisionsInMemory()
    made.add(_FIRST, Ground.first, promoted=True)
    made.add(_SECOND, Ground.insufficient_evidence, comparison=COMPARISON)
    long = "Promoted by Kim: " + "the complaints of this month are about the old one, " * 3
    made.add(_SECOND, Ground.person, promoted=True, by="Kim", sentence=long, comparison=COMPARISON)
    made.add(_FIRST, Ground.rolled_back, promoted=True, by=PROBATION)
    made.add(_FIRST, Ground.confirmed, by=PROBATION)
    stored = DecisionRecords(platform.artifacts)
    for hours, record in enumerate(made.records):
        stored.append(record.model_copy(update={"time": NOW + timedelta(hours=hours)}))
    return made.records


def _history(platform: Platform, *options: str) -> list[dict[str, Any]]:
    done = platform.command("history", "--json", *options)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_decision_is_listed(
    platform: Platform, records: list[DecisionRecord], history: dg.DagsterInstance
) -> None:
    """When, who, what, from which to which, and why; the newest first, in 80 columns."""
    done = platform.command("history")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line[:4].strip().isdigit()] == [
        "   5  2025-03-10 14:00 Asia/Seoul  probation: confirmed",
        "   4  2025-03-10 13:00 Asia/Seoul  probation: rolled back",
        "   3  2025-03-10 12:00 Asia/Seoul  Kim (a person): promoted",
        "   2  2025-03-10 11:00 Asia/Seoul  gate: not promoted: insufficient evidence",
        "   1  2025-03-10 10:00 Asia/Seoul  gate: promoted: first",
    ]
    read = " ".join(done.stdout.split())
    assert "version 01 of 2025-03-01 -> version 03 of 2025-03-03 Promoted by Kim" in read
    assert "champion stays: version 01 of 2025-03-01" in read
    assert "none -> version 01 of 2025-03-01" in read
    assert "(Evidence: accuracy 0.8000 against 0.7000, better by +0.1000" in read


def test_machines_read_the_evidence(
    platform: Platform, records: list[DecisionRecord], history: dg.DagsterInstance
) -> None:
    """As JSON, and as many as they want."""
    found = _history(platform, "--limit", "3")
    assert [each["number"] for each in found] == [5, 4, 3]
    assert (found[2]["by"], found[2]["reason"], found[2]["outcome"]) == (
        "Kim", "because", "promoted"
    )  # fmt: skip
    assert [each["by_person"] for each in found] == [False, False, True]
    assert found[2]["time"] == "2025-03-10T03:00:00Z"
    assert found[2]["evidence"] == {"comparison": COMPARISON.model_dump(mode="json")}
    named = [[found[2][key]["base_dt"] for key in ("model", "from", "to")], found[1]["outcome"]]
    assert named == [[_SECOND, _FIRST, _SECOND], "rolled back"]


def test_decisions_since_a_day_are_listed(
    platform: Platform, records: list[DecisionRecord], history: dg.DagsterInstance
) -> None:
    """That day is among them; of a later one, a sentence says that there are none."""
    assert len(_history(platform, "--since", "2025-03-10")) == 5
    assert _history(platform, "--since", "2025-03-11") == []
    assert platform.command("history", "--since", "2025-03-11").stdout == (
        "No decision since 2025-03-11; the newest is of 2025-03-10 14:00 Asia/Seoul.\n"
    )


def test_without_a_champion_no_model_is_said_to_stay(
    platform: Platform, history: dg.DagsterInstance
) -> None:
    """A first model that was not promoted leaves nothing in service."""
    DecisionRecords(platform.artifacts).append(DecisionsInMemory().add(_FIRST, Ground.below_floor))
    said = platform.command("history").stdout
    assert "no model is in service" in said
    assert "stays" not in said


def test_decisions_are_in_their_order_whatever_clocks_said(
    platform: Platform, records: list[DecisionRecord], history: dg.DagsterInstance
) -> None:
    """That of a machine whose clock was fast does not hide what was decided after it."""
    later = DecisionsInMemory()
    for each in records:
        later.record(each.model, each.decision, by=each.by)
    fast = later.add(_SECOND, Ground.worse)
    for record in (fast.model_copy(update={"time": NOW + timedelta(days=9)}),
                   later.add(_SECOND, Ground.person, promoted=True, by="Kim")):  # fmt: skip
        DecisionRecords(platform.artifacts).append(record)
    assert [each["number"] for each in _history(platform)] == [7, 6, 5, 4, 3, 2, 1]


def test_trainings_that_triggers_started_are_among_them(
    platform: Platform, records: list[DecisionRecord], history: dg.DagsterInstance
) -> None:
    """Another model's are not."""

    @dg.job
    def training() -> None: ...

    for model in (platform.model_name, "another"):
        tags = {TRIGGER_TAG: _TRIGGER, PARTITION_TAG: _SECOND, "credit_ct/model": model}
        history.create_run_for_job(training, tags=tags)
    [newest] = _history(platform, "--limit", "1")
    assert (newest["number"], newest["by"], newest["outcome"]) == (
        None, "retraining", "training started"
    )  # fmt: skip
    assert newest["sentence"] == f"A training of base date {_SECOND} was started by {_TRIGGER}."
    assert len(_history(platform)) == 6


def test_decisions_are_listed_without_dagsters_database(
    platform: Platform,
    records: list[DecisionRecord],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """They are files; that trainings are missing is said, and not in what machines read."""
    (tmp_path / "dagster.yaml").write_text("storage: {nonsense: 1}")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    done = platform.command("history", "--json")
    assert done.exit_code == 0, done.output
    assert [each["number"] for each in json.loads(done.stdout)] == [5, 4, 3, 2, 1]
    assert "Trainings that a trigger started are not listed: Dagster's history" in done.stderr


def test_without_a_decision_it_says_so(platform: Platform, history: dg.DagsterInstance) -> None:
    """And what makes one."""
    assert "No decision yet: credit-ct run" in platform.command("history").output
    assert _history(platform) == []
