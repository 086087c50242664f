"""MLflow's registered model: a version per package content, and the aliases of those that serve."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.resources.mlflow.pages import all_pages
from credit_ct_dagster.resources.mlflow.scorers import LoggedScorers, Packages
from credit_ct_dagster.resources.mlflow.tags import CONTENT_TAG, VERSION_TAG_PREFIX
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking, is_missing

if TYPE_CHECKING:  # commands that look at no version do not wait for MLflow
    from mlflow.entities.model_registry import ModelVersion

_ABOUT = (
    "Packages that answer by themselves. The alias champion is on the version that serves; the"
    " description of a version says what was decided on it."
)
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

    def register(self, model: ModelIdentity, packages: Packages) -> ModelIdentity:
        """Make sure that there is a version of a package, which links it.

        The same content is registered once: packaged again, its version links the new package.

        Args:
            model: What the version links, with the hash of the package; its registered model and
                version are ignored.
            packages: Where the package is.

        Returns:
            The same, with its registered version.

        Raises:
            MissingModelError: The run of the model was deleted.
            DeletedInMlflowError: It is in MLflow's trash.
            MlflowUnavailableError: MLflow does not answer.
        """
        tags = {f"{VERSION_TAG_PREFIX}{name}": str(getattr(model, name)) for name in _LINKED}
        client = self._tracking.client
        with self._translated(f"registering the model of base date {model.base_dt}"):
            self._create_missing()
            found = [
                version
                for version in self._versions_of(model.mlflow_run_id)
                if version.tags.get(CONTENT_TAG) == model.package_sha256
            ]
            if not found:
                return self._identity(self._create_version(model, tags, packages))
            newest = found[-1]
            for name, value in tags.items():
                if newest.tags.get(name) != value:
                    client.set_model_version_tag(self.name, newest.version, name, value)
            return self._identity(self._version(newest.version))

    def with_alias(self, alias: str) -> ModelIdentity | None:
        """The version that carries an alias; None if none does.

        One request: every worker of the service asks it twice a second.
        """
        from mlflow.exceptions import MlflowException

        with self._translated(f"reading the alias {alias}"):
            try:
                found = self._tracking.client.get_model_version_by_alias(self.name, alias)
            except MlflowException:  # of the same code for no alias as for any mistake
                if alias in self._aliases():
                    raise
                return None
            return self._identity(found)

    def of_package(self, mlflow_run_id: str, bentoml_tag: str) -> ModelIdentity | None:
        """The newest version of a run's model that links a package; None if there is none."""
        with self._translated(f"looking for the version of run {mlflow_run_id}"):
            found = map(self._identity, self._versions_of(mlflow_run_id))
            return ([None] + [each for each in found if each.bentoml_tag == bentoml_tag])[-1]

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

    def describe(self, mlflow_run_id: str, text: str) -> None:
        """Set the description of the versions of a run's model, as Markdown."""
        with self._translated(f"describing the versions of run {mlflow_run_id}"):
            for version in self._versions_of(mlflow_run_id):
                self._tracking.client.update_model_version(self.name, version.version, text)

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
            self._tracking.client.create_registered_model(self.name, description=_ABOUT)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _versions_of(self, mlflow_run_id: str) -> "list[ModelVersion]":
        """The versions of the model of a run, the newest last."""
        found = self._tracking.client.search_model_versions(
            f"name = '{self.name}' and run_id = '{mlflow_run_id}'"
        )
        return sorted(found, key=lambda version: int(version.version))

    def _create_version(
        self, model: ModelIdentity, tags: dict[str, str], packages: Packages
    ) -> "ModelVersion":
        model_id = LoggedScorers(self._tracking).log(model, packages)
        return self._tracking.client.create_model_version(
            self.name,
            f"models:/{model_id}",
            model.mlflow_run_id,
            tags={**tags, CONTENT_TAG: model.package_sha256},
            model_id=model_id,
        )
