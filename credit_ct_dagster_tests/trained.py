"""A platform with a trained base date: made once per worker, to look at or to copy."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import dagster as dg

from credit_ct_dagster_tests.platform import BASE_DT, Platform, Templates

_PLACES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


def relocate(store: Path, old: Path, new: Path) -> None:
    """Let the records of a copied MLflow store name the copied files, as the runbook does."""
    with closing(sqlite3.connect(store)) as database, database:
        for table, column in _PLACES.items():
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                (old.as_uri(), new.as_uri()),
            )


@dataclass(frozen=True)
class Trained:
    """A platform with one trained base date.

    Attributes:
        platform: The platform.
        instance: The Dagster instance with the history of its run.
        result: The run.
    """

    platform: Platform
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult

    @classmethod
    @contextmanager
    def on(
        cls, folder: Path, templates: Templates, base_dt: str = BASE_DT, **options: Any
    ) -> Iterator[Self]:
        """Train a base date on a platform of its own.

        Args:
            folder: Where the platform is.
            templates: Stores to copy.
            base_dt: The base date.
            options: Of `Platform.materialize`.
        """
        platform = Platform.prepared(folder / "platform", templates)
        with dg.instance_for_test() as instance:
            result = platform.materialize(instance, base_dt, **options)
            assert result.success
            trained = cls(platform, instance, result)
            shutil.copytree(trained._packages, trained._pristine_packages)
            yield trained

    @contextmanager
    def copied(self, folder: Path) -> Iterator[Self]:
        """A copy that a test may change: the same base date, run, model name and packages.

        Packages are in the one BentoML store of this process, so there is one copy at a time; they
        are as they were before when it ends.
        """
        source, copy = self.platform, folder / "platform"
        shutil.copytree(source.folder, copy)
        platform = Platform(
            copy,
            source.url.replace(str(source.folder), str(copy)),
            source.model_name,
            source.studies_url.replace(str(source.folder), str(copy)),
        )
        relocate(copy / "var" / "mlflow.db", source.folder, copy)
        history = folder / "dagster"
        shutil.copytree(self.instance.root_directory, history)
        try:
            with dg.instance_for_test(temp_dir=str(history)) as instance:
                yield type(self)(platform, instance, self.result)
        finally:
            # Whoever deletes the last package deletes the folder.
            shutil.rmtree(self._packages, ignore_errors=True)
            shutil.copytree(self._pristine_packages, self._packages)

    @property
    def _packages(self) -> Path:
        return Path(self.platform.packages.home) / "models" / self.platform.model_name

    @property
    def _pristine_packages(self) -> Path:
        return self.platform.folder.with_name("packages")
