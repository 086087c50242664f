"""Artifacts: folders of named files, below one path on a disk or in an object store."""

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import dagster as dg
from pydantic import Field
from upath import UPath

from credit_ct_dagster.causes import names_missing_bucket
from credit_ct_dagster.contracts.files import FOLDERS_WITH_ROWS
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.stores import DamagedFileError, MissingArtifactError
from credit_ct_dagster.io_managers import places
from credit_ct_dagster.io_managers.codecs import CODECS
from credit_ct_dagster.io_managers.publishing import PRIVATE, PRIVATE_FOLDER, READABLE, publish
from credit_ct_dagster.runs.failures import failure_or_retry

FOLDER = "artifact_folder"
"""The metadata key by which an asset names the folder of its files, below the artifacts path."""

_DELETED = ".deleted"
_R = TypeVar("_R", bound=Record)


class ArtifactFolder(Mapping[str, Any]):
    """The files of an artifact, each read when it is asked for.

    A file name may hold `{model_name}` and `{base_dt}`, as it did when the artifact was written.
    """

    def __init__(self, path: UPath, resolve: Callable[[str], str]) -> None:
        self.path = path
        self._resolve = resolve

    def __getitem__(self, name: str) -> Any:
        path, content = self._content(name)
        try:
            return CODECS[path.suffix].decode(content)
        except (NotImplementedError, MemoryError):
            raise
        except Exception as error:
            # Each format has classes of its own for what is not such a file.
            raise DamagedFileError(
                f"Artifact {path} is damaged ({len(content):,} bytes, {type(error).__name__}), as"
                " after a power cut: materialize the asset that writes it for this base date again."
            ) from error

    def read(self, record: type[_R]) -> _R:
        """The record of a kind.

        Raises:
            MissingArtifactError: There is none.
            UnreadableRecordError: It does not validate.
            NewerRecordError: A later release wrote it.
        """
        path, content = self._content(record.FILE)
        return record.from_json(content, str(path))

    def names(self) -> list[str]:
        """The names of all files that are there now, sorted."""
        with places.reaching(str(self.path)):
            return places.names_in(self.path)

    def content(self, name: str) -> bytes:
        """A file as it is.

        Raises:
            MissingArtifactError: There is none.
        """
        return self._content(name)[1]

    def _content(self, name: str) -> tuple[UPath, bytes]:
        path = self.path / self._resolve(name)
        with places.reaching(str(path)):
            try:
                return path, places.content_of(path)
            except FileNotFoundError as error:
                if names_missing_bucket(error):
                    raise
                raise MissingArtifactError(
                    f"Artifact {path} does not exist: materialize the asset that writes it for this"
                    " base date first."
                ) from None

    def __contains__(self, name: object) -> bool:
        path = self.path / self._resolve(str(name))
        with places.reaching(str(path)):
            return places.exists(path)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.names() if Path(name).suffix in CODECS)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class ArtifactsIOManager(dg.ConfigurableIOManager):
    """Writes a mapping from file name to object as files; the suffix picks the format.

    A file is written under a temporary name and renamed, so a killed run leaves the old file or the
    new one.
    """

    base_path: str = Field(description="Folder or fsspec URL such as s3://bucket/prefix")
    model_name: str = Field(description="Replaces {model_name} in folders and file names")
    table_format: str = Field(
        default="parquet", pattern="^(parquet|csv)$", description="Format of tables"
    )

    def handle_output(self, context: dg.OutputContext, obj: Mapping[str, Any]) -> None:
        """Write every file of an artifact, in the order of the mapping.

        Raises:
            dagster.Failure: A file cannot be written, because the disk is full or the folder
                belongs to somebody else.
            dagster.RetryRequested: The object store does not answer.
        """
        template, base_dt = context.definition_metadata[FOLDER], context.partition_key
        try:
            folder, _ = self.write(template, base_dt, obj)
        except CreditCtError as error:
            attempts = context.step_context.previous_attempt_count
            raised = failure_or_retry(error, base_dt, attempts, context.log)
            raise raised from raised.__cause__
        context.add_output_metadata({"folder": dg.MetadataValue.path(str(folder))})

    def write(
        self, template: str, base_dt: str, files: Mapping[str, Any]
    ) -> tuple[UPath, dict[str, int]]:
        """Write the files of an artifact; returns their folder and the size of each in bytes.

        Files and folders with rows of customers are readable by this user only.

        Raises:
            ArtifactsNotWritableError: The disk is full, a right is missing, or there is no bucket.
            ArtifactsUnavailableError: The object store does not answer.
        """
        with places.reaching(self.base_path):
            folder = self._folder(template, base_dt)
            private = template in FOLDERS_WITH_ROWS
            places.make_folder(folder, PRIVATE_FOLDER if private else None)
            sizes = {}
            for name, value in files.items():
                path = folder / self._resolve(name, base_dt)
                content = CODECS[path.suffix].encode(value)
                publish(path, content, PRIVATE if private else READABLE)
                sizes[path.name] = len(content)
            return folder, sizes

    def load_input(self, context: dg.InputContext) -> ArtifactFolder:
        """Open an artifact; no file is read yet."""
        assert context.upstream_output is not None
        return self.open(
            context.upstream_output.definition_metadata[FOLDER], context.asset_partition_key
        )

    def open(self, template: str, base_dt: str) -> ArtifactFolder:
        """Open the artifact in a folder such as `models/{model_name}/{base_dt}`."""
        with places.reaching(self.base_path):
            folder = self._folder(template, base_dt)
        return ArtifactFolder(folder, lambda name: self._resolve(name, base_dt))

    def open_all(self, template: str) -> Iterator[tuple[str, ArtifactFolder]]:
        """Open the artifact of every base date that has one, as `open` does."""
        with places.reaching(self.base_path):
            parent = self._folder(template, "_").parent
            names = places.names_in(parent)
        for base_dt in names:
            if not base_dt.startswith("."):
                resolve = partial(self._resolve, base_dt=base_dt)
                yield base_dt, ArtifactFolder(parent / base_dt, resolve)

    def sizes(self, template: str) -> dict[str, dict[str, int]]:
        """Per base date, the bytes of each file by its name.

        Files that a killed `delete` left over belong to their base date, under names that no file
        of an artifact has.
        """
        sizes: dict[str, dict[str, int]] = {}
        with places.reaching(self.base_path):
            parent = self._folder(template, "_").parent
            for folder in places.names_in(parent):
                base_dt = folder.removeprefix(".").removesuffix(_DELETED)
                left_over = f"{folder}/" if folder != base_dt else ""
                files = sizes.setdefault(base_dt, {})
                for name, size in places.sizes_below(parent / folder).items():
                    files[left_over + name] = size
        return sizes

    def file_name(self, name: str, base_dt: str) -> str:
        """The name that a file such as `{model_name}_holdout.parquet` has where it is stored."""
        return self._resolve(name, base_dt)

    def remove(self, template: str, base_dt: str, name: str) -> None:
        """Delete one file of an artifact, if there is one."""
        with places.reaching(self.base_path):
            path = self._folder(template, base_dt) / self._resolve(name, base_dt)
            if places.exists(path):
                path.fs.rm_file(path.path)

    def delete(self, template: str, base_dt: str) -> None:
        """Delete the artifact of a base date; on a disk, nobody ever sees half of it."""
        with places.reaching(self.base_path):
            folder = self._folder(template, base_dt)
            if not places.is_local(folder):
                if places.exists(folder):
                    folder.fs.rm(folder.path, recursive=True)
                return
            self._delete_left_over(folder)
            local = Path(folder.path)
            if local.exists():
                local.rename(_doomed(local))
                self._delete_left_over(folder)

    def delete_all_but(self, template: str, base_dt: str, names: Collection[str]) -> None:
        """Delete the files of an artifact, one by one, except those with some names."""
        with places.reaching(self.base_path):
            folder = self._folder(template, base_dt)
            self._delete_left_over(folder)
            retained = {self._resolve(name, base_dt) for name in names}
            for name in places.sizes_below(folder):
                if name not in retained:
                    path = folder / name
                    path.fs.rm_file(path.path)

    def _delete_left_over(self, folder: UPath) -> None:
        """Delete what `delete` had renamed before it was killed, or has just now."""
        doomed = _doomed(Path(folder.path))
        if places.is_local(folder) and doomed.exists():
            shutil.rmtree(doomed)

    def readable_by_others(self) -> list[Path]:
        """Files with rows of customers that other users of this machine can read."""
        with places.reaching(self.base_path):
            parents = [self._folder(each, "_").parent for each in FOLDERS_WITH_ROWS]
            local = [Path(each.path) for each in parents if places.is_local(each)]
            return [
                file
                for parent in local
                if parent.is_dir()
                for folder in parent.iterdir()
                if folder.is_dir() and folder.stat().st_mode & 0o011
                for file in folder.iterdir()
                if file.is_file() and file.stat().st_mode & 0o044
            ]

    def probe(self) -> int | None:
        """Write, read and delete a file.

        Returns:
            Free bytes of the disk; none if the artifacts are on no disk of this machine.

        Raises:
            ArtifactsNotWritableError: That failed.
            ArtifactsUnavailableError: The object store does not answer.
        """
        with places.reaching(self.base_path):
            root = self._root()
            path = root / f".probe.{uuid4().hex}"
            places.make_folder(root)
            publish(path, b"probe")
            places.content_of(path)
            path.fs.rm_file(path.path)
            return shutil.disk_usage(root.path).free if places.is_local(root) else None

    def _root(self) -> UPath:
        path = UPath(self.base_path)
        return path.absolute() if places.is_local(path) else path

    def _folder(self, template: str, base_dt: str) -> UPath:
        return self._root() / template.format(model_name=self.model_name, base_dt=base_dt)

    def _resolve(self, name: str, base_dt: str) -> str:
        resolved = name.format(model_name=self.model_name, base_dt=base_dt)
        if resolved.endswith(".parquet"):
            return resolved.removesuffix("parquet") + self.table_format
        return resolved


def _doomed(folder: Path) -> Path:
    """What a folder is called while it is deleted."""
    return folder.with_name(f".{folder.name}{_DELETED}")
