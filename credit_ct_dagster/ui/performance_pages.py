"""The pages on what labels say of a prediction day's answers, beside Dagster's own.

They are made when somebody asks for them: labels of the days before arrive for weeks after a page
was written into the artifacts.
"""

import dagster as dg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from credit_ct_dagster.contracts.served_performance import EstimatedPerformance, ServedPerformance
from credit_ct_dagster.days import days_before
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.watching import NoHealthRecordError
from credit_ct_dagster.modeling.watching.performance_rules import AnswerRules
from credit_ct_dagster.partitions import exists
from credit_ct_dagster.resources.dagster_ui import PERFORMANCE_PATH
from credit_ct_dagster.ui.headers import PAGE_HEADERS
from credit_ct_dagster.ui.packed_records import PackedRecords

PERFORMANCE_ASSET = dg.AssetKey("served_performance")
_ESTIMATES = dg.AssetKey("estimated_performance")


def add_performance_pages(app: Starlette, instance: dg.DagsterInstance) -> None:
    """Serve the pages before Dagster's own, which answer to every path.

    Args:
        app: Dagster's.
        instance: Whose history has the records.
    """
    pages = _PerformancePages(instance)
    app.router.routes[:0] = [Route(PERFORMANCE_PATH + "/{day}", pages.of_day)]


class _PerformancePages:
    """Starlette calls this in threads: it asks a database."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._measured = PackedRecords(instance, PERFORMANCE_ASSET, ServedPerformance)
        self._estimated = PackedRecords(instance, _ESTIMATES, EstimatedPerformance)

    def of_day(self, request: Request) -> Response:
        """The page of a prediction day, with what is known by now of the days before."""
        from credit_ct_dagster.modeling.pages.served_performance import PerformancePage

        day, model = request.path_params["day"], request.query_params.get("model") or ""
        if not exists(day):
            return PlainTextResponse("Write the day as YYYY-MM-DD.", 404, PAGE_HEADERS)
        try:
            record = next(self._measured.of_day(model, day), None)
            if record is None:
                return _missing(day)
            name, first = record.model_name, days_before(day, AnswerRules().days)
            page = PerformancePage(
                model_name=name,
                measured=[*self._measured.newest(name, first, day)],
                estimated=[*self._estimated.newest(name, first, day)],
            )
        except CreditCtError as error:
            return PlainTextResponse(str(error), 500, PAGE_HEADERS)
        return HTMLResponse(page.html(), 200, PAGE_HEADERS)


def _missing(day: str) -> Response:
    error = NoHealthRecordError(
        f"There is no page on what labels say of the answers of {day}: start monitoring_job for"
        " this day in the UI."
    )
    return PlainTextResponse(str(error), 404, PAGE_HEADERS)
