"""Bodies and headers that are no request for a prediction."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from credit_ct_dagster.serving.example import example
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster_tests.serving.http.small_service import (
    Client,
    FixedModel,
    MemoryLog,
    refused,
    running,
)


@pytest.fixture(scope="module")
def client(model: ServedModel) -> Iterator[Client]:
    """A client of the service."""
    with running(Parts(FixedModel(model), MemoryLog())) as client:
        yield client


@pytest.mark.parametrize("key", ["x" * 65, "a b", "é", "\t", ""])
def test_a_key_must_be_printable(client: Client, key: str) -> None:
    """A key that could not stand in a log as it is, is refused."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    reply = client.ask("POST", "/predict", json.dumps(example()), headers)
    assert refused(reply, 422, "invalid_request") == []


@pytest.mark.parametrize("body", [[], {}, 1, None, [{}] * 1_001])
def test_many_customers_are_a_list_of_up_to_a_thousand(client: Client, body: Any) -> None:
    """Anything else is refused whole."""
    assert refused(client.post("/predict_many", body), 422, "invalid_request") == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b"\xff\xfe{}", 400, "malformed_json"),
        (b"\xef\xbb\xbf{}", 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b'{"age": 1' + b"0" * 5_000 + b"}", 400, "malformed_json"),
        (b'{"age": 1, "age": 2}', 422, "invalid_request"),
        (b'[{"age": {"age": 1, "age": 2}}]', 422, "invalid_request"),
        (b"1", 422, "invalid_customer"),
        (b"{}", 422, "invalid_customer"),
    ],
)
def test_a_body_that_is_no_customer_is_refused(
    client: Client, body: bytes, status: int, code: str
) -> None:
    """Whatever a body is, the answer is an error of the caller's."""
    refused(
        client.ask("POST", "/predict", body, {"Content-Type": "application/json"}), status, code
    )


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(client: Client, number: str) -> None:
    """What BentoML takes as null, or fails at, is refused with the field."""
    body = json.dumps(example() | {"age": 0}).replace('"age": 0', f'"age": {number}')
    reply = client.ask("POST", "/predict", body, {"Content-Type": "application/json"})
    assert refused(reply, 422, "invalid_customer") == [
        {"field": "age", "rule": "must be 14 to 120"}
    ]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/vnd.bentoml+pickle",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ],
)
def test_a_body_must_call_itself_json(client: Client, content_type: str | None) -> None:
    """Forms of foreign pages, and BentoML's own kinds, are refused."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    reply = client.ask("POST", "/predict", json.dumps(example()), headers)
    refused(reply, 415, "unsupported_media_type")
