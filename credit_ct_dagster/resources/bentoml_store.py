"""The BentoML model store: the packaged models, and what belongs inside a package."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from filelock import FileLock
from pydantic import Field

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.modeling import schema

if TYPE_CHECKING:  # `credit-ct status` lists packages without the seconds these take to import
    import bentoml

    from credit_ct_dagster.modeling.calibration import CalibratedModel
    from credit_ct_dagster.modeling.preparation import Scalers

SEEN_SHARE = "seen_share"
"""Metadata of a package: the share of customers that its model was fitted to or chosen by."""

_DESCRIPTION = "model.yaml"
_MODEL = "calibrated_model"
_SCALERS = "robust_scalers"
_ROLE = "role"
_SIGNATURES = {
    "predict": {"batchable": True, "batch_dim": 0},
    "predict_proba": {"batchable": True, "batch_dim": 0},
}


@dataclass(frozen=True)
class Lineage:
    """What a package was made from; its labels."""

    base_dt: str
    mlflow_run_id: str
    dagster_run_id: str
    data_fingerprint: str

    def labels(self) -> dict[str, str]:
        """As BentoML labels."""
        return dict(vars(self))


@dataclass(frozen=True)
class PackagedModel:
    """What a package holds.

    Attributes:
        tag: Its tag.
        model: Takes prepared rows.
        scalers: Of the rows it was fitted to.
        seen_share: Share of customers, by position, that it was fitted to or chosen by.
    """

    tag: str
    model: "CalibratedModel"
    scalers: "Scalers"
    seen_share: float

    def prepare(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Bring raw rows into the form that this model takes."""
        from credit_ct_dagster.modeling.preparation import prepare  # scikit-learn takes a second

        return prepare(rows, self.scalers)


