"""The pages on the champion's health that the UI's server has, from Dagster's history."""

from datetime import timedelta

import dagster as dg
import pytest

from credit_ct_dagster.contracts.health import DayFigures, HealthRecord
from credit_ct_dagster.errors.stores import UnreadableRecordError
from credit_ct_dagster.errors.watching import NoHealthRecordError
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster_tests.modeling.watching import healths
from credit_ct_dagster_tests.modeling.watching.healths import DAY
from credit_ct_dagster_tests.ui.pages import UIServer, materialize

_BEFORE = healths.before(DAY, 1)


@pytest.fixture
def server(instance: dg.DagsterInstance) -> UIServer:
    """A server of an empty history."""
    return UIServer(instance)


def _materialize(instance: dg.DagsterInstance, day: str, packed: str | None) -> None:
    materialize(instance, "champion_health", day, packed)


def test_the_page_of_a_day_is_that_of_its_record(
    instance: dg.DagsterInstance, server: UIServer
) -> None:
    """Links lead to this server, and no script may run."""
    _materialize(instance, DAY, healths.record().packed())
    _materialize(instance, DAY, None)
    answer = server.get(f"/champion-health/{DAY}")
    assert answer.status_code == 200
    assert "credit_history_age, another unit (/ 12)" in answer.text
    assert 'href="/runs/run-1"' in answer.text
    assert f'href="/assets/champion_health?view=partitions&amp;partition={DAY}"' in answer.text
    assert "What is known by now" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert server.get("/runs").text == "Dagster"


def test_the_page_of_an_earlier_day_has_what_labels_have_said_since(
    instance: dg.DagsterInstance, server: UIServer
) -> None:
    """By the newest record, also when an earlier day was measured again after it."""
    tomorrow = healths.before(DAY, -1)
    days = (*healths.record().days[:-1], healths.labelled_day(), DayFigures(day=tomorrow))
    later = healths.record(base_dt=tomorrow, days=days, made_at=healths.NOW + timedelta(days=1))
    for record in (healths.record(), later, healths.record(base_dt=_BEFORE)):
        _materialize(instance, record.base_dt, record.packed())
    answer = server.get(f"/champion-health/{DAY}").text
    assert "90 of 400 answers have a label (22.5%)." in answer
    assert f'href="/champion-health/{tomorrow}"' in answer
    assert "What is known by now" not in server.get(f"/champion-health/{tomorrow}").text
    assert server.get("/champion-health").headers["location"] == f"/champion-health/{tomorrow}"


def test_the_newest_day_is_found_without_its_date(
    instance: dg.DagsterInstance, server: UIServer
) -> None:
    """A bookmark on a phone; of the model that it names, if several share the history."""
    other = healths.record(base_dt=DAY, model_name="other")
    _materialize(instance, _BEFORE, healths.record(base_dt=_BEFORE).packed())
    _materialize(instance, DAY, other.packed())
    newest = server.get("/champion-health")
    assert (newest.status_code, newest.headers["location"]) == (307, f"/champion-health/{DAY}")
    named = server.get("/champion-health?model=m").headers["location"]
    assert named == f"/champion-health/{_BEFORE}?model=m"
    assert server.get(named).status_code == 200
    assert server.get(f"/champion-health/{DAY}?model=m").status_code == 404


def test_links_of_alerts_lead_to_the_page_of_their_day() -> None:
    """Of their model."""
    assert DagsterUI(url="https://dagster/", model_name="m").health_url(DAY) == (
        f"https://dagster/champion-health/{DAY}?model=m"
    )


@pytest.mark.parametrize("path", ["/champion-health", f"/champion-health/{DAY}"])
def test_without_a_record_there_is_a_sentence(server: UIServer, path: str) -> None:
    """With its code, as everywhere."""
    answer = server.get(path)
    assert answer.status_code == 404
    assert NoHealthRecordError.code in answer.text
    assert server.get("/champion-health/<script>").status_code == 404


def test_a_record_that_cannot_be_read_is_told(
    instance: dg.DagsterInstance, server: UIServer
) -> None:
    """Not as an empty page."""
    _materialize(instance, DAY, "no record")
    answer = server.get(f"/champion-health/{DAY}")
    assert answer.status_code == 500
    assert UnreadableRecordError.code in answer.text


def test_a_packed_record_is_the_record() -> None:
    """And takes a fraction of the room."""
    record = healths.record()
    packed = record.packed()
    assert HealthRecord.from_packed(packed, "here") == record
    assert len(packed) < len(record.to_json()) / 5
