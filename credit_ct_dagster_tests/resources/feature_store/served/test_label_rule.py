"""The rule which label belongs to an answer, against plain Python, on both databases."""

from datetime import date, timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.resources.feature_store.served.oracle import label_of
from credit_ct_dagster_tests.served_rows import MODEL, label, log, request, score

_DAY = "2025-03-10"
_LABEL_DAYS = 3
_CUSTOMERS = ["a", "A", "a ", "é", "'%s"]

_days = st.integers(-5, 8).map(lambda n: (date.fromisoformat(_DAY) + timedelta(n)).isoformat())
_dates = st.one_of(_days, st.sampled_from(["2025-02-29", "unknown", "9999-12-31"]))
_labels = st.lists(
    st.tuples(
        st.sampled_from(["1", "02", "x", "X", "é"]),
        st.sampled_from(_CUSTOMERS),
        _dates,
        st.sampled_from(["Poor", "Standard", "Good", "good", "Good ", ""]),
    ),
    max_size=60,
    unique_by=lambda row: row[:3],
)
_requests = st.lists(
    st.tuples(st.sampled_from([*_CUSTOMERS, None]), st.one_of(st.none(), _dates)),
    min_size=1,
    max_size=12,
)
_scores = st.lists(
    st.tuples(st.sampled_from(["1", "x"]), st.sampled_from(_CUSTOMERS), _dates),
    max_size=8,
    unique=True,
)


def _emptied(store: FeatureStore) -> None:
    store.create_missing_tables()
    log(store)
    with store.database.transaction(writes=True) as connection:
        for table in ("credit_score", "credit_predictions"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=12,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(labels=_labels, requests=_requests, scores=_scores)
def test_every_answer_has_the_label_that_plain_python_finds(
    store: FeatureStore,
    labels: list[tuple[str, str, str, str]],
    requests: list[tuple[str | None, str | None]],
    scores: list[tuple[str, str, str]],
) -> None:
    """Of requests and of scores, whatever the keys look like and the dates are."""
    _emptied(store)
    log(
        store,
        *(
            request(f"r{number}", _DAY, customer, feature_date=day)
            for number, (customer, day) in enumerate(requests)
        ),
    )
    score(store, _DAY, *((*key, "Poor") for key in scores))
    if labels:
        label(store, *labels)
    answers = {f"r{number}": given for number, given in enumerate(requests)}
    answers |= {"|".join(key): key[1:] for key in scores}
    found = ServedAnswers(store.database, MODEL).of_day(_DAY, label_days=_LABEL_DAYS)
    given_labels = zip(found[columns.LABEL], found[columns.LABEL_DATE], strict=True)
    assert dict(zip(found[columns.KEY], given_labels, strict=True)) == {
        key: label_of(customer, day, _DAY, labels, _LABEL_DAYS) or (None, None)
        for key, (customer, day) in answers.items()
    }
