"""The columns of frames of answers, as `ServedAnswers` returns them: every name, once."""

from typing import TYPE_CHECKING

from credit_ct_dagster.modeling import schema

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pandas as pd

SOURCE = "source"
KEY = "key"
CUSTOMER = schema.CUSTOMER
MODEL_TAG = "model_tag"
PREDICTED = "predicted"
LABEL = "label"
LABEL_DATE = "label_date"
LATENCY = "latency_ms"
TIME = "time"
DAY = "day"

REQUEST = "request"
"""The `source` of an answer to a request, in `credit_predictions`; its key is the request id."""
BATCH = "batch"
"""The `source` of a score, in `credit_customer_scores`; its key is `id|customer|date`."""

PROBABILITY_OF = schema.PROBABILITIES
"""The column of each class's probability, from worst to best."""
PROBABILITIES = [*PROBABILITY_OF.values()]

ANSWERS = [
    SOURCE, KEY, CUSTOMER, MODEL_TAG, PREDICTED, *PROBABILITIES, LABEL, LABEL_DATE,
    *schema.GROUPED, LATENCY, TIME,
]  # fmt: skip
"""Of `ServedAnswers.of_day`."""

FEATURES = [SOURCE, KEY, CUSTOMER, *schema.FEATURES]
"""Of `ServedAnswers.features_of_day`."""

COUNTS = {name: f"count_{name.lower()}" for name in schema.CLASSES}
"""The column of each class's number of answers."""
LATENCIES = {0.5: "latency_p50_ms", 0.95: "latency_p95_ms", 0.99: "latency_p99_ms"}
"""The column of each quantile of latencies."""
FIRST_TIME, LAST_TIME = "first_time", "last_time"
ROWS = "answers"
VOLUMES = [
    DAY, SOURCE, MODEL_TAG, ROWS, *COUNTS.values(), *LATENCIES.values(), FIRST_TIME, LAST_TIME,
]  # fmt: skip
"""Of `ServedAnswers.volumes`."""

_NUMBERS = {*PROBABILITIES, LATENCY, *LATENCIES.values(), *schema.NUMERIC}
_WHOLE = {ROWS, *COUNTS.values()}
_MOMENTS = {TIME, FIRST_TIME, LAST_TIME}


def type_of(name: str) -> str:
    """The type that pandas has for a column: moments are in UTC, without a time zone."""
    if name in _MOMENTS:
        return "datetime64[us]"
    return "float64" if name in _NUMBERS else "int64" if name in _WHOLE else "object"


def without_rows(names: list[str]) -> "pd.DataFrame":
    """No rows, with columns of the types that they have otherwise."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series([], dtype=type_of(name)) for name in names})
