"""Where people open Dagster."""

from urllib.parse import urlencode

import dagster as dg
from pydantic import Field

HEALTH_PATH = "/champion-health"
"""Where `credit-ct ui` serves the pages on the champion's health, a page per prediction day."""
CARD_PATH = "/model-card"
"""Likewise the model cards, a page per base date."""
PICTURES_PATH = "/search-pictures"
"""Likewise the pictures of searches, by base date and name."""
PERFORMANCE_PATH = "/served-performance"
"""Likewise on what labels say of the answers of a prediction day."""
PACKED_RECORD = "packed_record"
"""Metadata of an asset: the record that such a page is made from."""


class DagsterUI(dg.ConfigurableResource):
    """Links to pages of Dagster's UI."""

    url: str = Field(
        default="http://127.0.0.1:3000", description="Address that people open in a browser"
    )

    model_name: str = Field(
        default="", description="The model whose pages on its health are linked"
    )

    def run_url(self, run_id: str) -> str:
        """The page of a run."""
        return f"{self.url.rstrip('/')}/runs/{run_id}"

    def backfill_url(self, backfill_id: str) -> str:
        """The page of a backfill."""
        return f"{self.url.rstrip('/')}/runs/b/{backfill_id}"

    def asset_url(self, asset: dg.AssetKey, shown: dict[str, str]) -> str:
        """The page of an asset.

        Args:
            asset: Which one.
            shown: What the page shows of it, such as `view` and `partition`.
        """
        query = f"?{urlencode(shown)}" if shown else ""
        return f"{self.url.rstrip('/')}/assets/{'/'.join(asset.path)}{query}"

    def partition_url(self, asset: dg.AssetKey, partition: str | None) -> str:
        """The page of an asset with one of its partitions, if it is about one."""
        shown = {"view": "partitions", "partition": partition} if partition else {}
        return self.asset_url(asset, shown)

    def health_url(self, day: str | None = None) -> str:
        """The page on how the champion did on a prediction day, which `credit-ct ui` serves.

        Args:
            day: The prediction day. [default: the newest one that has a page]
        """
        return f"{self.url.rstrip('/')}{self.health_path(day)}"

    def health_path(self, day: str | None = None) -> str:
        """The same for pages of the same server."""
        return f"{HEALTH_PATH}/{day}{self._of_model}" if day else f"{HEALTH_PATH}{self._of_model}"

    def performance_url(self, day: str) -> str:
        """The page on what labels say of a day's answers, which `credit-ct ui` serves."""
        return f"{self.url.rstrip('/')}{self.performance_path(day)}"

    def performance_path(self, day: str) -> str:
        """The same for pages of the same server."""
        return f"{PERFORMANCE_PATH}/{day}{self._of_model}"

    def card_path(self, base_dt: str) -> str:
        """The model card of a base date, for pages of the same server."""
        return f"{CARD_PATH}/{base_dt}{self._of_model}"

    def card_url(self, base_dt: str) -> str:
        """The same, for pages of other servers."""
        return f"{self.url.rstrip('/')}{self.card_path(base_dt)}"

    def picture_path(self, base_dt: str, name: str) -> str:
        """A picture of the search of a base date; as `card_path`."""
        return f"{PICTURES_PATH}/{base_dt}/{name}{self._of_model}"

    @property
    def _of_model(self) -> str:
        return f"?{urlencode({'model': self.model_name})}" if self.model_name else ""
