"""The environment, typed, with defaults that need no server."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from credit_ct_dagster.contracts.model_name import DEFAULT_MODEL_NAME
from credit_ct_dagster.contracts.utility import Metric, matrix_of
from credit_ct_dagster.errors.inputs import SettingsError


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
        description="Fit trials, and score customers, on the workers of this Dask scheduler, such"
        " as tcp://host:8786",
    )
    mlflow_ui_url: str | None = Field(
        default=None,
        description="Where people open MLflow; by default the address of the server that"
        " MLFLOW_TRACKING_URI names, and of a database http://127.0.0.1:5000 (make mlflow)",
    )
    bentoml_home: Path = Field(
        default=Path("var/bentoml"), description="BentoML's own variable: its store"
    )
    package_validation: Literal["server", "process"] = Field(
        default="server",
        description="A package is started as a server before it becomes the champion; 'process'"
        " asks it in the process that decides",
    )
    model_name: str = Field(
        default=DEFAULT_MODEL_NAME,
        pattern=r"^[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$",
        description="Folder, MLflow experiment, and BentoML tag name",
    )
    utility: Metric = Field(
        default=Metric.macro_f1,
        description="What the class of an answer is chosen for, and what the gate compares models"
        " by: macro_f1, accuracy or expected_cost",
    )
    cost_matrix: Annotated[list[list[float]] | None, NoDecode, BeforeValidator(matrix_of)] = Field(
        default=None,
        description="For expected_cost, as JSON: rows are true classes [default: by DATA_SCHEMA]",
    )
    class_rule: Literal["utility", "highest_score"] = Field(
        default="utility",
        description="Derive the class from the calibrated probabilities, or take the highest raw"
        " score, as the bank's first pipeline did",
    )
    excluded_features: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Features that no model is trained on, by commas"
    )
    protected_features: Annotated[list[str] | None, NoDecode] = Field(
        default=None,
        description="Features that the bank marks as protected, by commas: a reason that rests on"
        " one raises a compliance flag; 'none' marks none [default: those of DATA_SCHEMA]",
    )
    data_schema: Path | None = Field(
        default=None, description="A YAML file that declares tables, columns and classes"
    )
    run_config: Path | None = Field(
        default=None,
        description="A YAML file with hours of schedules, and run configuration of ops: the default"
        " of every run, those of schedules and sensors included",
    )
    partitions_start: date = Field(default=date(2025, 1, 1), description="The first base date")
    retention_days: int | None = Field(
        default=7,
        ge=1,
        description="Merging base date D deletes rows up to D - this many days; 'none' keeps all",
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
        " many days; holdouts on which models are judged remain for three label windows",
    )
    predictions_keep_days: int | None = Field(
        default=400,
        ge=1,
        description="credit-ct prune also deletes predictions that are older than this many days"
        " from the log of the service, and what was found about their days; 'none' keeps all. A"
        " probation (62 days) is decided by what is left of them",
    )
    prune_on_schedule: bool = Field(default=False, description="credit-ct prune --yes every night")
    warm_runs: bool = Field(default=True, description="Fork runs, libraries imported (Linux)")
    webserver_url: str = Field(
        default="http://127.0.0.1:3000", description="Where people open the UI"
    )
    ui_allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default=["localhost", "127.0.0.1"],
        description="Names by which Dagster's UI may be called, by commas, besides WEBSERVER_URL's",
    )
    ui_user: str = Field(default="credit-ct", description="User of Dagster's UI")
    ui_password: SecretStr | None = Field(
        default=None, description="Password of that user; none asks for no login"
    )

    serving_host: str = Field(
        default="127.0.0.1", description="Address of this machine that credit-ct serve listens on"
    )
    serving_port: int = Field(default=8000, ge=1, le=65535, description="Its port")
    serving_workers: int = Field(default=2, ge=1, le=256, description="Its processes")
    serving_api_keys: SecretStr | None = Field(
        default=None, description="Keys that callers may use, separated by commas"
    )
    serving_api_keys_file: Path | None = Field(
        default=None, description="A file with one more key per line"
    )
    serving_database_url: SecretStr | None = Field(
        default=None,
        description="As FEATURE_STORE_URL, which is the default, with a user that may only read"
        " features and insert into the log of predictions",
    )
    serving_state_path: Path = Field(
        default=Path("var/serving"),
        description="Folder of the service's workers, their metrics and the spool of the log",
    )
    serving_max_body_bytes: int = Field(
        default=2_097_152, ge=1_000, description="Longer requests are refused"
    )
    serving_timeout_seconds: float = Field(
        default=30, gt=0, description="Requests that take longer are given up"
    )
    service_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Where credit-ct status, doctor and watch, and champion_health ask the service",
    )

    runbook_url: str | None = Field(
        default=None,
        description="Where people read the runbook; errors link to its sections"
        " [default: docs/runbook.md]",
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
    mail_to: Annotated[list[str], NoDecode] = Field(default=[], description="Recipients, by commas")

    @field_validator("retention_days", "predictions_keep_days", mode="before")
    @classmethod
    def _none_keeps_all(cls, value: object) -> object:
        return None if isinstance(value, str) and value.strip().lower() == "none" else value

    @field_validator(
        "mail_to", "ui_allowed_hosts", "excluded_features", "protected_features", mode="before"
    )
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        return [] if [part.lower() for part in parts] == ["none"] else parts

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment and `.env`.

        Raises:
            SettingsError: A variable has a value that cannot be used; the value is not repeated.
        """
        try:
            return cls()
        except ValidationError as error:
            raise unusable(error) from None

    def exported(self) -> dict[str, str]:
        """The variables that libraries and child processes look up in the environment.

        BentoML reads its home at import; Dagster resolves `EnvVar` at run time, which keeps secrets
        out of the UI; errors name the runbook by RUNBOOK_URL.
        """
        variables = {
            "BENTOML_HOME": str(self.bentoml_home.absolute()),
            "FEATURE_STORE_URL": self.feature_store_url.get_secret_value(),
            "OPTUNA_STORAGE_URL": self.optuna_storage_url.get_secret_value(),
            "LOG_FORMAT": self.log_format,
            **self._mlflow(),
        }
        secrets = {"SMTP_PASSWORD": self.smtp_password, "SERVING_API_KEYS": self.serving_api_keys}
        secrets["ALERT_WEBHOOK_URL"] = self.alert_webhook_url
        variables |= {name: each.get_secret_value() for name, each in secrets.items() if each}
        if self.data_schema:
            variables["DATA_SCHEMA"] = str(self.data_schema.absolute())
        if self.runbook_url:
            variables["RUNBOOK_URL"] = self.runbook_url
        return variables

    def _mlflow(self) -> dict[str, str]:
        """MLflow prints the tracking URI with every run: user and password go another way."""
        uri = self.mlflow_tracking_uri.get_secret_value()
        server = urlsplit(uri)
        if server.scheme not in {"http", "https"} or not server.username:
            return {"MLFLOW_TRACKING_URI": uri}
        return {
            "MLFLOW_TRACKING_USERNAME": unquote(server.username),
            "MLFLOW_TRACKING_PASSWORD": unquote(server.password or ""),
            "MLFLOW_TRACKING_URI": server._replace(
                netloc=server.netloc.rpartition("@")[2]
            ).geturl(),
        }


def unusable(error: ValidationError) -> SettingsError:
    """What is wrong with variables, without their values."""
    problems = "; ".join(
        ": ".join(filter(None, [".".join(map(str, problem["loc"])).upper(), str(problem["msg"])]))
        for problem in error.errors()
    )
    return SettingsError(
        f"The environment (or .env) cannot be used: {problems}. Correct the variable, then try"
        " again."
    )
