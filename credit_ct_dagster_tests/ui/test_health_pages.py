"""The pages on the champion's health that the UI's server has, from Dagster's history."""

import asyncio

import dagster as dg
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.errors.stores import UnreadableRecordError
from credit_ct_dagster.errors.watching import NoHealthRecordError
from credit_ct_dagster.resources.dagster_ui import PACKED_HEALTH, DagsterUI
from credit_ct_dagster.ui.health_pages import add_health_pages
from credit_ct_dagster_tests.modeling.watching import healths
from credit_ct_dagster_tests.modeling.watching.healths import DAY

_BEFORE = healths.before(DAY, 1)


class _Server:
    """Dagster's server, which answers to every path, with the pages before it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._app = Starlette(
            routes=[Route("/{path:path}", lambda _: PlainTextResponse("Dagster"))]
        )
        add_health_pages(self._app, instance)

    def get(self, path: str) -> httpx.Response:
        """The answer to a request; redirects are not followed."""

        async def answered() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://ui") as client:
                return await client.get(path)

        return asyncio.run(answered())


@pytest.fixture
def server(instance: dg.DagsterInstance) -> _Server:
    """A server of an empty history."""
    return _Server(instance)


def _materialize(instance: dg.DagsterInstance, day: str, packed: str | None) -> None:
    """Report that the asset was materialized; days that are measured anew have no record."""
    metadata = {PACKED_HEALTH: dg.MetadataValue.json({PACKED_HEALTH: packed})} if packed else {}
    made = dg.AssetMaterialization("champion_health", partition=day, metadata=metadata)
    instance.report_runless_asset_event(made)


def test_the_page_of_a_day_is_that_of_its_record(
    instance: dg.DagsterInstance, server: _Server
) -> None:
    """Also after the day was measured anew; links lead to this server, and no script may run."""
    _materialize(instance, DAY, healths.record().packed())
    _materialize(instance, DAY, None)
    answer = server.get(f"/champion-health/{DAY}")
    assert answer.status_code == 200
    assert "credit_history_age, another unit (/ 12)" in answer.text
    assert 'href="/runs/run-1"' in answer.text
    assert f'href="/assets/champion_health?view=partitions&amp;partition={DAY}"' in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert server.get("/runs").text == "Dagster"


def test_the_newest_day_is_found_without_its_date(
    instance: dg.DagsterInstance, server: _Server
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
def test_without_a_record_there_is_a_sentence(server: _Server, path: str) -> None:
    """With its code, as everywhere."""
    answer = server.get(path)
    assert answer.status_code == 404
    assert NoHealthRecordError.code in answer.text
    assert server.get("/champion-health/<script>").status_code == 404


def test_a_record_that_cannot_be_read_is_told(
    instance: dg.DagsterInstance, server: _Server
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
