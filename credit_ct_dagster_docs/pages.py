"""Every page of the reference, by the name of its file."""

from collections.abc import Callable

from credit_ct_dagster_docs import (
    artifacts,
    columns,
    commands,
    error_codes,
    http_api,
    run_configuration,
    settings,
)

PAGES: dict[str, Callable[[], str]] = {
    "settings": settings.page,
    "run-configuration": run_configuration.page,
    "commands": commands.page,
    "columns": columns.page,
    "artifacts": artifacts.page,
    "http-api": http_api.page,
    "codes": error_codes.page,
}
