"""MLflow's registered model: a version per packaged model, and the aliases of those that serve."""

from dataclasses import asdict, dataclass

from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.resources.mlflow.tracking import (
    BASE_DATE_TAG,
    MlflowTracking,
    all_pages,
    failures_told,
    is_gone,
)

_TAG = "credit_ct."


@dataclass(frozen=True)
class ModelVersion:
    """A registered version, and the other things that its lineage links.

    Attributes:
        version: Of the registered model.
        base_dt: Whose rows it was trained on.
        mlflow_run_id: The run that logged it.
        bentoml_tag: Its newest package.
        dagster_run_id: The run that made that package.
        data_fingerprint: Of the rows.
    """

    version: str
    base_dt: str
    mlflow_run_id: str
    bentoml_tag: str
    dagster_run_id: str
    data_fingerprint: str


class ModelRegistry:
    """The registered model of one name, in the tracking store."""

    def __init__(self, tracking: MlflowTracking) -> None:
        self.name = tracking.model_name
        self._client = tracking.client

    def register(self, model: ModelVersion) -> ModelVersion:
        """Make sure that there is one version of a model's run, which names its newest package.

        Args:
            model: What the version links; its own `version` is not looked at.

        Returns:
            The same, with its version.

        Raises:
            UnavailableError: MLflow does not take it.
            CreditCtError: The run has no model any more.
        """
        tags = {f"{_TAG}{k}": v for k, v in asdict(model).items() if k != "version"}
        with failures_told(f"registering the model of base date {model.base_dt}"):
            self._create_missing()
            found = self._client.search_model_versions(
                f"name = '{self.name}' and run_id = '{model.mlflow_run_id}'"
            )
            if not found:
                return _read(self._create_version(model, tags))
            newest = found[0]
            for name, value in tags.items():
                if newest.tags.get(name) != value:
                    self._client.set_model_version_tag(self.name, newest.version, name, value)
            return _read(self._client.get_model_version(self.name, newest.version))

    def with_alias(self, alias: str) -> ModelVersion | None:
        """The version that carries an alias; none if none does."""
        with failures_told(f"the alias {alias}"):
            version = self._aliases().get(alias)
            if version is None:
                return None
            return _read(self._client.get_model_version(self.name, version))

    def aliased(self) -> dict[str, str]:
        """Base date per alias, whoever set it; of a version registered by hand, that of its run."""
        found = {}
        with failures_told("the aliases"):
            for alias, number in self._aliases().items():
                version = self._client.get_model_version(self.name, number)
                base_dt = _read(version).base_dt
                if not base_dt and version.run_id:
                    run = self._client.get_run(version.run_id)
                    base_dt = run.data.tags.get(BASE_DATE_TAG, "")
                found[alias] = base_dt
        return found

    def versions(self) -> list[ModelVersion]:
        """All versions that the platform registered."""
        with failures_told("the registered versions"):
            found = all_pages(
                lambda token: self._client.search_model_versions(
                    f"name = '{self.name}'", page_token=token
                )
            )
            return [version for version in map(_read, found) if version.base_dt]

    def delete(self, version: str) -> None:
        """Delete a version; its run keeps the model."""
        with failures_told(f"deleting version {version}"):
            self._client.delete_model_version(self.name, version)

    def set_alias(self, alias: str, version: str | None) -> None:
        """Give an alias to a version, or take it from all."""
        with failures_told(f"the alias {alias}"):
            if version is not None:
                self._client.set_registered_model_alias(self.name, alias, version)
            elif alias in self._aliases():
                self._client.delete_registered_model_alias(self.name, alias)

    def note(self, version: str, key: str, value: str) -> None:
        """Leave a tag on a version."""
        with failures_told(f"version {version}"):
            self._client.set_model_version_tag(self.name, version, f"{_TAG}{key}", value)

    def noted(self, version: str, key: str) -> str | None:
        """Read such a tag."""
        with failures_told(f"version {version}"):
            tags = self._client.get_model_version(self.name, version).tags
        return tags.get(f"{_TAG}{key}")

    def _aliases(self) -> dict[str, str]:
        try:
            aliases = self._client.get_registered_model(self.name).aliases
        except MlflowException as error:
            if is_gone(error):
                return {}
            raise
        return {alias: str(version) for alias, version in aliases.items()}

    def _create_missing(self) -> None:
        try:
            self._client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _create_version(self, model: ModelVersion, tags: dict[str, str]) -> MlflowVersion:
        model_id = self._model_of(model.mlflow_run_id)
        if model_id is None:
            raise CreditCtError(
                f"MLflow run {model.mlflow_run_id} has no model any more: run base date"
                f" {model.base_dt} again with resume: false in the configuration of tuned_runs."
            )
        return self._client.create_model_version(
            self.name, f"models:/{model_id}", model.mlflow_run_id, tags=tags, model_id=model_id
        )

    def _model_of(self, run_id: str) -> str | None:
        """The id of the model that a run logged; none when somebody deleted it since."""
        run = self._client.get_run(run_id)
        outputs = run.outputs.model_outputs if run.outputs else []
        if not outputs:
            return None
        try:
            return str(self._client.get_logged_model(outputs[0].model_id).model_id)
        except MlflowException as error:
            if is_gone(error):
                return None
            raise


def _read(found: MlflowVersion) -> ModelVersion:
    tags = {name.removeprefix(_TAG): value for name, value in found.tags.items()}
    names = [name for name in ModelVersion.__dataclass_fields__ if name != "version"]
    return ModelVersion(str(found.version), **{name: tags.get(name, "") for name in names})
