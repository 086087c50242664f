"""What all records have in common: a version, and how a record is read."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self
from zlib import compress, decompress
from zlib import error as BadCompressionError  # noqa: N812 - a class, whatever its name

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from credit_ct_dagster.errors.stores import NewerRecordError, UnreadableRecordError


class Part(BaseModel):
    """A part of a record. Fields that a later release added are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Record(Part):
    """What one step writes, and another step, a command or a later release reads.

    A new field has a default, so that older records stay readable. A field is renamed, or changes
    its meaning, only together with a higher `VERSION` and a validator that reads the old form.
    """

    VERSION: ClassVar[int] = 1
    FILE: ClassVar[str]
    """Its file in the folder of its artifact."""
    REMEDY: ClassVar[str]
    """What makes it again, for the sentence about one that cannot be read."""

    version: int = 1

    @model_validator(mode="before")
    @classmethod
    def _is_known(cls, data: Any) -> Any:
        version = data.get("version") if isinstance(data, dict) else None
        if isinstance(version, int) and version > cls.VERSION:
            raise _NewerVersionError(version)
        return data

    def to_json(self) -> bytes:
        """The record as it is stored: JSON in UTF-8."""
        return json.dumps(self.model_dump(mode="json"), indent=2, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes, where: str) -> Self:
        """Read a stored record.

        Args:
            content: What `to_json` gave, in this release or an earlier one.
            where: Its path, for a person.

        Raises:
            NewerRecordError: A later release wrote it.
            UnreadableRecordError: It is not such a record, or only a part of one.
        """
        return cls._read(lambda: cls.model_validate_json(content), where)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], where: str) -> Self:
        """Read a record that another format stores; see `from_json`."""
        return cls._read(lambda: cls.model_validate(values), where)

    def packed(self) -> str:
        """The record as a short text, for a store of texts: a tenth of its JSON."""
        return b64encode(compress(self.to_json(), 9)).decode()

    @classmethod
    def from_packed(cls, text: str, where: str) -> Self:
        """Read what `packed` gave; see `from_json`.

        Raises:
            NewerRecordError: A later release wrote it.
            UnreadableRecordError: It is no such text.
        """
        try:
            content = decompress(b64decode(text, validate=True))
        except (ValueError, BadCompressionError):
            content = b""
        return cls.from_json(content, where)

    @classmethod
    def _read(cls, validate: Callable[[], Self], where: str) -> Self:
        try:
            return validate()
        except _NewerVersionError as error:
            raise NewerRecordError(
                f"{where} has version {error.version}, but this release reads {cls.__name__}"
                f" records up to version {cls.VERSION}. Install the release that wrote it, or"
                f" {cls.REMEDY}."
            ) from None
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            at = ".".join(map(str, problem["loc"]))
            raise UnreadableRecordError(
                f"{where} is not a valid {cls.__name__} record"
                f" ({f'{at}: ' if at else ''}{problem['msg']}). To replace it, {cls.REMEDY}."
            ) from None


class _NewerVersionError(Exception):
    """Passes through pydantic, which turns ValueErrors into its own."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version
