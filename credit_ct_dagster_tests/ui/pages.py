"""The pages that are served beside Dagster's own, and what they are made from."""

import asyncio

import dagster as dg
import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from credit_ct_dagster.resources.dagster_ui import PACKED_RECORD
from credit_ct_dagster.ui.health_pages import add_health_pages
from credit_ct_dagster.ui.model_pages import add_model_pages
from credit_ct_dagster.ui.performance_pages import add_performance_pages


class UIServer:
    """Dagster's server, which answers to every path, with the pages before it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._app = Starlette(
            routes=[Route("/{path:path}", lambda _: PlainTextResponse("Dagster"))]
        )
        add_health_pages(self._app, instance)
        add_performance_pages(self._app, instance)
        add_model_pages(self._app, instance)

    def get(self, path: str) -> httpx.Response:
        """The answer to a request; redirects are not followed."""

        async def answered() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://ui") as client:
                return await client.get(path)

        return asyncio.run(answered())


def materialize(instance: dg.DagsterInstance, asset: str, day: str, packed: str | None) -> None:
    """Report that an asset was materialized; an earlier release kept no record of some days."""
    metadata = {PACKED_RECORD: dg.MetadataValue.json({PACKED_RECORD: packed})} if packed else {}
    made = dg.AssetMaterialization(asset, partition=day, metadata=metadata)
    instance.report_runless_asset_event(made)
