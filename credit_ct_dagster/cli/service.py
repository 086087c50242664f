"""The service as commands see it: its keys, and where to ask it."""

from typing import TYPE_CHECKING

from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.operations.service import Service
from credit_ct_dagster.serving.http.api_keys import read_api_keys
from credit_ct_dagster.settings import Settings

if TYPE_CHECKING:
    from credit_ct_dagster.wiring import Wiring

# It imports no Dagster: the supervisor of the service needs none.


def api_keys(settings: Settings) -> list[str]:
    """The keys of the service's callers (SERVING_API_KEYS, SERVING_API_KEYS_FILE).

    Raises:
        SettingsError: They cannot be used.
    """
    given = settings.serving_api_keys.get_secret_value() if settings.serving_api_keys else ""
    return read_api_keys(given, settings.serving_api_keys_file)


def service_of(wiring: "Wiring") -> Service:
    """The service to ask (SERVICE_URL), with a key if this process may read one."""
    settings = wiring.settings
    try:
        keys = api_keys(settings)
    except SettingsError:  # of the service, which reports it
        keys = []
    return Service(
        settings.service_url,
        keys[0] if keys else None,
        is_expected="service_url" in settings.model_fields_set,
        packages=wiring.bentoml_store,
    )
