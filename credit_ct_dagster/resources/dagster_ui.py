"""Where people open Dagster."""

from urllib.parse import urlencode

import dagster as dg
from pydantic import Field


class DagsterUI(dg.ConfigurableResource):
    """Links to pages of Dagster's UI."""

    url: str = Field(
        default="http://127.0.0.1:3000", description="Address that people open in a browser"
    )

    def run_url(self, run_id: str) -> str:
        """The page of a run."""
        return f"{self.url.rstrip('/')}/runs/{run_id}"

    def asset_url(self, asset: dg.AssetKey, shown: dict[str, str]) -> str:
        """The page of an asset.

        Args:
            asset: Which one.
            shown: What the page shows of it, such as `view` and `partition`.
        """
        query = f"?{urlencode(shown)}" if shown else ""
        return f"{self.url.rstrip('/')}/assets/{'/'.join(asset.path)}{query}"
