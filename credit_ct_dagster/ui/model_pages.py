"""Model cards and the pictures of searches, beside Dagster's own pages: from its history."""

from collections.abc import Iterator, Mapping

import dagster as dg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from credit_ct_dagster.contracts.files import MODEL_CARD_FILE
from credit_ct_dagster.errors.stores import MissingArtifactError
from credit_ct_dagster.partitions import exists
from credit_ct_dagster.resources.dagster_ui import CARD_PATH, PICTURES_PATH, DagsterUI
from credit_ct_dagster.resources.stored_pages import stored_page
from credit_ct_dagster.ui.headers import PAGE_HEADERS

_CARD, _SEARCH = dg.AssetKey("model_card"), dg.AssetKey("tuned_runs")
_LOOKED_AT = 50
"""Events of a base date: each decision on its model writes the card anew."""


def add_model_pages(app: Starlette, instance: dg.DagsterInstance) -> None:
    """Serve the pages before Dagster's own, which answer to every path.

    Args:
        app: Dagster's.
        instance: Whose history has them.
    """
    pages = _ModelPages(instance)
    app.router.routes[:0] = [
        Route(CARD_PATH, pages.newest_card),
        Route(CARD_PATH + "/{base_dt}", pages.card),
        Route(PICTURES_PATH + "/{base_dt}/{name}", pages.picture),
    ]


class _ModelPages:
    """Starlette calls these in threads: they ask a database."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def newest_card(self, request: Request) -> Response:
        """Leads to the card of the newest base date that has one."""
        model = request.query_params.get("model")
        for base_dt in sorted(self._instance.get_materialized_partitions(_CARD), reverse=True):
            if self._found(_CARD, base_dt, MODEL_CARD_FILE, model):
                path = DagsterUI(url="", model_name=model or "").card_path(base_dt)
                return RedirectResponse(path, 307, PAGE_HEADERS)
        return _missing("model card", "any base date", _CARD)

    def card(self, request: Request) -> Response:
        """The card of a base date."""
        return self._answer(request, _CARD, MODEL_CARD_FILE, "model card")

    def picture(self, request: Request) -> Response:
        """A picture of the search of a base date."""
        name = request.path_params["name"]
        return self._answer(request, _SEARCH, name, "such picture of the search")

    def _answer(self, request: Request, asset: dg.AssetKey, name: str, what: str) -> Response:
        base_dt = request.path_params["base_dt"]
        if not exists(base_dt):
            return PlainTextResponse("Write the base date as YYYY-MM-DD.", 404, PAGE_HEADERS)
        text = self._found(asset, base_dt, name, request.query_params.get("model"))
        if text is None:
            return _missing(what, f"base date {base_dt}", asset)
        if name.endswith(".svg"):
            return Response(text, 200, PAGE_HEADERS, "image/svg+xml")
        return HTMLResponse(text, 200, PAGE_HEADERS)

    def _found(self, asset: dg.AssetKey, base_dt: str, name: str, model: str | None) -> str | None:
        """The newest text with a name, of a model, of any without its name."""
        texts = (stored_page(each, name, model) for each in self._metadata(asset, base_dt))
        return next((text for text in texts if text is not None), None)

    def _metadata(
        self, asset: dg.AssetKey, base_dt: str
    ) -> Iterator[Mapping[str, dg.MetadataValue]]:
        """Of the events of a base date, the newest one first."""
        wanted = dg.AssetRecordsFilter(asset, asset_partitions=[base_dt])
        records = [
            *self._instance.fetch_materializations(wanted, limit=_LOOKED_AT).records,
            *self._instance.fetch_observations(wanted, limit=_LOOKED_AT).records,
        ]
        for each in sorted(records, key=lambda each: each.storage_id, reverse=True):
            event = each.asset_materialization or each.asset_observation
            if event:
                yield event.metadata


def _missing(what: str, base_dt: str, asset: dg.AssetKey) -> Response:
    error = MissingArtifactError(
        f"Dagster's history has no {what} of {base_dt}: materialize {asset.to_user_string()} for"
        " it. Earlier releases kept none there: the file is among the artifacts, and in MLflow."
    )
    return PlainTextResponse(str(error), 404, PAGE_HEADERS)
