"""How each kind of file is written and read, by its suffix."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.modeling import schema

# What a format needs is imported with its first file: CatBoost, joblib and pandas take seconds.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.scorer.ordinal import Model

_TEXT_COLUMNS = [schema.BASE_DATE, *schema.KEY, *schema.WORDS, schema.TARGET]


@dataclass(frozen=True)
class Codec:
    """How the files of one suffix are written and read."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def _dump_joblib(value: object) -> bytes:
    import joblib

    buffer = BytesIO()
    joblib.dump(value, buffer)
    return buffer.getvalue()


def _refuse_to_unpickle(_content: bytes) -> Any:
    """Reading a pickle executes what it contains, and whoever can write artifacts can plant one."""
    raise NotImplementedError("joblib files are for other consumers: read the JSON file instead")


def _dump_json(value: Any) -> bytes:
    if isinstance(value, Record):
        return value.to_json()
    return json.dumps(value, indent=2, allow_nan=False).encode() + b"\n"


def _dump_model(model: "Model") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path))
        return path.read_bytes()


def _load_model(content: bytes) -> "Model":
    from credit_ct_dagster.scorer.ordinal import load_model

    return load_model(content)


def _load_parquet(content: bytes) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(BytesIO(content))


def _load_csv(content: bytes) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_csv(
        BytesIO(content),
        dtype=dict.fromkeys(_TEXT_COLUMNS, str),
        keep_default_na=False,
        na_values=[""],
        float_precision="round_trip",
    )


CODECS = {
    ".parquet": Codec(lambda frame: frame.to_parquet(index=False), _load_parquet),
    ".csv": Codec(lambda frame: frame.to_csv(index=False).encode(), _load_csv),
    ".joblib": Codec(_dump_joblib, _refuse_to_unpickle),
    ".json": Codec(_dump_json, json.loads),
    ".cbm": Codec(_dump_model, _load_model),
    ".html": Codec(str.encode, bytes.decode),
    ".png": Codec(bytes, bytes),
}
