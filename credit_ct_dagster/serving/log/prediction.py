"""A prediction as it is logged: to a row of the log table, and to a line of the spool."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from numbers import Real
from typing import Any

from credit_ct_dagster.modeling import schema

VERSION = 1
"""Of what is stored. A later release reads the earlier ones, and never the other way round."""

LENGTHS = {
    "request_id": 64,
    "customer_id": 64,
    "feature_date": 10,
    "model_tag": 200,
    "base_dt": 10,
    "registered_version": 32,
    "credit_score": schema.COLUMNS[schema.TARGET].length or 0,
}
"""How many characters the texts of a prediction may have."""


_NO_LINE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading anything else than a line of the spool may raise."""


class NewerLineError(Exception):
    """A later release wrote a line of the spool."""


@dataclass(frozen=True)
class Prediction:
    """An answer that was, or is about to be, given.

    Attributes:
        request_id: Names the request; no other one in the log has it.
        time: When it was answered, with a time zone; kept in UTC to the microsecond.
        customer_id: Whose, where it is known.
        feature_date: Of the features, where they were looked up, `YYYY-MM-DD`.
        model_tag: The BentoML tag of the model.
        base_dt: The model's base date.
        registered_version: The model's version in MLflow, where it has one.
        credit_score: The class.
        is_most_probable: Whether it is the most probable one.
        probabilities: Per class; kept from worst to best.
        reasons: As they were answered.
        compliance_flags: Protected features among the reasons.
        warnings: What was unusual about the features.
        features: As scored: a number or a word, None where it is missing. Only columns of
            `schema.FEATURES`, hence neither name nor ssn.
        latency_ms: From request to answer, in milliseconds.
    """

    request_id: str
    time: datetime
    model_tag: str
    base_dt: str
    credit_score: str
    is_most_probable: bool
    probabilities: Mapping[str, float]
    features: Mapping[str, float | str | None]
    latency_ms: float
    customer_id: str | None = None
    feature_date: str | None = None
    registered_version: str | None = None
    reasons: Sequence[Mapping[str, Any]] = ()
    compliance_flags: Sequence[str] = ()
    warnings: Sequence[Any] = ()

    def __post_init__(self) -> None:
        """Refuse what a log must not have, or could not store.

        Raises:
            ValueError: A feature is none of the model's, a text is empty or too long, or a number
                is infinite; no value is repeated.
            TypeError: A feature is neither a number nor a text.
        """
        foreign = sorted(set(self.features) - set(schema.FEATURES))
        if foreign:
            raise ValueError(f"A prediction is logged without {', '.join(foreign)}")
        if self.time.tzinfo is None:
            raise ValueError("The time of a prediction has a time zone")
        for name, length in LENGTHS.items():
            text = getattr(self, name)
            if text is not None and not 1 <= len(text) <= length:
                raise ValueError(f"{name} has 1 to {length} characters")
        self._normalise()

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FIELDS}

    def _normalise(self) -> None:
        """One form for what is the same, so that what is read back is equal to what was written."""
        values = {
            "time": self.time.astimezone(UTC),
            "probabilities": {
                name: float(self.probabilities[name])
                for name in sorted(self.probabilities, key=_place(schema.CLASSES))
            },
            "features": {
                name: _plain(name, self.features[name])
                for name in schema.FEATURES
                if name in self.features
            },
            "latency_ms": float(self.latency_ms),
            "is_most_probable": bool(self.is_most_probable),
            "reasons": [dict(reason) for reason in self.reasons],
            "compliance_flags": list(self.compliance_flags),
            "warnings": list(self.warnings),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def to_line(self) -> bytes:
        """The prediction as a line of the spool.

        Raises:
            ValueError: A text is no Unicode, or a number is infinite or none.
        """
        values = self._values() | {"time": self.time.isoformat()}
        text = json.dumps({"version": VERSION, "prediction": values}, allow_nan=False)
        for name in ("request_id", "customer_id"):
            (getattr(self, name) or "").encode()
        return text.encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Prediction":
        """Read a line of the spool.

        Raises:
            NewerLineError: A later release wrote it.
            ValueError: It is no such line, or only a part of one.
        """
        try:
            stored = json.loads(line)
            if stored["version"] > VERSION:
                raise NewerLineError
            read = cls.from_values(stored["prediction"])
            read.to_line()  # what cannot be written again, no database takes
        except _NO_LINE as error:
            raise ValueError(f"not a line of the spool ({type(error).__name__})") from None
        return read

    def to_row(self) -> dict[str, Any]:
        """The prediction as a row of the table; its time is in UTC, without a time zone."""
        values = self._values() | {
            "time": self.time.replace(tzinfo=None),
            "record_version": VERSION,
        }
        return {_IN_TABLE.get(name, name): value for name, value in values.items()}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Prediction":
        """Read a row of the table, or what a line holds; what is not known is passed over."""
        values = {_IN_LINE.get(name, name): value for name, value in values.items()}
        known = {name: values[name] for name in _FIELDS if name in values}
        time = known["time"]
        if isinstance(time, str):
            time = datetime.fromisoformat(time)
        elif time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        features = dict(known.pop("features"))
        ours = {name: features[name] for name in schema.FEATURES if name in features}
        read = cls(**known | {"time": time, "features": ours})
        # A release that has a feature no more stores what an earlier one spooled.
        others = {name: features[name] for name in features if name not in schema.SOURCE_FEATURES}
        object.__setattr__(read, "features", ours | others)
        return read


_FIELDS = [each.name for each in fields(Prediction)]
_IN_TABLE = {"customer_id": schema.CUSTOMER, "credit_score": schema.TARGET}
"""Fields whose column in the table is called as the bank calls it."""
_IN_LINE = {column: name for name, column in _IN_TABLE.items()}


def _place(names: Sequence[str]) -> Any:
    """Orders names as a list has them; others follow."""
    return lambda name: (names.index(name) if name in names else len(names), name)


def _plain(name: str, value: Any) -> float | str | None:
    """A value of a feature in a type that JSON has; NaN is a missing one."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, Real):
        raise TypeError(f"{name} is neither a number nor a text")
    number = float(value)
    if math.isinf(number):
        raise ValueError(f"{name} is infinite")
    return None if math.isnan(number) else number


def key_of(line: bytes) -> tuple[str, float]:
    """The request id of a line of the spool, and its time in seconds since 1970.

    Raises:
        ValueError: It is not a line of the spool.
    """
    try:
        stored = json.loads(line)["prediction"]
        return str(stored["request_id"]), datetime.fromisoformat(stored["time"]).timestamp()
    except _NO_LINE as error:
        raise ValueError(f"not a line of the spool ({type(error).__name__})") from None
