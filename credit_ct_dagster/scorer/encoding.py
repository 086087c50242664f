"""From prepared rows to the columns of a CatBoost model: a text that lists kinds becomes counts."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

# The definitions import this module: methods import what they call.
if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float32]]

OTHER = "other"
"""What is listed, and is no kind that training rows had; a text of this word counts as one."""
FORM = "counts of kinds"
_SEPARATOR = re.compile(" ?, ?(?:and )?| and ", re.IGNORECASE)
"""In a text whose blanks are single ones: `a, b`, `a,b`, `a and b`, `a, and b`."""


class Kinds:
    """What a text may list, and which of it is counted by itself."""

    def __init__(self, declared: Sequence[str], counted: Sequence[str]) -> None:
        """Take the kinds.

        Args:
            declared: All kinds; letter case and blanks make no difference.
            counted: Those that training rows had, in the order of their columns.
        """
        self.declared = list(declared)
        self.counted = list(counted)
        self._known = {_plain(kind): kind for kind in declared}
        self._places = {kind: place for place, kind in enumerate(counted)}
        # A kind may contain a separator itself ("home and garden loan").
        self._longest = max((len(_pieces(kind)) for kind in self._known), default=1)

    def listed(self, text: str) -> list[str]:
        """The kinds in a text, in its order, each as often as it is listed.

        Returns:
            As they are declared, and `OTHER` for each thing that is not; where several kinds fit,
            the longest one.
        """
        plain = _plain(text)
        if self._longest == 1:
            # Measured: the same in a third of the time, which a million texts make count.
            things = plain.replace(",and ", ",").replace(" and ", ",").split(",")
            return [self._known.get(thing.strip(), OTHER) for thing in things if thing.strip()]
        pieces = _pieces(plain)
        found, at = [], 0
        while at < len(pieces):
            for end in range(min(at + self._longest, len(pieces)), at, -1):
                kind = self._known.get(plain[pieces[at][0] : pieces[end - 1][1]])
                if kind is not None or end == at + 1:
                    found.append(OTHER if kind is None else kind)
                    at = end
                    break
        return found

    def counts(self, text: str) -> list[float]:
        """How often a text lists each counted kind, and how often anything else."""
        found = [0.0] * (len(self.counted) + 1)
        for kind in self.listed(text):
            found[self._places.get(kind, -1)] += 1
        return found

    def table(self, texts: "pd.Series", missing_word: str = "") -> "Array":
        """The counts of many texts, shape (kinds and others, rows); one is split once.

        Args:
            texts: None and NaN list nothing.
            missing_word: A text that stands for a missing one.
        """
        import numpy as np
        import pandas as pd

        codes, words = pd.factorize(texts)
        # The last row is that of an absent text, whose code is -1.
        found = np.zeros((len(words) + 1, len(self.counted) + 1), dtype=np.float32)
        for place, word in enumerate(words):
            if word != missing_word:
                found[place] = self.counts(str(word))
        return np.ascontiguousarray(found.T)[:, codes]

    def has_other(self, text: str) -> bool:
        """Whether a text lists anything that is not counted by itself."""
        return any(kind not in self._places for kind in self.listed(text))

    def text_of(self, counts: Sequence[float]) -> str | None:
        """A text with these counts, rounded down; None if it would list nothing."""
        names = [*self.counted, OTHER]
        listed = [
            name for name, count in zip(names, counts, strict=True) for _ in range(int(count))
        ]
        return ", ".join(listed) or None


class Encoding:
    """The columns of a CatBoost model, and how they follow from prepared rows.

    A text with kinds becomes a number per kind, and one of all others; a text that is missing lists
    nothing. Every other feature is a column as it is.

    Attributes:
        features: Of prepared rows, in the order of the model.
        counted: The texts with kinds.
        columns: Of the CatBoost model, in its order; those of one text are neighbours.
        feature_of: The feature of each column.
    """

    def __init__(
        self, features: Sequence[str], counted: Mapping[str, Kinds], missing_word: str = ""
    ) -> None:
        """Take what was decided at training.

        Args:
            features: Of prepared rows, in the order of the model.
            counted: The texts with kinds.
            missing_word: A text that is missing, in prepared rows.
        """
        self.features = list(features)
        self.counted = dict(counted)
        self._missing_word = missing_word
        self._kinds = [self.counted.get(name) for name in self.features]
        self.columns: list[str] = []
        self.feature_of: list[str] = []
        for name, kinds in zip(self.features, self._kinds, strict=True):
            columns = [name] if kinds is None else _columns_of(name, kinds)
            self.columns += columns
            self.feature_of += [name] * len(columns)

    def to_data(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return {
            "form": FORM,
            "features": self.features,
            "missing_word": self._missing_word,
            "counted": {
                name: {"declared": kinds.declared, "counted": kinds.counted}
                for name, kinds in self.counted.items()
            },
        }

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Self:
        """The encoding that `to_data` described.

        Raises:
            ValueError: A later release wrote it.
        """
        if data["form"] != FORM:
            raise ValueError(f"the model has an encoding that is unknown: {data['form']}")
        counted = {
            name: Kinds(kinds["declared"], kinds["counted"])
            for name, kinds in data["counted"].items()
        }
        return cls(data["features"], counted, data["missing_word"])

    def of_row(self, row: Sequence[float | str]) -> list[float | str]:
        """The columns of one prepared row."""
        found: list[float | str] = []
        for value, kinds in zip(row, self._kinds, strict=True):
            if kinds is None:
                found.append(value)
            else:
                found += kinds.counts("" if value == self._missing_word else str(value))
        return found

    def of_frame(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        """The columns of prepared rows; other columns of theirs are left out."""
        import pandas as pd

        if not self.counted:
            return rows[self.features]
        found: dict[str, Any] = {}
        for name, kinds in zip(self.features, self._kinds, strict=True):
            if kinds is None:
                found[name] = rows[name]
            else:
                counts = kinds.table(rows[name], self._missing_word)
                found |= zip(_columns_of(name, kinds), counts, strict=True)
        return pd.DataFrame(found, index=rows.index, copy=False)

    def values_of(
        self, row: Mapping[str, float | str | None], missing: float | None = None
    ) -> list[float | str | None]:
        """Per column, what a raw row has there.

        Args:
            row: Words without blanks around them; None for what is missing.
            missing: For each kind of a text that is missing. [default: None]
        """
        found: list[float | str | None] = []
        for name, kinds in zip(self.features, self._kinds, strict=True):
            value = row.get(name)
            if kinds is None:
                found.append(value)
            elif value is None:
                found += [missing] * (len(kinds.counted) + 1)
            else:
                found += kinds.counts(str(value))
        return found

    def of_features(self, values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Values per column, summed per feature; the last axis is that of the columns."""
        import numpy as np

        if not self.counted:
            return values
        starts = [self.feature_of.index(name) for name in self.features]
        return np.add.reduceat(values, starts, axis=-1)


def column_name(feature: str, kind: str) -> str:
    """The column that counts a kind of a text; no feature can have such a name."""
    return f"{feature}: {kind}"


def things_of(text: str) -> list[str]:
    """What a text lists, each as it is spelled there; a kind with a separator in it is split."""
    single = " ".join(text.split())
    return [single[start:end] for start, end in _pieces(single)]


def _columns_of(feature: str, kinds: Kinds) -> list[str]:
    return [column_name(feature, kind) for kind in (*kinds.counted, OTHER)]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _pieces(plain: str) -> list[tuple[int, int]]:
    """Where the things that a plain text lists start and end."""
    found, start = [], 0
    for separator in _SEPARATOR.finditer(plain):
        if separator.start() > start:
            found.append((start, separator.start()))
        start = separator.end()
    if len(plain) > start:
        found.append((start, len(plain)))
    return found
