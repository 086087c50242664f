"""How many answers a model gave, of which class and how fast: counted by the database."""

from typing import TYPE_CHECKING, Any

from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.resources.feature_store.arrow import NUMBER, TEXT, WHOLE
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pandas as pd

_KEYS = [columns.DAY, columns.SOURCE, columns.MODEL_TAG]
_OF_SCORES = {
    columns.DAY: TEXT, columns.MODEL_TAG: TEXT, columns.PREDICTED: TEXT, columns.ROWS: WHOLE,
    columns.FIRST_TIME: WHOLE, columns.LAST_TIME: WHOLE,
}  # fmt: skip
_OF_REQUESTS = {**_OF_SCORES, columns.LATENCY: NUMBER}


def volumes_of_days(tables: ServedTables, first_day: str, last_day: str) -> "pd.DataFrame":
    """See `ServedAnswers.volumes`."""
    import pandas as pd

    values, counted = tables.of_days(first_day, last_day), []
    if tables.has_log:
        found = tables.read("volumes_of_requests", _OF_REQUESTS, values).to_pandas()
        counted.append(found.assign(**{columns.SOURCE: columns.REQUEST}))
    if tables.has_scores:
        found = tables.read("volumes_of_scores", _OF_SCORES, values).to_pandas()
        counted.append(
            found.assign(**{columns.SOURCE: columns.BATCH, columns.LATENCY: float("nan")})
        )
    groups = [group for each in counted for group in each.groupby(_KEYS, sort=True)]
    if not groups:
        return columns.without_rows(columns.VOLUMES)
    rows = [dict(zip(_KEYS, key, strict=True)) | _summary(group) for key, group in groups]
    types = {name: columns.type_of(name) for name in columns.VOLUMES}
    found = pd.DataFrame(rows).astype(types)[columns.VOLUMES]
    return found.sort_values(_KEYS, ignore_index=True)


def _summary(group: "pd.DataFrame") -> dict[str, Any]:
    """One day, source and tag, of what the database counted per class and latency."""
    import pandas as pd

    answers, predicted = group[columns.ROWS], group[columns.PREDICTED]
    return {
        columns.ROWS: answers.sum(),
        **{column: answers[predicted == name].sum() for name, column in columns.COUNTS.items()},
        **_quantiles(group.groupby(columns.LATENCY)[columns.ROWS].sum()),
        columns.FIRST_TIME: pd.to_datetime(group[columns.FIRST_TIME].min(), unit="us"),
        columns.LAST_TIME: pd.to_datetime(group[columns.LAST_TIME].max(), unit="us"),
    }


def _quantiles(answers: "pd.Series") -> dict[str, float]:
    """The lowest latency that a share of the answers does not exceed.

    Args:
        answers: How many, by latency in ascending order.
    """
    import numpy as np

    if answers.empty:
        return dict.fromkeys(columns.LATENCIES.values(), float("nan"))
    reached = answers.cumsum().to_numpy()
    return {
        name: float(answers.index[int(np.searchsorted(reached, np.ceil(share * reached[-1])))])
        for share, name in columns.LATENCIES.items()
    }
