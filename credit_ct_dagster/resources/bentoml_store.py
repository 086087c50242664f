"""The BentoML model store: the packaged models, and what belongs inside a package."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from filelock import FileLock
from pydantic import Field

from credit_ct_dagster.modeling import schema

if TYPE_CHECKING:  # `credit-ct status` lists packages without the seconds these take to import
    import bentoml
    from catboost import CatBoostClassifier

    from credit_ct_dagster.modeling.preparation import Scalers

_DESCRIPTION = "model.yaml"
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


class BentoMLStore(dg.ConfigurableResource):
    """Packages in the store that BENTOML_HOME names."""

    home: str = Field(description="The store's folder, as BENTOML_HOME has it")
    model_name: str = Field(description="The name in every tag")

    def save(
        self,
        model: "CatBoostClassifier",
        scalers: "Scalers",
        lineage: Lineage,
        metadata: Mapping[str, Any],
    ) -> str:
        """Package a model with what serving it needs; twice the same gives one package.

        Args:
            model: The fitted model, which takes prepared rows.
            scalers: The scalers of the rows it was fitted to.
            lineage: Where it comes from. The package of the same Dagster run is replaced.
            metadata: Parameters and metrics, to show.

        Returns:
            The tag, `name:version`.
        """
        with self._writing():
            same_run = [
                package
                for package in self.packages()
                if package.info.labels.get("dagster_run_id") == lineage.dagster_run_id
            ]
            for package in same_run:
                if package.info.labels == lineage.labels():
                    return str(package.tag)
            tag = _bentoml().Tag(self.model_name).make_new_version()
            self._journal.write_text(tag.version)
            package = _bentoml().catboost.save_model(
                tag,
                model,
                signatures=_SIGNATURES,
                labels=lineage.labels(),
                metadata=dict(metadata),
                custom_objects={
                    "robust_scalers": dict(scalers),
                    "feature_schema": {
                        "features": schema.FEATURES,
                        "numeric": schema.NUMERIC,
                        "categorical": schema.CATEGORICAL,
                        "text": schema.TEXT,
                        "missing_word": schema.MISSING_WORD,
                        "classes": [str(name) for name in model.classes_],
                    },
                },
            )
            self._journal.unlink()
            for earlier in same_run:
                _bentoml().models.delete(earlier.tag)
            return str(package.tag)

    def packages(self) -> list["bentoml.Model"]:
        """The packages of the model, oldest first."""
        found = [
            _bentoml().models.get(f"{self.model_name}:{folder.name}")
            for folder in self._version_folders()
            if (folder / _DESCRIPTION).exists()
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
            for package in self.packages():
                tag, labels = str(package.tag), package.info.labels
                if labels.get("base_dt") == base_dt and is_unrecorded(
                    tag, labels.get("dagster_run_id", "")
                ):
                    _bentoml().models.delete(package.tag)
                    removed.append(tag)
            return removed

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time, which first removes the half that a killed one left.

        BentoML fills a version's folder in place. The journal, there only during a save, names that
        version.
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


def _bentoml() -> Any:
    # Imported late: BentoML reads BENTOML_HOME at import, which the settings export first.
    import bentoml

    return bentoml
