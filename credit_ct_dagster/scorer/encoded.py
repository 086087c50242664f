"""A model together with the encoding of the rows that it takes, in one file."""

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .encoding import Encoding

if TYPE_CHECKING:
    import pandas as pd
    from catboost import CatBoostClassifier

    from .ordinal import OrdinalClassifier

    Rows: TypeAlias = pd.DataFrame | list[list[float | str]]
    Inner: TypeAlias = CatBoostClassifier | OrdinalClassifier

KEY = "credit_ct_encoding"
"""Where the file of a model holds its encoding."""


class EncodedClassifier:
    """Takes prepared rows as a model without an encoding does, and encodes them itself.

    So whoever trains, calibrates, judges or serves a model need not know how its texts are encoded.

    Attributes:
        inner: The model, which takes encoded rows.
        encoding: From prepared rows to these.
        classes_: As those of the model.
        feature_names_: The columns of prepared rows, in the order of the model.
        trees_: Trees of each CatBoost model in it.
        tree_count_: Trees of all.
    """

    def __init__(self, inner: "Inner", encoding: Encoding) -> None:
        """Combine the two; `of_fitted` and `load_model` call this.

        Args:
            inner: A fitted model of the columns of the encoding.
            encoding: Of the rows.
        """
        self.inner = inner
        self.encoding = encoding
        self.classes_ = inner.classes_
        self.feature_names_ = encoding.features
        self.trees_ = trees_of(inner)
        self.tree_count_ = sum(self.trees_)

    @classmethod
    def of_fitted(cls, inner: "Inner", encoding: Encoding) -> "EncodedClassifier":
        """Combine a model that was just fitted with the encoding of its rows."""
        inner.get_metadata()[KEY] = json.dumps(encoding.to_data())
        return cls(inner, encoding)

    def predict_proba(self, rows: "Rows", thread_count: int = -1) -> "np.ndarray[Any, Any]":
        """As the model's own, of prepared rows."""
        return self.inner.predict_proba(self._encoded(rows), thread_count=thread_count)

    def predict(
        self, rows: "Rows", prediction_type: str = "Class", thread_count: int = -1
    ) -> "np.ndarray[Any, Any]":
        """As the model's own, of prepared rows."""
        return self.inner.predict(
            self._encoded(rows), prediction_type=prediction_type, thread_count=thread_count
        )

    def get_feature_importance(self) -> "np.ndarray[Any, Any]":
        """CatBoost's PredictionValuesChange in percent, that of a text's columns summed."""
        return self.encoding.of_features(np.asarray(self.inner.get_feature_importance()))

    def save_model(self, path: str) -> None:
        """Write the one file that `load_model` reads."""
        self.inner.save_model(path)

    def _encoded(self, rows: "Rows") -> "Rows":
        if isinstance(rows, list):
            return [self.encoding.of_row(row) for row in rows]
        return self.encoding.of_frame(rows)

    # What scikit-learn asks of a fitted classifier that it calibrates.

    def fit(self, rows: Any, labels: Any) -> "EncodedClassifier":
        """Refused: its model is fitted before."""
        raise NotImplementedError("an EncodedClassifier is made of a fitted model")

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        return self.inner.__sklearn_tags__()


def parts_of(model: "Inner | EncodedClassifier") -> "tuple[Inner, Encoding]":
    """A model that takes encoded rows, and the encoding; one without takes rows as they are."""
    if isinstance(model, EncodedClassifier):
        return model.inner, model.encoding
    return model, Encoding([str(name) for name in model.feature_names_], {})


def words_of(model: "Inner | EncodedClassifier") -> tuple[list[str], list[str]]:
    """The columns that a model takes as categories, and those that it splits into words itself."""
    inner, _ = parts_of(model)
    names = [str(name) for name in inner.feature_names_]
    return (
        [names[place] for place in inner.get_cat_feature_indices()],
        [names[place] for place in inner.get_text_feature_indices()],
    )


def trees_of(model: "Inner | EncodedClassifier") -> list[int]:
    """Trees of each CatBoost model in it, several for `monotone: true`."""
    found: list[int] | None = getattr(model, "trees_", None)
    return [int(model.tree_count_)] if found is None else list(found)
