"""Artifacts: folders of named files, below one path on a disk or in an object store."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dagster as dg
import joblib
import pandas as pd
from pydantic import Field
from upath import UPath

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.modeling import schema

if TYPE_CHECKING:
    from catboost import CatBoostClassifier

FOLDER = "artifact_folder"
"""The metadata key by which an asset says where its files go, below the artifacts path."""

PREPROCESSING_FOLDER = "preprocessing/{model_name}/{base_dt}"
MODEL_FOLDER = "models/{model_name}/{base_dt}"

_DELETED = ".deleted"
_LOCAL = {"", "file"}
_TEXT_COLUMNS = [schema.BASE_DATE, *schema.KEY, *schema.WORDS, schema.TARGET]


@dataclass(frozen=True)
class _Codec:
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def _dump_joblib(value: object) -> bytes:
    buffer = BytesIO()
    joblib.dump(value, buffer)
    return buffer.getvalue()


def _dump_model(model: "CatBoostClassifier") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path))
        return path.read_bytes()


def _load_model(content: bytes) -> "CatBoostClassifier":
    from catboost import CatBoostClassifier  # half a second, which only models need

    # Not `load_model(blob=…)`: such a model, saved again, crashes the process that loads it.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        path.write_bytes(content)
        return CatBoostClassifier().load_model(str(path))


def _load_csv(content: bytes) -> pd.DataFrame:
    return pd.read_csv(
        BytesIO(content),
        dtype=dict.fromkeys(_TEXT_COLUMNS, str),
        keep_default_na=False,
        na_values=[""],
        float_precision="round_trip",
    )


_CODECS = {
    ".parquet": _Codec(
        lambda frame: frame.to_parquet(index=False),
        lambda content: pd.read_parquet(BytesIO(content)),
    ),
    ".csv": _Codec(lambda frame: frame.to_csv(index=False).encode(), _load_csv),
    ".joblib": _Codec(_dump_joblib, lambda content: joblib.load(BytesIO(content))),
    ".json": _Codec(
        lambda value: json.dumps(value, indent=2, allow_nan=False).encode() + b"\n", json.loads
    ),
    ".cbm": _Codec(_dump_model, _load_model),
    ".html": _Codec(str.encode, bytes.decode),
    ".png": _Codec(bytes, bytes),
}


class ArtifactFolder(Mapping[str, Any]):
    """The files of an artifact, each read when it is asked for.

    A file name may hold `{model_name}` and `{base_dt}`, as it did when the artifact was written.
    """

    def __init__(self, path: UPath, resolve: Callable[[str], str]) -> None:
        self.path = path
        self._resolve = resolve

    def __getitem__(self, name: str) -> Any:
        path = self.path / self._resolve(name)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise CreditCtError(
                f"Artifact {path} does not exist: materialize the asset that writes it for this"
                " base date first."
            ) from None
        return _CODECS[path.suffix].decode(content)

    def __contains__(self, name: object) -> bool:
        return (self.path / self._resolve(str(name))).exists()

    def __iter__(self) -> Iterator[str]:
        return (path.name for path in self.path.iterdir() if path.suffix in _CODECS)

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
            folder, sizes = self.write(template, base_dt, obj)
        except OSError as error:
            raise dg.Failure(
                f"Base date {base_dt}: artifacts below {self.base_path} cannot be written"
                f" ({error.strerror or error}). Make room (credit-ct prune) or mend the rights,"
                " then run this base date again: what was written before is whole.",
                allow_retries=False,
            ) from error
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
            content = _CODECS[path.suffix].encode(value)
            _publish(path, content)
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
        """Per base date, the bytes of each file, those that a killed `delete` left included."""
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
        if folder.protocol not in _LOCAL:
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
            CreditCtError: That failed.
        """
        root = self._root()
        path = root / f".probe.{uuid4().hex}"
        try:
            root.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"probe")
            path.read_bytes()
            path.unlink()
            return shutil.disk_usage(root.path).free if root.protocol in _LOCAL else None
        except OSError as error:
            raise CreditCtError(
                f"Artifacts cannot be written below {root} ({error.strerror or error}): give this"
                " user the right to, make room, or choose another ARTIFACTS_PATH."
            ) from error

    def _root(self) -> UPath:
        path = UPath(self.base_path)
        return path.absolute() if path.protocol in _LOCAL else path

    def _folder(self, template: str, base_dt: str) -> UPath:
        return self._root() / template.format(model_name=self.model_name, base_dt=base_dt)

    def _resolve(self, name: str, base_dt: str) -> str:
        resolved = name.format(model_name=self.model_name, base_dt=base_dt)
        if resolved.endswith(".parquet"):
            return resolved.removesuffix("parquet") + self.table_format
        return resolved


def _publish(path: UPath, content: bytes) -> None:
    """Make `path` hold `content`, whole or not at all."""
    if path.protocol not in _LOCAL:
        path.write_bytes(content)  # object stores put an object whole
        return
    local = Path(path.path)
    _remove_abandoned(local)
    with tempfile.NamedTemporaryFile(
        dir=local.parent, prefix=f".{local.name}.", suffix=".tmp", delete=False
    ) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            file.write(content)
            file.flush()
            Path(file.name).chmod(0o644)
            Path(file.name).replace(local)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _remove_abandoned(path: Path) -> None:
    """Delete temporary files of killed writers: those that no living process holds locked."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(FileNotFoundError, BlockingIOError):
            descriptor = os.open(leftover, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
            finally:
                os.close(descriptor)
