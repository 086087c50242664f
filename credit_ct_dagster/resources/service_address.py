"""Where the HTTP service is asked how it is."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.serving.http.api_keys import read_api_keys


class ServiceAddress(dg.ConfigurableResource):
    """The address of the service, and a key with which it tells its model."""

    url: str = Field(default="http://127.0.0.1:8000", description="Where it listens")
    is_expected: bool = Field(
        default=False, description="Whether it has to run: its address was configured"
    )
    api_keys: str | None = Field(default=None, description="Its keys, separated by commas")
    api_keys_file: str | None = Field(default=None, description="A file with one more key per line")

    @property
    def key(self) -> str | None:
        """One of its keys; None without any that can be used, which the service reports itself."""
        file = Path(self.api_keys_file) if self.api_keys_file else None
        try:
            keys = read_api_keys(self.api_keys or "", file)
        except SettingsError:
            return None
        return keys[0] if keys else None
