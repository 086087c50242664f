"""Packages as folders of the BentoML store: listed fast, and written by one process at a time."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.disk import replace_file, sync_folder, sync_tree
from credit_ct_dagster.errors.models import BrokenPackageError
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.resources.bentoml_internals import DESCRIPTION, description_of

# Commands list packages without the seconds that BentoML and scikit-learn take to import.
if TYPE_CHECKING:
    from credit_ct_dagster.scorer.scorer import Scorer

ROLE = "role"
"""The label of a package that serves."""


@dataclass(frozen=True)
class Package:
    """A package in the store, which is not loaded.

    Attributes:
        identity: The model inside; its `bentoml_tag` is that of the package.
        role: `champion` or `previous`; None for all others.
        folder: Its files.
        created: When it was packaged, in ISO 8601.
        metrics: Of the classes and probabilities that it gives, such as `holdout_accuracy`.
        calibrated_on: The base date whose validation rows calibrate it; that of the model in what
            earlier releases wrote.
    """

    identity: ModelIdentity
    role: str | None
    folder: Path
    created: str
    metrics: Mapping[str, float]
    calibrated_on: str

    @property
    def tag(self) -> str:
        """Its tag, `name:version`."""
        return self.identity.bentoml_tag

    @property
    def learned_until(self) -> str:
        """The newest base date whose labels it was fitted to, or calibrated on."""
        return max(self.identity.base_dt, self.calibrated_on)


@dataclass(frozen=True)
class PackagedModel:
    """The contents of a package.

    Attributes:
        identity: The model, with the tag of its package.
        record: The facts that were stored with it.
        scorer: The model, which takes raw rows.
        data: What its scorer knows beside the model.
        golden: Rows with the answers that the pipeline gives; None in what earlier releases made.
    """

    identity: ModelIdentity
    record: PackageRecord
    scorer: "Scorer"
    data: ScorerRecord
    golden: GoldenRows | None = None


class PackageFolders:
    """The folders of a model's packages."""

    def __init__(self, home: str, model_name: str) -> None:
        self._home = Path(home)
        self._model_name = model_name
        self._parent = self._home / "models" / model_name
        self._journal = self._home / f".credit_ct.{model_name}.saving"

    def packages(self, *texts: str) -> list[Package]:
        """The packages that the platform made, oldest first.

        Args:
            texts: Only those whose description contains one of these. A text is found a hundred
                times faster than a description is parsed. [default: all]
        """
        return self.listed(*texts)[0]

    def broken(self) -> list[BrokenPackageError]:
        """Packages that are damaged, each with the way out."""
        return self.listed()[1]

    def listed(self, *texts: str) -> tuple[list[Package], list[BrokenPackageError]]:
        """`packages` and `broken`; every description is read once."""
        found, broken = [], []
        for folder in self._complete():
            try:
                description = description_of(folder) if _contains(folder, texts) else None
            except BrokenPackageError as error:  # others are not affected
                broken.append(error)
                continue
            if description is None:
                continue
            labels = description["labels"]
            identity = ModelIdentity.from_labels(labels, f"{self._model_name}:{folder.name}")
            if identity:  # others may store models of the same name
                created = description["creation_time"]
                metadata = description.get("metadata") or {}
                found.append(
                    Package(
                        identity,
                        labels.get(ROLE),
                        folder,
                        created,
                        _metrics_in(metadata),
                        str(metadata.get("calibrated_on") or identity.base_dt),
                    )
                )
        return sorted(found, key=lambda package: package.created), broken

    def require_whole(self, version: str) -> None:
        """Make sure that the description of a package can be read.

        Raises:
            BrokenPackageError: It is damaged.
        """
        description_of(self._parent / version)

    def contains(self, version: str) -> bool:
        """Whether there is a complete package of a version."""
        return any(folder.name == version for folder in self._complete())

    def sha256(self, version: str) -> str:
        """A hash of all files of a version except its description, in which labels change.

        The description is YAML, which is read without executing anything. Whoever loads a package
        by MLflow lets Python write compiled files into it; the platform itself executes none.
        """
        folder, digest = self._parent / version, sha256()
        description = (folder / DESCRIPTION, folder / DESCRIPTION.replace(".yaml", ".tmp"))
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            if path in description or path.parent.name == "__pycache__":
                continue
            if not path.name.startswith("."):
                content = path.read_bytes()
                name = path.relative_to(folder).as_posix()
                digest.update(f"{name}\n{len(content)}\n".encode() + content)
        return digest.hexdigest()

    def folder(self, version: str) -> Path:
        """Where a version is."""
        return self._parent / version

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the exclusive lock of writers, and remove what a killed one left half done.

        Raises:
            PackagesNotWritableError: The disk is full, or the user lacks a right.
        """
        with translated(Dependency.packages, str(self._home)):
            self._home.mkdir(parents=True, exist_ok=True)
            with FileLock(self._home / f".credit_ct.{self._model_name}.lock"):
                half_done = self._half_done()
                if half_done:
                    shutil.rmtree(self._parent / half_done, ignore_errors=True)
                self._journal.unlink(missing_ok=True)
                yield

    @contextmanager
    def changing(self, version: str) -> Iterator[None]:
        """Name, in a journal, the version whose folder BentoML fills or empties in place.

        The journal exists only meanwhile: after a kill or a power cut, it names what is half done.
        """
        replace_file(self._journal, version.encode())
        yield
        if self._parent.is_dir():
            folder = self._parent / version
            sync_tree(folder if folder.is_dir() else self._parent)
        self._journal.unlink()
        sync_folder(self._home)

    def _half_done(self) -> str | None:
        """The version that is being filled or emptied, or that a killed process left so."""
        try:
            return self._journal.read_text() or None  # a power cut may have emptied it
        except FileNotFoundError:
            return None

    def _complete(self) -> list[Path]:
        if not self._parent.is_dir():
            return []
        half_done = self._half_done()
        folders = (path for path in self._parent.iterdir() if path.is_dir())
        return [folder for folder in folders if folder.name != half_done]


def _metrics_in(metadata: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in metadata.items()
        if name.startswith(("val_", "holdout_")) and isinstance(value, int | float)
    }


def _contains(folder: Path, texts: tuple[str, ...]) -> bool:
    if not any(texts):
        return True
    try:
        description = (folder / DESCRIPTION).read_text("utf8", errors="replace")
    except FileNotFoundError:
        return False
    return any(text in description for text in texts)
