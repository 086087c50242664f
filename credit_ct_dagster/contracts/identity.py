"""Which model: the names by which every store knows it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import model_validator

from credit_ct_dagster.contracts.files import LINEAGE_FILE
from credit_ct_dagster.contracts.record import Record


class ModelIdentity(Record):
    """The names of one model, and the rows that it was made from.

    Attributes:
        base_dt: The base date whose rows it was trained on.
        mlflow_run_id: The run that logged it.
        dagster_run_id: The run that packaged it.
        data_fingerprint: A hash of all merged rows, before they were split.
        bentoml_tag: Its package; empty before it is packaged.
        registered_model: The registered model in MLflow; empty in records of decisions before
            release 0.2.
        registered_version: Its version there; empty before it is registered.
        package_sha256: A hash of the package's files, by which a package that was changed is
            recognised before it is loaded; empty in what earlier releases wrote.
    """

    FILE: ClassVar[str] = LINEAGE_FILE
    REMEDY: ClassVar[str] = "materialize model_card for this base date"

    base_dt: str
    mlflow_run_id: str
    dagster_run_id: str
    data_fingerprint: str
    bentoml_tag: str = ""
    registered_model: str = ""
    registered_version: str = ""
    package_sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_release_0_1(cls, data: Any) -> Any:
        """`version` was the registered version, a text, and records had no version of their own."""
        if isinstance(data, dict) and isinstance(data.get("version"), str):
            rest = {name: value for name, value in data.items() if name != "version"}
            return {"registered_version": data["version"]} | rest
        return data

    def labels(self) -> dict[str, str]:
        """What it was made from, as labels of its package."""
        return {
            "base_dt": self.base_dt,
            "mlflow_run_id": self.mlflow_run_id,
            "dagster_run_id": self.dagster_run_id,
            "data_fingerprint": self.data_fingerprint,
        }

    @classmethod
    def from_labels(cls, labels: Mapping[str, str], bentoml_tag: str) -> Self | None:
        """The identity of a package; None for a package that the platform did not make."""
        names = ("base_dt", "mlflow_run_id", "dagster_run_id", "data_fingerprint")
        if not all(name in labels for name in names):
            return None
        return cls(bentoml_tag=bentoml_tag, **{name: labels[name] for name in names})


class Lineage(ModelIdentity):
    """The names of one model as the model card gives them, and what shows that it is the same.

    Attributes:
        predictions_sha256: A hash of its classes and probabilities on the holdout of its base date.
            Two trainings on the same rows give other files, which hold their identifiers and times,
            but the same predictions. Empty in what earlier releases wrote.
        predicted_rows: How many rows that hash covers.
    """

    predictions_sha256: str = ""
    predicted_rows: int = 0
