"""The pages on the champion's health, beside Dagster's own: for a phone, and linked from alerts.

They are made from Dagster's history, which is all that the UI's server has.
"""

import dagster as dg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.contracts.served_performance import ServedPerformance
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.watching import NoHealthRecordError
from credit_ct_dagster.partitions import exists
from credit_ct_dagster.resources.dagster_ui import HEALTH_PATH, DagsterUI
from credit_ct_dagster.ui.headers import PAGE_HEADERS
from credit_ct_dagster.ui.packed_records import PackedRecords
from credit_ct_dagster.ui.performance_pages import PERFORMANCE_ASSET

_ASSET = dg.AssetKey("champion_health")
_LOOKED_AT = 50
"""Days: those of other models are passed over."""


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
        self._records = PackedRecords(instance, _ASSET, HealthRecord)
        self._performance = PackedRecords(instance, PERFORMANCE_ASSET, ServedPerformance)

    def newest(self, request: Request) -> Response:
        """Leads to the page of the newest day."""
        model = request.query_params.get("model") or ""
        try:
            found = self._newest(model)
        except CreditCtError as error:
            return PlainTextResponse(str(error), 500, PAGE_HEADERS)
        if found is None:
            return _missing(None)
        url = DagsterUI(url="", model_name=model).health_url(found.base_dt)
        return RedirectResponse(url, 307, PAGE_HEADERS)

    def of_day(self, request: Request) -> Response:
        """The page of a prediction day, with what the newest record knows of it."""
        from credit_ct_dagster.modeling.pages.health import HealthPage

        day, model = request.path_params["day"], request.query_params.get("model") or ""
        if not exists(day):
            return PlainTextResponse("Write the day as YYYY-MM-DD.", 404, PAGE_HEADERS)
        try:
            record = next(self._records.of_day(model, day), None)
            if record is None:
                return _missing(day)
            newest = self._newest(model or record.model_name) or record
            has_performance = any(self._performance.of_day(record.model_name, day))
        except CreditCtError as error:
            return PlainTextResponse(str(error), 500, PAGE_HEADERS)
        links = DagsterUI(url="", model_name=model)
        page = HealthPage(
            record,
            run_url=links.run_url(record.dagster_run_id),
            asset_url=links.partition_url(_ASSET, day),
            performance_url=links.performance_url(day) if has_performance else None,
            newest=newest,
            newest_url=links.health_url(newest.base_dt),
        )
        return HTMLResponse(page.html(), 200, PAGE_HEADERS)

    def _newest(self, model: str) -> HealthRecord | None:
        """The record of the newest day that has one."""
        newest = self._records.days()[:_LOOKED_AT]
        return next((each for day in newest for each in self._records.of_day(model, day)), None)


def _missing(day: str | None) -> Response:
    error = NoHealthRecordError(
        f"There is no page on how the champion did on {day}: start monitoring_job for this day in"
        " the UI."
        if day
        else "There is no page yet on how the champion did: start monitoring_job for yesterday in"
        " the UI."
    )
    return PlainTextResponse(str(error), 404, PAGE_HEADERS)
