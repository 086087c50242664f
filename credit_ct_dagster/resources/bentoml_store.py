"""The BentoML model store: the packaged models, and what a package contains."""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.errors.models import (
    BrokenPackageError,
    ChangedPackageError,
    MissingPackageError,
)
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.resources.bentoml_contents import contents_of, is_current
from credit_ct_dagster.resources.bentoml_internals import PYFUNC, description_of, set_label
from credit_ct_dagster.resources.bentoml_packages import (
    ROLE,
    Package,
    PackagedModel,
    PackageFolders,
)
from credit_ct_dagster.serving.packaging import SCORER, write_package

# BentoML takes seconds to import, and the definitions import this module: methods import what they
# call. It must be imported late anyway: it reads BENTOML_HOME at import.
if TYPE_CHECKING:
    from catboost import CatBoostClassifier

_SIGNATURES = {"predict": {"batchable": True, "batch_dim": 0}}


class BentoMLStore(dg.ConfigurableResource):
    """Packages in the store that BENTOML_HOME names."""

    home: str = Field(description="Folder of the store, the same as BENTOML_HOME")
    model_name: str = Field(description="Names the model in every tag")

    def save(
        self,
        model: "CatBoostClassifier | bytes",
        data: ScorerRecord,
        identity: ModelIdentity,
        record: PackageRecord,
        metadata: Mapping[str, Any],
        golden: GoldenRows | None = None,
    ) -> str:
        """Package a model with what serving it needs; twice the same gives one package.

        Args:
            model: The fitted model, which takes prepared rows; or its file.
            data: What its scorer knows beside it.
            identity: What it was made from; becomes the labels. The package of the same Dagster run
                is replaced.
            record: The facts that are read again.
            metadata: Parameters and metrics, for people.
            golden: Rows with the answers that the pipeline gives.

        Returns:
            The tag, `name:version`.
        """
        import bentoml

        labels = identity.labels()
        with self._folders.writing():
            same_run = [
                package
                for package in self._folders.packages(identity.dagster_run_id)
                if package.identity.dagster_run_id == identity.dagster_run_id
            ]
            for package in same_run:
                if package.identity.labels() == labels:
                    return package.tag
            tag = bentoml.Tag(self.model_name).make_new_version()
            with tempfile.TemporaryDirectory() as temporary:
                made = Path(temporary, PYFUNC)
                write_package(made, model, data, golden)
                with self._folders.changing(tag.version):
                    saved = bentoml.mlflow.import_model(
                        tag,
                        str(made),
                        signatures=_SIGNATURES,
                        labels=labels,
                        metadata={**record.to_metadata(), **metadata},
                    )
            self._delete(each.tag for each in same_run)
            return str(saved.tag)

    def packaged(self, base_dt: str = "") -> list[Package]:
        """The packages that the platform made, oldest first, without importing BentoML.

        Args:
            base_dt: Only those of this base date. [default: all]
        """
        found = self._folders.packages(base_dt)
        return [each for each in found if not base_dt or each.identity.base_dt == base_dt]

    def tagged(self, tags: Collection[str]) -> list[Package]:
        """Those of some packages that the platform made and that still exist, oldest first."""
        found = self._folders.packages(*(tag.partition(":")[2] for tag in tags)) if tags else []
        return [each for each in found if each.tag in tags]

    def listed(self) -> tuple[list[Package], list[BrokenPackageError]]:
        """`packaged` and `broken`; every description is read once."""
        return self._folders.listed()

    def newest(self, base_dt: str, mlflow_run_id: str) -> ModelIdentity | None:
        """The newest package of a base date that was made from an MLflow run; None without one."""
        found = [
            package.identity
            for package in self._folders.packages(mlflow_run_id)
            if package.identity.base_dt == base_dt
            and package.identity.mlflow_run_id == mlflow_run_id
        ]
        return found[-1] if found else None

    def require_unchanged(self, model: ModelIdentity, sha256: str) -> None:
        """Make sure that a model's package still has a hash; an empty one is not compared.

        Raises:
            ChangedPackageError: It has another one.
        """
        if sha256 and self.sha256(model.bentoml_tag) != sha256:
            raise ChangedPackageError(
                f"Package {model.bentoml_tag} of base date {model.base_dt} was changed after it was"
                " recorded, and is not loaded. Find out who can"
                f" write to {self.home}, delete this package (bentoml models delete"
                f" {model.bentoml_tag}), then materialize bentoml_model and champion_model for this"
                " base date."
            )

    def _require(self, tag: str) -> None:
        version = tag.removeprefix(f"{self.model_name}:")
        if not self._folders.contains(version):
            raise MissingPackageError(
                f"Package {tag} is not in the BentoML store {self.home}: materialize bentoml_model"
                " and champion_model for its base date again."
            )
        self._folders.require_whole(version)

    def sha256(self, tag: str) -> str:
        """A hash of what a package contains; see `ModelIdentity.package_sha256`.

        Raises:
            MissingPackageError: There is no such package.
        """
        version = tag.removeprefix(f"{self.model_name}:")
        self._require(tag)
        with translated(Dependency.packages, self.home):
            return self._folders.sha256(version)

    def load(self, tag: str, sha256: str = "") -> PackagedModel:
        """The contents of a package, to predict with.

        Nothing in it is executed, except in packages of earlier releases, which were pickled.

        Args:
            tag: Names the package.
            sha256: The hash that was recorded for it, which is compared before it is read; empty if
                an earlier release recorded none.

        Raises:
            MissingPackageError: There is none.
            ChangedPackageError: It is not the package that was recorded.
            BrokenPackageError: It is damaged.
            UnusablePackageError: An early release packaged it, without calibration.
            CreditCtError: Its record cannot be read.
        """
        self._require(tag)
        folder = self._folder(tag)
        description = description_of(folder) or {}
        identity = ModelIdentity.from_labels(description.get("labels", {}), tag)
        if identity is not None:
            self.require_unchanged(identity, sha256)
        metadata = description.get("metadata") or {}
        if identity is not None and is_current(folder):
            return contents_of(folder, identity, metadata)
        # NumPy takes a tenth of a second to import, which listing packages does not need.
        from credit_ct_dagster.resources.bentoml_legacy import legacy_contents_of

        return legacy_contents_of(folder, identity, metadata)

    def scorer_folder(self, tag: str) -> Path:
        """Where a package, of this release, has its scorer."""
        return self._folder(tag) / PYFUNC / SCORER

    @contextmanager
    def mlflow_model(self, tag: str, sha256: str = "") -> Iterator[Path]:
        """A copy of the MLflow model that a package holds; that of an earlier release is converted.

        Args:
            tag: Names the package.
            sha256: See `load`, as for what is raised.
        """
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary, PYFUNC)
            if is_current(self._folder(tag)):
                # Without what Python compiled when somebody loaded it.
                compiled = shutil.ignore_patterns("__pycache__")
                shutil.copytree(self._folder(tag) / PYFUNC, copy, ignore=compiled)
            else:
                from credit_ct_dagster.resources.bentoml_legacy import legacy_model_file

                package = self.load(tag, sha256)
                write_package(copy, legacy_model_file(self._folder(tag)), package.data)
            yield copy

    def _folder(self, tag: str) -> Path:
        return self._folders.folder(tag.removeprefix(f"{self.model_name}:"))

    def set_roles(self, roles: Mapping[str, str]) -> None:
        """Label the packages that serve.

        Args:
            roles: Role per tag, such as `champion`; all other packages lose theirs.
        """
        with self._folders.writing():
            versions = [tag.rpartition(":")[2] for tag in roles]
            for package in self._folders.packages(f"{ROLE}:", *versions):
                role = roles.get(package.tag)
                if package.role != role:
                    set_label(package.folder, ROLE, role)

    def labels_of_roles(self) -> dict[str, dict[str, str]]:
        """The labels per tag, `role` among them, of the packages that have a role."""
        return {
            each.tag: each.identity.labels() | {ROLE: each.role}
            for each in self._folders.packages(f"{ROLE}:")
            if each.role
        }

    def remove_unrecorded(
        self, base_dt: str, is_unrecorded: Callable[[str, str], bool]
    ) -> list[str]:
        """Delete packages of a base date that a killed run made but never reported.

        Args:
            base_dt: The base date.
            is_unrecorded: Whether a tag (first) of a Dagster run (second) was never reported.

        Returns:
            The deleted tags.
        """
        with self._folders.writing():
            removed = [
                package.tag
                for package in self.packaged(base_dt)
                if is_unrecorded(package.tag, package.identity.dagster_run_id)
            ]
            self._delete(removed)
            return removed

    def remove(self, tags: Iterable[str]) -> None:
        """Delete packages; one that a kill leaves half deleted is removed by the next writer."""
        with self._folders.writing():
            self._delete(tags)

    def _delete(self, tags: Iterable[str]) -> None:
        """Delete packages, while `writing`."""
        import bentoml

        for tag in tags:
            with self._folders.changing(tag.rpartition(":")[2]):
                bentoml.models.delete(tag)

    def broken(self) -> list[BrokenPackageError]:
        """Packages that are damaged, each with the way out; everything else passes over them."""
        return self._folders.broken()

    def probe(self) -> int:
        """Write and delete a file in the store.

        Returns:
            Free bytes of its disk.

        Raises:
            PackagesNotWritableError: That failed.
        """
        home = Path(self.home)
        with translated(Dependency.packages, str(home)):
            home.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=home, prefix=".probe.") as file:
                file.write(b"probe")
            return shutil.disk_usage(home).free

    @cached_property
    def _folders(self) -> PackageFolders:
        return PackageFolders(self.home, self.model_name)
