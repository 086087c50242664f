"""MLflow's registered model: a version per packaged model, and the aliases of those that serve."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.models import MissingModelError
from credit_ct_dagster.resources.mlflow.pages import all_pages
from credit_ct_dagster.resources.mlflow.tags import VERSION_TAG_PREFIX
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking, is_missing

if TYPE_CHECKING:  # commands that look at no version do not wait for MLflow
    from mlflow.entities.model_registry import ModelVersion

_LINKED = [
    "base_dt", "mlflow_run_id", "bentoml_tag", "dagster_run_id", "data_fingerprint",
    "package_sha256",
]  # fmt: skip
"""The fields of an identity that a version carries as tags."""


class ModelRegistry:
    """The registered model of one name, in the tracking store."""

    def __init__(self, tracking: MlflowTracking) -> None:
        self.name = tracking.model_name
        self._tracking = tracking

    def register(self, model: ModelIdentity) -> ModelIdentity:
        """Make sure that a model's run has one version, which links its newest package.

        Args:
            model: What the version links; its registered model and version are ignored.

        Returns:
            The same, with its registered version.

        Raises:
            MissingModelError: The model of the run was deleted.
            MlflowUnavailableError: MLflow does not answer.
        """
        tags = {f"{VERSION_TAG_PREFIX}{name}": str(getattr(model, name)) for name in _LINKED}
        client = self._tracking.client
        with self._translated(f"registering the model of base date {model.base_dt}"):
            self._create_missing()
            found = client.search_model_versions(
                f"name = '{self.name}' and run_id = '{model.mlflow_run_id}'"
            )
            if not found:
                return self._identity(self._create_version(model, tags))
            newest = found[0]
            for name, value in tags.items():
                if newest.tags.get(name) != value:
                    client.set_model_version_tag(self.name, newest.version, name, value)
            return self._identity(client.get_model_version(self.name, newest.version))

    def with_alias(self, alias: str) -> ModelIdentity | None:
        """The version that carries an alias; None if none does."""
        with self._translated(f"reading the alias {alias}"):
            version = self._aliases().get(alias)
            return None if version is None else self._identity(self._version(version))

    def of_run(self, mlflow_run_id: str) -> ModelIdentity | None:
        """The version of the model of a run; None before it is registered."""
        with self._translated(f"looking for the version of run {mlflow_run_id}"):
            found = self._tracking.client.search_model_versions(
                f"name = '{self.name}' and run_id = '{mlflow_run_id}'"
            )
            return self._identity(found[0]) if found else None

    def find(self, version: str) -> ModelIdentity | None:
        """What a version links; None if it was deleted, or never existed."""
        from mlflow.exceptions import MlflowException

        with self._translated(f"looking for version {version}"):
            try:
                return self._identity(self._version(version))
            except MlflowException as error:
                if is_missing(error):
                    return None
                raise

    def aliased(self) -> dict[str, str]:
        """Base date per alias, whoever set it; of a version registered by hand, that of its run."""
        found = {}
        with self._translated("reading the aliases"):
            for alias, number in self._aliases().items():
                version = self._version(number)
                base_dt = self._identity(version).base_dt
                if not base_dt and version.run_id:
                    base_dt = self._tracking.base_date_of(version.run_id)
                found[alias] = base_dt
        return found

    def versions(self) -> list[ModelIdentity]:
        """All versions that the platform registered."""
        client = self._tracking.client
        with self._translated("listing the registered versions"):
            found = all_pages(
                lambda token: client.search_model_versions(
                    f"name = '{self.name}'", page_token=token
                )
            )
            return [version for version in map(self._identity, found) if version.base_dt]

    def delete(self, version: str) -> None:
        """Delete a version; its run retains the model."""
        with self._translated(f"deleting version {version}"):
            self._tracking.client.delete_model_version(self.name, version)

    def set_alias(self, alias: str, version: str | None) -> None:
        """Move an alias to a version; None removes it."""
        client = self._tracking.client
        with self._translated(f"moving the alias {alias}"):
            if version is not None:
                client.set_registered_model_alias(self.name, alias, version)
            elif alias in self._aliases():
                client.delete_registered_model_alias(self.name, alias)

    def note(self, version: str, key: str, value: str) -> None:
        """Set a tag of a version; the platform's prefix is added to its key."""
        with self._translated(f"tagging version {version}"):
            self._tracking.client.set_model_version_tag(
                self.name, version, f"{VERSION_TAG_PREFIX}{key}", value
            )

    def noted(self, version: str, key: str) -> str | None:
        """Read a tag that `note` set; None if it is not set."""
        with self._translated(f"reading version {version}"):
            return self._version(version).tags.get(f"{VERSION_TAG_PREFIX}{key}")

    def _translated(self, doing: str) -> AbstractContextManager[None]:
        return self._tracking.translated(doing)

    def _version(self, number: str) -> "ModelVersion":
        return self._tracking.client.get_model_version(self.name, number)

    def _identity(self, version: "ModelVersion") -> ModelIdentity:
        """What a version links; fields are empty for a version that somebody else registered."""
        return ModelIdentity(
            registered_model=self.name,
            registered_version=str(version.version),
            **{name: version.tags.get(f"{VERSION_TAG_PREFIX}{name}", "") for name in _LINKED},
        )

    def _aliases(self) -> dict[str, str]:
        from mlflow.exceptions import MlflowException

        try:
            aliases = self._tracking.client.get_registered_model(self.name).aliases
        except MlflowException as error:
            if is_missing(error):
                return {}
            raise
        return {alias: str(version) for alias, version in aliases.items()}

    def _create_missing(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._tracking.client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _create_version(self, model: ModelIdentity, tags: dict[str, str]) -> "ModelVersion":
        model_id = self._model_of(model.mlflow_run_id)
        if model_id is None:
            raise MissingModelError(
                f"The model of MLflow run {model.mlflow_run_id} of base date {model.base_dt} was"
                " deleted. Run this base date again with resume: false in the configuration of"
                " tuned_runs."
            )
        return self._tracking.client.create_model_version(
            self.name, f"models:/{model_id}", model.mlflow_run_id, tags=tags, model_id=model_id
        )

    def _model_of(self, run_id: str) -> str | None:
        """The id of the model that a run logged; None if somebody has deleted it."""
        from mlflow.exceptions import MlflowException

        run = self._tracking.client.get_run(run_id)
        outputs = run.outputs.model_outputs if run.outputs else []
        if not outputs:
            return None
        try:
            return str(self._tracking.client.get_logged_model(outputs[0].model_id).model_id)
        except MlflowException as error:
            if is_missing(error):
                return None
            raise