class BentoMLStore(dg.ConfigurableResource):
    """Packages in the store that BENTOML_HOME names."""

    home: str = Field(description="The store's folder, as BENTOML_HOME has it")
    model_name: str = Field(description="The name in every tag")

    def save(
        self,
        model: "CalibratedModel",
        scalers: "Scalers",
        lineage: Lineage,
        metadata: Mapping[str, Any],
    ) -> str:
        """Package a model with what serving it needs; twice the same gives one package.

        Args:
            model: The fitted model with its calibration, which takes prepared rows.
            scalers: The scalers of the rows it was fitted to.
            lineage: Where it comes from. The package of the same Dagster run is replaced.
            metadata: Parameters and metrics, to show.

        Returns:
            The tag, `name:version`.
        """
        with self._writing():
            same_run = [
                package
                for package in self.packages(lineage.dagster_run_id)
                if package.info.labels.get("dagster_run_id") == lineage.dagster_run_id
            ]
            for package in same_run:
                if lineage.labels().items() <= package.info.labels.items():
                    return str(package.tag)
            tag = _bentoml().Tag(self.model_name).make_new_version()
            self._journal.write_text(tag.version)
            package = _bentoml().catboost.save_model(
                tag,
                model.model,
                signatures=_SIGNATURES,
                labels=lineage.labels(),
                metadata=dict(metadata),
                # By value: a process that loads it needs nothing of this platform.
                external_modules=[import_module("credit_ct_dagster.modeling.calibration")],
                custom_objects={
                    _MODEL: model,
                    _SCALERS: dict(scalers),
                    "feature_schema": {
                        "features": schema.FEATURES,
                        "numeric": schema.NUMERIC,
                        "categorical": schema.CATEGORICAL,
                        "text": schema.TEXT,
                        "missing_word": schema.MISSING_WORD,
                        "classes": model.classes,
                    },
                },
            )
            self._journal.unlink()
            for earlier in same_run:
                _bentoml().models.delete(earlier.tag)
            return str(package.tag)

    def newest(self, base_dt: str, mlflow_run_id: str) -> "bentoml.Model | None":
        """The newest package of a base date that was made from an MLflow run."""
        made_from = {"base_dt": base_dt, "mlflow_run_id": mlflow_run_id}
        candidates = self.packages(mlflow_run_id)
        found = [each for each in candidates if made_from.items() <= each.info.labels.items()]
        return found[-1] if found else None

    def get(self, tag: str) -> "bentoml.Model":
        """The package with a tag.

        Raises:
            CreditCtError: It is not there.
        """
        version = tag.removeprefix(f"{self.model_name}:")
        for package in self.packages(version):
            if str(package.tag) == tag:
                return package
        raise CreditCtError(
            f"Package {tag} is not in the BentoML store {self.home}: materialize bentoml_model and"
            " champion_model of its base date again."
        )

    def load(self, tag: str) -> PackagedModel:
        """What a package holds, to predict with.

        Raises:
            CreditCtError: It is not there, or was packaged before models were calibrated.
        """
        package = self.get(tag)
        if _MODEL not in package.custom_objects:
            raise CreditCtError(
                f"Package {tag} predicts no calibrated probabilities: materialize bentoml_model and"
                f" champion_model of base date {package.info.labels.get('base_dt')} again."
            )
        return PackagedModel(
            tag=tag,
            model=package.custom_objects[_MODEL],
            scalers=package.custom_objects[_SCALERS],
            seen_share=package.info.metadata[SEEN_SHARE],
        )

    def set_roles(self, roles: Mapping[str, str]) -> None:
        """Let the labels of packages say which one serves.

        Args:
            roles: Role per tag, such as `champion`; all other packages have none.
        """
        with self._writing():
            versions = [tag.rpartition(":")[2] for tag in roles]
            for package in self.packages(f"{_ROLE}:", *versions):
                role = roles.get(str(package.tag))
                if package.info.labels.get(_ROLE) != role:
                    package.info.labels.pop(_ROLE, None)
                    if role:
                        package.info.labels[_ROLE] = role
                    _rewrite(package)

    def labels_of_roles(self) -> dict[str, dict[str, str]]:
        """The labels per tag, `role` among them, of packages that have a role."""
        labels = {str(each.tag): each.info.labels for each in self.packages(f"{_ROLE}:")}
        return {tag: each for tag, each in labels.items() if _ROLE in each}

    def packages(self, *naming: str) -> list["bentoml.Model"]:
        """The packages of the model, oldest first.

        Args:
            naming: Only those whose description holds one of these texts. A text is found a hundred
                times faster than a description is parsed, and there is a package per base date.
        """
        found = [
            _bentoml().models.get(f"{self.model_name}:{folder.name}")
            for folder in self._version_folders()
            if _holds(folder / _DESCRIPTION, naming)
        ]
        return sorted(found, key=lambda package: package.info.creation_time)

    def remove_unrecorded(
        self, base_dt: str, is_unrecorded: Callable[[str, str], bool]
    ) -> list[str]:
        """Delete packages of a base date that a killed run made but never reported.

        Args:
            base_dt: Whose packages to look at.
            is_unrecorded: Whether a tag (first) of a Dagster run (second) was never reported.

        Returns:
            The deleted tags.
        """
        with self._writing():
            removed = []
            for package in self.packages(base_dt):
                tag, labels = str(package.tag), package.info.labels
                if labels.get("base_dt") == base_dt and is_unrecorded(
                    tag, labels.get("dagster_run_id", "")
                ):
                    _bentoml().models.delete(package.tag)
                    removed.append(tag)
            return removed

    def remove(self, tags: Iterable[str]) -> None:
        """Delete packages; the half of one that a kill leaves is removed by the next writer."""
        with self._writing():
            for tag in tags:
                self._journal.write_text(tag.rpartition(":")[2])
                _bentoml().models.delete(tag)
                self._journal.unlink()

    def probe(self) -> int:
        """Write and delete a file in the store.

        Returns:
            Free bytes of its disk.

        Raises:
            CreditCtError: That failed.
        """
        home = Path(self.home)
        try:
            home.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=home, prefix=".probe.") as file:
                file.write(b"probe")
            return shutil.disk_usage(home).free
        except OSError as error:
            raise CreditCtError(
                f"The BentoML store {home} cannot be written ({error.strerror}): give this user the"
                " right to, make room, or choose another BENTOML_HOME."
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time, which first removes the half that a killed one left.

        BentoML fills and empties a version's folder in place. The journal, there only meanwhile,
        names that version.
        """
        Path(self.home).mkdir(parents=True, exist_ok=True)
        with FileLock(Path(self.home) / f".credit_ct.{self.model_name}.lock"):
            if self._journal.exists():
                torn = self._journal.read_text()
                for folder in self._version_folders():
                    if folder.name == torn:
                        shutil.rmtree(folder)
                self._journal.unlink()
            yield

    @property
    def _journal(self) -> Path:
        return Path(self.home) / f".credit_ct.{self.model_name}.saving"

    def _version_folders(self) -> list[Path]:
        folder = Path(self.home) / "models" / self.model_name
        return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _holds(description: Path, texts: tuple[str, ...]) -> bool:
    if not description.exists():
        return False
    return not texts or any(text in description.read_text("utf8") for text in texts)


def _rewrite(package: "bentoml.Model") -> None:
    """Write a package's description again, whole or not at all."""
    path = Path(package.path) / _DESCRIPTION
    with path.with_suffix(".tmp").open("w", encoding="utf8") as file:
        package.info.dump(file)
    path.with_suffix(".tmp").replace(path)


def _bentoml() -> Any:
    # Imported late: BentoML reads BENTOML_HOME at import, which the settings export first.
    import bentoml

    return bentoml
