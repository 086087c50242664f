"""Artifacts: folders of named files, below one path on a disk or in an object store."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import dagster as dg
from pydantic import Field
from upath import UPath

from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.errors.stores import ArtifactsNotWritableError, MissingArtifactError
from credit_ct_dagster.io_managers.codecs import CODECS
from credit_ct_dagster.io_managers.publishing import LOCAL_PROTOCOLS, publish
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.runs.failures import failure

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
        return CODECS[path.suffix].decode(content)

    def read(self, record: type[_R]) -> _R:
        """The record of a kind.

        Raises:
            MissingArtifactError: There is none.
            UnreadableRecordError: It does not validate.
            NewerRecordError: A later release wrote it.
        """
        path, content = self._content(record.FILE)
        return record.from_json(content, str(path))

    def read_each(self, record: type[_R]) -> list[_R]:
        """Every file of a folder that holds one kind of record, in the order of their names."""
        return [record.from_json(path.read_bytes(), str(path)) for path in self._files(".json")]

    def _content(self, name: str) -> tuple[UPath, bytes]:
        path = self.path / self._resolve(name)
        try:
            return path, path.read_bytes()
        except FileNotFoundError:
            raise MissingArtifactError(
                f"Artifact {path} does not exist: materialize the asset that writes it for this"
                " base date first."
            ) from None

    def _files(self, *suffixes: str) -> list[UPath]:
        if not self.path.is_dir():
            return []
        found = (path for path in self.path.iterdir() if path.suffix in suffixes)
        return sorted(found, key=lambda path: path.name)

    def __contains__(self, name: object) -> bool:
        return (self.path / self._resolve(str(name))).exists()

    def __iter__(self) -> Iterator[str]:
        return (path.name for path in self._files(*CODECS))

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
        """
        template, base_dt = context.definition_metadata[FOLDER], context.partition_key
        try:
            with translated(Dependency.artifacts, self.base_path):
                folder, sizes = self.write(template, base_dt, obj)
        except ArtifactsNotWritableError as error:
            raise failure(error, base_dt) from error
        context.add_output_metadata(
            {"folder": dg.MetadataValue.path(str(folder)), "bytes_per_file": sizes}
        )

    def write(
        self, template: str, base_dt: str, files: Mapping[str, Any]
    ) -> tuple[UPath, dict[str, int]]:
        """Write the files of an artifact; returns their folder and the size of each in bytes."""
        folder = self._folder(template, base_dt)
        folder.mkdir(parents=True, exist_ok=True)
        sizes = {}
        for name, value in files.items():
            path = folder / self._resolve(name, base_dt)
            content = CODECS[path.suffix].encode(value)
            publish(path, content)
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
        return ArtifactFolder(
            self._folder(template, base_dt), lambda name: self._resolve(name, base_dt)
        )

    def open_all(self, template: str) -> Iterator[tuple[str, ArtifactFolder]]:
        """Open the artifact of every base date that has one, as `open` does."""
        parent = self._folder(template, "_").parent
        if parent.is_dir():
            for folder in sorted(parent.iterdir(), key=lambda path: path.name):
                if not folder.name.startswith("."):
                    yield folder.name, self.open(template, folder.name)

    def sizes(self, template: str) -> dict[str, list[int]]:
        """Per base date, the bytes of each file, also of those that a killed `delete` left over."""
        parent = self._folder(template, "_").parent
        sizes: dict[str, list[int]] = {}
        for folder in parent.iterdir() if parent.is_dir() else ():
            base_dt = folder.name.removeprefix(".").removesuffix(_DELETED)
            files = folder.fs.find(folder.path, detail=True).values()
            sizes.setdefault(base_dt, []).extend(int(file["size"] or 0) for file in files)
        return sizes

    def delete(self, template: str, base_dt: str) -> None:
        """Delete the artifact of a base date; on a disk, nobody ever sees half of it."""
        folder = self._folder(template, base_dt)
        if folder.protocol not in LOCAL_PROTOCOLS:
            if folder.exists():
                folder.fs.rm(folder.path, recursive=True)
            return
        local = Path(folder.path)
        doomed = local.with_name(f".{base_dt}{_DELETED}")
        if doomed.exists():
            shutil.rmtree(doomed)
        if local.exists():
            local.rename(doomed)
            shutil.rmtree(doomed)

    def probe(self) -> int | None:
        """Write, read and delete a file.

        Returns:
            Free bytes of the disk; none if the artifacts are on no disk of this machine.

        Raises:
            ArtifactsNotWritableError: That failed.
        """
        root = self._root()
        path = root / f".probe.{uuid4().hex}"
        with translated(Dependency.artifacts, str(root)):
            root.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"probe")
            path.read_bytes()
            path.unlink()
            return shutil.disk_usage(root.path).free if root.protocol in LOCAL_PROTOCOLS else None

    def _root(self) -> UPath:
        path = UPath(self.base_path)
        return path.absolute() if path.protocol in LOCAL_PROTOCOLS else path

    def _folder(self, template: str, base_dt: str) -> UPath:
        return self._root() / template.format(model_name=self.model_name, base_dt=base_dt)

    def _resolve(self, name: str, base_dt: str) -> str:
        resolved = name.format(model_name=self.model_name, base_dt=base_dt)
        if resolved.endswith(".parquet"):
            return resolved.removesuffix("parquet") + self.table_format
        return resolved
