"""The environment, typed, with defaults that need no server."""

import os
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from credit_ct_dagster.errors import CreditCtError


class Settings(BaseSettings):
    """Every variable the platform reads. Relative paths are relative to the working directory."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    feature_store_url: SecretStr = Field(
        default=SecretStr("sqlite:///var/feature_store.db"),
        description="SQLAlchemy URL; in production mysql+pymysql://user:secret@host:3306/mlops",
    )
    artifacts_path: str = Field(
        default="artifacts", description="Where artifacts go: a folder, or any fsspec URL"
    )
    mlflow_tracking_uri: SecretStr = Field(
        default=SecretStr("sqlite:///var/mlflow.db"),
        description="MLflow store, or http://host:5000",
    )
    optuna_storage_url: SecretStr = Field(
        default=SecretStr("sqlite:///var/optuna.db"),
        description="SQLAlchemy URL of the database that keeps the searches' trials",
    )
    dask_scheduler_address: str | None = Field(
        default=None,
        description="Fit trials on the workers of this Dask scheduler, such as tcp://host:8786",
    )
    mlflow_ui_url: str = Field(
        default="http://127.0.0.1:5000", description="Where people open MLflow (make mlflow)"
    )
    bentoml_home: Path = Field(
        default=Path("var/bentoml"), description="BentoML's own variable: its store"
    )
    model_name: str = Field(
        default="credit_score_classification",
        pattern=r"^[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$",
        description="Folder, MLflow experiment, and BentoML tag name",
    )
    partitions_start: date = Field(default=date(2025, 1, 1), description="The first base date")
    retention_days: int | None = Field(
        default=7,
        ge=1,
        description="Merging base date D deletes the rows of base dates up to D - this many days;"
        " 'none' keeps all",
    )
    new_data_stable_minutes: int = Field(
        default=10,
        ge=1,
        description="Yesterday's base date starts when no more of its rows came for so long",
    )
    late_data_days: int = Field(
        default=3,
        ge=0,
        description="This many of the newest base dates are trained again when their rows change",
    )
    prune_keep_days: int = Field(
        default=90,
        ge=1,
        description="credit-ct prune deletes what belongs to base dates up to the newest one - this"
        " many days",
    )
    webserver_url: str = Field(
        default="http://127.0.0.1:3000", description="Where people open the UI"
    )

    log_format: Literal["text", "json"] = Field(
        default="text", description="Log lines for people, or JSON for machines"
    )

    alert_webhook_url: SecretStr | None = Field(
        default=None, description="Post alerts as JSON to this URL"
    )
    smtp_host: str | None = Field(default=None, description="Mail server; none: no e-mail")
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_starttls: bool = Field(default=True, description="Encrypt, to a trusted certificate")
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    mail_from: str = "credit-ct@localhost"
    mail_to: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Recipients, separated by commas"
    )

    @field_validator("retention_days", mode="before")
    @classmethod
    def _none_keeps_all(cls, value: object) -> object:
        return None if isinstance(value, str) and value.strip().lower() == "none" else value

    @field_validator("mail_to", mode="before")
    @classmethod
    def _split_recipients(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    def export(self) -> None:
        """Put the effective values where other libraries look: the process environment.

        BentoML reads its home at import; Dagster resolves `EnvVar` at run time, which keeps secrets
        out of the UI; child processes (a step, a worker) inherit both.
        """
        os.environ["BENTOML_HOME"] = str(self.bentoml_home.absolute())
        os.environ["FEATURE_STORE_URL"] = self.feature_store_url.get_secret_value()
        os.environ["OPTUNA_STORAGE_URL"] = self.optuna_storage_url.get_secret_value()
        self._export_mlflow()
        # A bank's training data is nobody else's business, not even in numbers.
        os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        if self.smtp_password is not None:
            os.environ["SMTP_PASSWORD"] = self.smtp_password.get_secret_value()
        if self.alert_webhook_url is not None:
            os.environ["ALERT_WEBHOOK_URL"] = self.alert_webhook_url.get_secret_value()
        if self.log_format == "json":
            # structlog takes half a second to import, which text does not need.
            from credit_ct_dagster import logs

            logs.write_json()

    def redacted(self, text: str) -> str:
        """A text without the secrets of this environment, whatever a library put into it."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                for secret in _secrets_in(name, value.get_secret_value()):
                    text = text.replace(secret, "***")
        return text

    def _export_mlflow(self) -> None:
        """MLflow prints the tracking URI with every run: user and password go another way."""
        uri = self.mlflow_tracking_uri.get_secret_value()
        server = urlsplit(uri)
        if server.scheme in {"http", "https"} and server.username:
            os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(server.username)
            os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(server.password or "")
            uri = server._replace(netloc=server.netloc.rpartition("@")[2]).geturl()
        os.environ["MLFLOW_TRACKING_URI"] = uri
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        # An operator waits for seconds, not for minutes, to hear that a server is down.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")


def _secrets_in(name: str, value: str) -> set[str]:
    """What must not be shown of a secret: of an address the password, else all of it."""
    if name in {"smtp_password", "alert_webhook_url"}:
        return {value}
    password = urlsplit(value).password
    return {password, unquote(password)} if password else set()


@cache
def get_settings() -> Settings:
    """Read the environment and `.env` once per process, and export what was read.

    Raises:
        CreditCtError: A variable has a value that cannot be used; the value is not repeated.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors()
        )
        raise CreditCtError(f"The environment (or .env) cannot be used: {problems}") from None
    settings.export()
    return settings
