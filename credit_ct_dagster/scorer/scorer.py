"""The model that takes raw rows: what a package holds, and whoever scores calls.

These files travel inside every package, which has to work where this platform is not installed.
They import NumPy, SciPy, pandas and CatBoost, and each other by relative names: a package loads
them under a name of its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from catboost import Pool

from .calibration import Calibration
from .class_rule import ClassRule
from .contributions import Contributions
from .encoded import parts_of
from .ordinal import Model, load_model
from .reasons import Reason, Reasons
from .values import Columns

if TYPE_CHECKING:
    import pandas as pd

DATA_FILE = "scorer.json"
MODEL_FILE = "model.cbm"
VERSION = 3
"""The newest version of `DATA_FILE` that this code reads."""


@dataclass(frozen=True)
class Answer:
    """What the model says of one customer.

    Attributes:
        credit_score: The class, by the class rule that the gate judged.
        probabilities: Calibrated, per class from worst to best, summing to 1.
        is_most_probable: Whether the class is also the most probable one.
        reasons: What moved the customer away from the next better class, the strongest first.
    """

    credit_score: str
    probabilities: dict[str, float]
    is_most_probable: bool
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Scored:
    """What the model says of many customers.

    Attributes:
        classes: Shape (rows,).
        probabilities: Calibrated, shape (rows, 3), classes from worst to best.
        scores: Raw one-vs-all scores, of the same shape; their sum varies.
    """

    classes: "np.ndarray[Any, Any]"
    probabilities: "np.ndarray[Any, np.dtype[np.float64]]"
    scores: "np.ndarray[Any, np.dtype[np.float64]]"


class Scorer:
    """Classes, calibrated probabilities and reasons of raw rows.

    A row by itself and a row of a frame get the same answer, to the last bit.
    """

    def __init__(self, model: Model, data: Mapping[str, Any]) -> None:
        """Combine a model with what it needs.

        Args:
            model: The fitted model, which takes prepared rows.
            data: The content of `DATA_FILE`.

        Raises:
            ValueError: A later release wrote the data.
        """
        if data["version"] > VERSION:
            raise ValueError(f"version {data['version']} of {DATA_FILE} is newer than this code")
        self.model = model
        self.classes: list[str] = list(data["classes"])
        self.protected: list[str] = list(data["protected"])
        # Version 1 had no gains.
        self.class_rule = ClassRule(data["class_rule"], data.get("gains", ()))
        self._inner, self._encoding = parts_of(model)
        self._columns = Columns(list(data["features"]), data["scales"], data["missing_word"])
        # The columns of the model's output, from the worst class to the best.
        of_model = [str(name) for name in model.classes_]
        self._order = [of_model.index(name) for name in self.classes]
        self._calibration = Calibration(
            data["calibration"]["method"],
            [data["calibration"]["curves"].get(name, {}) for name in of_model],
        )
        typical = [data["typical"][name] for name in self.classes]
        self._reasons = Reasons(
            self._encoding.columns,
            self._encoding.feature_of,
            [self._encoding.values_of(values, missing=0.0) for values in typical],
            data["sentences"],
            self.protected,
        )
        self.explains: bool = bool(data["orders"])
        self._typical = [
            self._encoding.of_row(self._columns.of_row(values)) if self.explains else []
            for values in typical
        ]
        places = {name: place for place, name in enumerate(self._encoding.columns)}
        self._contributions = Contributions(
            self._margins, [[places[name] for name in order] for order in data["orders"]]
        )

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Read a scorer from the folder that holds `DATA_FILE` and `MODEL_FILE`."""
        data = json.loads((Path(folder) / DATA_FILE).read_text("utf8"))
        return cls(load_model(Path(folder) / MODEL_FILE), data)

    @property
    def columns(self) -> list[str]:
        """The raw columns that it takes; others are ignored."""
        return self._columns.names

    def score(self, row: Mapping[str, Any], reasons: bool = True) -> Answer:
        """Answer for one customer, without the milliseconds that a frame takes.

        Args:
            row: Raw values by column; None, NaN and blank words are missing.
            reasons: Whether to give reasons, which takes most of the time.

        Raises:
            UnusableValuesError: A column is absent, or holds a value of another kind.
        """
        encoded = [self._encoding.of_row(self._columns.of_row(row))]
        scores = self._inner.predict_proba(self._pool(encoded), thread_count=1)
        scored, numbers = self._scored(scores)
        return Answer(
            str(scored.classes[0]),
            dict(zip(self.classes, scored.probabilities[0].tolist(), strict=True)),
            bool(scored.probabilities[0].argmax() == numbers[0]),
            self._reasons_of([self._columns.raw(row)], encoded, numbers)[0] if reasons else (),
        )

    def score_rows(self, rows: "pd.DataFrame") -> Scored:
        """Score many customers.

        Args:
            rows: Raw columns; None, NaN and blank words are missing.

        Raises:
            UnusableValuesError: A column is absent, or holds a value of another kind.
        """
        return self._scored(self._scores(self._encoded(rows)))[0]

    def answer_rows(self, rows: "pd.DataFrame", reasons: bool = False) -> "pd.DataFrame":
        """Answer for many customers.

        Args:
            rows: Raw columns; None, NaN and blank words are missing.
            reasons: Whether to give reasons, as lists of `Reason` in a column `reasons`.

        Returns:
            `credit_score` and `probability_poor`, `probability_standard`, `probability_good`, with
            the index of the rows.

        Raises:
            UnusableValuesError: A column is absent, or holds a value of another kind.
        """
        import pandas as pd

        encoded = self._encoded(rows)
        scored, numbers = self._scored(self._scores(encoded))
        answers = pd.DataFrame(
            {
                "credit_score": scored.classes,
                **{
                    f"probability_{name.lower()}": scored.probabilities[:, column]
                    for column, name in enumerate(self.classes)
                },
            },
            index=rows.index,
        )
        if reasons:
            raw = [self._columns.raw(row) for row in rows[self.columns].to_dict("records")]
            found = self._reasons_of(raw, encoded, numbers)
            answers["reasons"] = pd.Series(found, index=rows.index, dtype=object)
        return answers

    def margins(self, rows: "pd.DataFrame") -> "np.ndarray[Any, np.dtype[np.float64]]":
        """Margins of each class but the best over the next better one, in log-odds.

        Reasons explain these: they are differences of CatBoost's raw values.

        Args:
            rows: Raw columns.

        Returns:
            Shape (rows, 2), classes from the worst on.
        """
        encoded = self._encoded(rows)
        return np.stack(
            [self._margins(encoded, number) for number in range(len(self.classes) - 1)], axis=1
        )

    def contributions(
        self, rows: "pd.DataFrame", number: int
    ) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """By how much each feature moves a margin away from that of the typical customer.

        Args:
            rows: Raw columns.
            number: Of the class whose margin over the next better one is explained, 0 for the
                worst; it is compared with the typical customer of the better one.

        Returns:
            Shape (rows, columns), in log-odds; a row adds up to the difference of the margins. The
            columns are the raw ones, `columns`: where a text is counted, that of all its kinds.
        """
        encoded = self._encoded(rows)
        found = self._contributions.of_rows(encoded, self._typical[number + 1], number)
        return self._encoding.of_features(found)

    def _encoded(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        return self._encoding.of_frame(self._columns.of_frame(rows))

    def _margins(
        self, encoded: "list[list[float | str]] | pd.DataFrame", number: int
    ) -> "np.ndarray[Any, np.dtype[np.float64]]":
        threads = 1 if isinstance(encoded, list) else -1
        rows = self._pool(encoded) if isinstance(encoded, list) else encoded
        raw = self._inner.predict(rows, prediction_type="RawFormulaVal", thread_count=threads)
        return raw[:, self._order[number]] - raw[:, self._order[number + 1]]

    def _pool(self, encoded: list[list[float | str]]) -> Pool:
        """A few rows; measured: CatBoost looks at a list for three times as long as it predicts."""
        return Pool(
            encoded,
            cat_features=self._inner.get_cat_feature_indices(),
            text_features=self._inner.get_text_feature_indices(),
            thread_count=1,
        )

    def _scores(self, encoded: "pd.DataFrame") -> "np.ndarray[Any, np.dtype[np.float64]]":
        if encoded.empty:  # CatBoost refuses no rows
            return np.empty((0, len(self.classes)))
        return self._inner.predict_proba(encoded)

    def _scored(
        self, scores: "np.ndarray[Any, np.dtype[np.float64]]"
    ) -> "tuple[Scored, np.ndarray[Any, np.dtype[np.int64]]]":
        probabilities = self._calibration.probabilities(scores)[:, self._order]
        ordered = scores[:, self._order]
        numbers = self.class_rule.numbers(ordered, probabilities)
        return Scored(np.array(self.classes)[numbers], probabilities, ordered), numbers

    def _reasons_of(
        self,
        raw: "list[dict[str, float | str | None]]",
        encoded: "list[list[float | str]] | pd.DataFrame",
        numbers: "np.ndarray[Any, np.dtype[np.int64]]",
    ) -> list[tuple[Reason, ...]]:
        """The reasons per row; those in the best class, which have none, take no time."""
        found: list[tuple[Reason, ...]] = [()] * len(raw)
        if not self.explains:
            return found
        for number in range(len(self.classes) - 1):
            explained = np.flatnonzero(numbers == number)
            if len(explained) == 0:
                continue
            typical = self._typical[number + 1]
            if isinstance(encoded, list):
                moved = [self._contributions.of_row(encoded[0], typical, number)]
            else:
                moved = list(self._contributions.of_rows(encoded.iloc[explained], typical, number))
            for contributions, place in zip(moved, explained, strict=True):
                values = self._encoding.values_of(raw[place])
                found[place] = self._reasons.of(values, contributions, number)
        return found
