"""Pages and pictures in Dagster's history: the UI's server has that, and no artifacts."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any
from zlib import compress, decompress

import dagster as dg

STORED_PAGES = "stored_pages"
"""Metadata that no person reads: the files which the UI's server shows."""


def stored_pages(model_name: str, files: Mapping[str, str]) -> dict[str, dg.MetadataValue]:
    """Metadata that hold texts, in about a quarter of their size.

    Args:
        model_name: Of the model that they are about: several may share the history.
        files: Text by name.
    """
    packed = {name: b64encode(compress(text.encode(), 9)).decode() for name, text in files.items()}
    return {STORED_PAGES: dg.MetadataValue.json({"model_name": model_name, "files": packed})}


def stored_page(
    metadata: Mapping[str, dg.MetadataValue], name: str, model_name: str | None = None
) -> str | None:
    """A text of an event; None if it has none with that name.

    Args:
        metadata: Of the event.
        name: Of the text.
        model_name: Of the model; None takes that of any.
    """
    entry = metadata.get(STORED_PAGES)
    data: Any = entry.value if entry else None
    if not isinstance(data, dict) or model_name not in (None, "", data.get("model_name")):
        return None
    packed = data.get("files", {}).get(name)
    return None if packed is None else decompress(b64decode(packed)).decode()
