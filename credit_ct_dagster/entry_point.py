"""What every process of the platform does first."""

import os
import warnings
from collections.abc import Mapping

from credit_ct_dagster import logs
from credit_ct_dagster.garbage import collect_seldom
from credit_ct_dagster.settings import Settings

_LIBRARY_DEFAULTS = {
    # A bank's training data is nobody else's business, not even in numbers.
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # An operator waits for seconds, not for minutes, to hear that a server is down.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}


def set_up_process(libraries: Mapping[str, str] | None = None) -> Settings:
    """Read the settings and prepare this process for them.

    Every entry point calls it once, before anything else: the code location, a command, a worker.
    Nothing else of the package reads `.env` or changes the environment.

    Args:
        libraries: Variables of libraries that this kind of process needs, unless the environment
            has them.

    Raises:
        SettingsError: A variable has a value that cannot be used.
    """
    settings = Settings.from_environment()
    collect_seldom()
    # For the authors of code locations, who have pinned the versions: dagster-mlflow is in beta.
    warnings.filterwarnings("ignore", message=r".* is currently in beta, and may have breaking")
    os.environ.update(settings.exported())
    for name, value in {**_LIBRARY_DEFAULTS, **(libraries or {})}.items():
        os.environ.setdefault(name, value)
    if settings.log_format == "json":
        logs.write_json()
    return settings
