"""How the texts of a model are encoded, as its training rows decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.search.search_space import Text
from credit_ct_dagster.scorer.encoded import parts_of
from credit_ct_dagster.scorer.encoding import Encoding, Kinds

if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.scorer.ordinal import Model


@dataclass(frozen=True)
class ModelColumns:
    """The columns that CatBoost is given.

    Attributes:
        encoding: From prepared rows to these columns.
        categories: The columns that are categories.
        texts: Those that CatBoost splits into words itself.
    """

    encoding: Encoding
    categories: Sequence[str]
    texts: Sequence[str]

    @classmethod
    def of(cls, train: "pd.DataFrame", features: Sequence[str], text: Text) -> Self:
        """Decide how texts are encoded.

        Args:
            train: Prepared rows to fit: only kinds that one of them lists get a column of their
                own.
            features: What is trained on, in the order of the schema.
            text: How the model takes texts.
        """
        texts = [name for name in schema.TEXT if name in features]
        categories = [name for name in schema.CATEGORICAL if name in features]
        if text == Text.native:
            return cls(Encoding(features, {}), categories, texts)
        counted = {name: _kinds(train[name], name) for name in texts if schema.COLUMNS[name].kinds}
        categories += [name for name in texts if name not in counted]
        return cls(Encoding(features, counted, schema.MISSING_WORD), categories, [])


def _kinds(texts: "pd.Series", name: str) -> Kinds:
    declared = schema.COLUMNS[name].kinds
    split = Kinds(declared, declared)
    had: set[str] = set()
    for text in texts.dropna().unique():
        if text != schema.MISSING_WORD:
            had.update(split.listed(text))
    return Kinds(declared, [kind for kind in declared if kind in had])


def rows_with_others(model: "Model", rows: Mapping[str, "pd.DataFrame"]) -> dict[str, int]:
    """How many rows of each split list a kind that a model counts as any other.

    Args:
        model: The model.
        rows: Prepared rows by the name of their split.

    Returns:
        Per split; empty for a model that counts no text.
    """
    _, encoding = parts_of(model)
    if not encoding.counted:
        return {}
    return {name: _with_others(encoding, split) for name, split in rows.items()}


def _with_others(encoding: Encoding, rows: "pd.DataFrame") -> int:
    found = np.zeros(len(rows), dtype=bool)
    for name, kinds in encoding.counted.items():
        found |= kinds.table(rows[name], schema.MISSING_WORD)[-1] > 0
    return int(found.sum())
