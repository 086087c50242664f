"""The pages on the champion's health, beside Dagster's own: for a phone, and linked from alerts.

They are made from Dagster's history, which is all that the UI's server has.
"""

from collections.abc import Iterator

import dagster as dg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.watching import NoHealthRecordError
from credit_ct_dagster.partitions import exists
from credit_ct_dagster.resources.dagster_ui import HEALTH_PATH, PACKED_HEALTH, DagsterUI

_ASSET = dg.AssetKey("champion_health")
_LOOKED_AT = 200
"""Materializations: days are measured anew while their labels arrive."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


def add_health_pages(app: Starlette, instance: dg.DagsterInstance) -> None:
    """Serve the pages before Dagster's own, which answer to every path.

    Args:
        app: Dagster's.
        instance: Whose history has the records.
    """
    pages = _HealthPages(instance)
    app.router.routes[:0] = [
        Route(HEALTH_PATH, pages.newest),
        Route(HEALTH_PATH + "/{day}", pages.of_day),
    ]


class _HealthPages:
    """Starlette calls these in threads: they ask a database."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def newest(self, request: Request) -> Response:
        """Leads to the page of the newest day."""
        model = request.query_params.get("model")
        try:
            found = next(self._records(model, None), None)
        except CreditCtError as error:
            return PlainTextResponse(str(error), 500, _HEADERS)
        if found is None:
            return _missing("any prediction day")
        links = DagsterUI(url="", model_name=model or "")
        return RedirectResponse(links.health_url(found.base_dt), 307, _HEADERS)

    def of_day(self, request: Request) -> Response:
        """The page of a prediction day."""
        from credit_ct_dagster.modeling.pages.health import HealthPage

        day = request.path_params["day"]
        if not exists(day):
            return PlainTextResponse("Write the day as YYYY-MM-DD.", 404, _HEADERS)
        try:
            record = next(self._records(request.query_params.get("model"), day), None)
        except CreditCtError as error:
            return PlainTextResponse(str(error), 500, _HEADERS)
        if record is None:
            return _missing(day)
        links = DagsterUI(url="")
        page = HealthPage(
            record,
            run_url=links.run_url(record.dagster_run_id),
            asset_url=links.asset_url(_ASSET, {"view": "partitions", "partition": day}),
        )
        return HTMLResponse(page.html(), 200, _HEADERS)

    def _records(self, model: str | None, day: str | None) -> Iterator[HealthRecord]:
        """The records of a model, of any without its name; the newest one first."""
        wanted = dg.AssetRecordsFilter(_ASSET, asset_partitions=[day] if day else None)
        for each in self._instance.fetch_materializations(wanted, limit=_LOOKED_AT).records:
            made = each.asset_materialization
            packed = made.metadata.get(PACKED_HEALTH) if made else None
            data = packed.value if packed else None
            if not isinstance(data, dict):
                continue
            where = f"The materialization of champion_health in run {each.run_id}"
            record = HealthRecord.from_packed(str(data.get(PACKED_HEALTH)), where)
            if model in (None, "", record.model_name):
                yield record


def _missing(day: str) -> Response:
    error = NoHealthRecordError(
        f"There is no page on how the champion did on {day}. It is made while {day} is the newest"
        " day: later, read health.html among the artifacts, or credit-ct watch --day."
    )
    return PlainTextResponse(str(error), 404, _HEADERS)
