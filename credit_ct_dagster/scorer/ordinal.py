"""A model of ordered classes that consists of several CatBoost models, in one file.

CatBoost constrains how a model goes with a feature (`monotone_constraints`) only where there are
two classes. So each pair of neighbouring classes has a model of its own.
"""

import base64
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from catboost import CatBoostClassifier, Pool

from .encoded import KEY as ENCODING_KEY
from .encoded import EncodedClassifier, parts_of
from .encoding import Encoding

if TYPE_CHECKING:
    import pandas as pd

    Rows: TypeAlias = pd.DataFrame | list[list[float | str]] | Pool

Array = np.ndarray[Any, np.dtype[np.float64]]

_KEY = "credit_ct_ordinal"
"""Where the file of the first model holds the others."""
_FORM = "adjacent categories"


class OrdinalClassifier:
    """Ordered classes by adjacent-category logits, used as a CatBoost model of them is.

    The model of two neighbouring classes gives the log-odds of the better one against the worse
    one, and is fitted to the rows of these two (Agresti 2010, "Analysis of Ordinal Categorical
    Data", section 4.1; fitted separately: Begg and Gray 1984). When the log-odds of all pairs fall
    with a feature, so do those of any two classes: then no class gets better as the feature rises,
    whatever the classes are weighted by. Models of "better than Poor" and "is Good" (Frank and Hall
    2001) do not ensure that: docs/decisions/0021-search-presets-and-monotone.md.

    Attributes:
        classes_: In alphabetical order, as CatBoost's own; the columns of scores follow it.
        feature_names_: The columns that it takes, in its order.
        trees_: Trees of each of its models.
        tree_count_: Trees of all.
    """

    def __init__(
        self,
        ordered: Sequence[str],
        models: Sequence[CatBoostClassifier],
        others: Sequence[bytes],
    ) -> None:
        """Combine models; `of_fitted` and `load_model` call this.

        Args:
            ordered: The classes, worst to best.
            models: Of each class but the best and the next better one.
            others: The files of all models but the first: a model that was loaded from memory must
                not be saved, because CatBoost 1.2.10 crashes the process that loads that file.
        """
        self.classes_ = np.array(sorted(ordered))
        self.feature_names_: list[str] = list(models[0].feature_names_)
        self.trees_ = [int(model.tree_count_) for model in models]
        self.tree_count_ = sum(self.trees_)
        self._ordered = list(ordered)
        self._places = [self._ordered.index(name) for name in self.classes_]
        self._models = list(models)
        self._others = list(others)

    @classmethod
    def of_fitted(
        cls, ordered: Sequence[str], models: Sequence[CatBoostClassifier]
    ) -> "OrdinalClassifier":
        """Combine models that were just fitted.

        Args:
            ordered: The classes, worst to best.
            models: Of each class but the best and the next better one, as 0 and 1.
        """
        others = [_file_of(model) for model in models[1:]]
        content = {
            "form": _FORM,
            "classes": list(ordered),
            "models": [base64.b64encode(each).decode() for each in others],
        }
        models[0].get_metadata()[_KEY] = json.dumps(content)
        return cls(ordered, models, others)

    def predict_proba(self, rows: "Rows", thread_count: int = -1) -> Array:
        """Probabilities in the order of `classes_`, shape (rows, classes), summing to 1."""
        return self._probabilities(rows, thread_count)[:, self._places]

    def predict(
        self, rows: "Rows", prediction_type: str = "Class", thread_count: int = -1
    ) -> "np.ndarray[Any, Any]":
        """Classes, or raw values.

        Args:
            rows: Prepared rows.
            prediction_type: `Class`, the most probable class, shape (rows,); or `RawFormulaVal`,
                shape (rows, classes): the difference of two classes is the log-odds between them.
            thread_count: -1: one per core.
        """
        if prediction_type == "RawFormulaVal":
            return self._raw(rows, thread_count)[:, self._places]
        if prediction_type != "Class":
            raise ValueError(
                f"prediction_type {prediction_type} is unknown to {type(self).__name__}"
            )
        best = self._probabilities(rows, thread_count).argmax(axis=1)
        return np.array(self._ordered)[best]

    def get_feature_importance(self) -> Array:
        """CatBoost's PredictionValuesChange per feature in percent: the mean of the models."""
        return np.mean([model.get_feature_importance() for model in self._models], axis=0)

    def get_cat_feature_indices(self) -> list[int]:
        """The places of the columns that are categories, as CatBoost's own."""
        return list(self._models[0].get_cat_feature_indices())

    def get_text_feature_indices(self) -> list[int]:
        """The places of the columns that are split into words, as CatBoost's own."""
        return list(self._models[0].get_text_feature_indices())

    def get_metadata(self) -> Any:
        """What its file holds besides the models: may be added to before it is saved."""
        return self._models[0].get_metadata()

    def save_model(self, path: str) -> None:
        """Write the one file that `load_model` reads."""
        self._models[0].save_model(path)

    def _probabilities(self, rows: "Rows", thread_count: int) -> Array:
        """Worst to best; class by class, so that a single row adds up like one of a thousand."""
        raw = self._raw(rows, thread_count)
        shares = np.exp(raw - raw.max(axis=1, keepdims=True))
        total = shares[:, 0]
        for number in range(1, shares.shape[1]):
            total = total + shares[:, number]
        return shares / total[:, np.newaxis]

    def _raw(self, rows: "Rows", thread_count: int) -> Array:
        """Log-odds of each class against the worst one, worst to best, shape (rows, classes)."""
        found = [np.zeros(rows.num_row() if isinstance(rows, Pool) else len(rows))]
        for model in self._models:
            step = model.predict(rows, prediction_type="RawFormulaVal", thread_count=thread_count)
            found.append(found[-1] + step)
        return np.column_stack(found)

    # What scikit-learn asks of a fitted classifier that it calibrates.

    def fit(self, rows: Any, labels: Any) -> "OrdinalClassifier":
        """Refused: its models are fitted before."""
        raise NotImplementedError("an OrdinalClassifier is made of fitted models")

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        return self._models[0].__sklearn_tags__()


Model: TypeAlias = CatBoostClassifier | OrdinalClassifier | EncodedClassifier
"""What the platform trains, packages and serves."""


def is_ordinal(model: Model) -> bool:
    """Whether a model consists of one per pair of neighbouring classes (`monotone: true`)."""
    inner, _ = parts_of(model)
    return isinstance(inner, OrdinalClassifier)


def load_model(source: str | Path | bytes) -> Model:
    """A model from its file, or from the content of it; nothing in it is executed.

    Raises:
        CatBoostError: It is not the file of a model.
        ValueError: A later release wrote it.
    """
    if isinstance(source, bytes):
        # Not `load_model(blob=…)`: such a model, saved again, crashes the process that loads it.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.cbm")
            path.write_bytes(source)
            return load_model(path)
    first = CatBoostClassifier().load_model(str(source))
    metadata = first.get_metadata()
    content, encoding = metadata.get(_KEY), metadata.get(ENCODING_KEY)
    model = first if content is None else _ordinal(first, json.loads(content))
    if encoding is None:
        return model
    return EncodedClassifier(model, Encoding.of_data(json.loads(encoding)))


def _ordinal(first: CatBoostClassifier, content: dict[str, Any]) -> OrdinalClassifier:
    """The model whose file holds others."""
    if content["form"] != _FORM:
        raise ValueError(f"the model has a form that is unknown to this release: {content['form']}")
    others = [base64.b64decode(each) for each in content["models"]]
    # These are never saved again: their files are retained as they are.
    models = [first, *(CatBoostClassifier().load_model(blob=each) for each in others)]
    return OrdinalClassifier(content["classes"], models, others)


def _file_of(model: CatBoostClassifier) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.cbm")
        model.save_model(str(path))
        return path.read_bytes()
