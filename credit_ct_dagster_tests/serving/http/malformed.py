"""Malformed requests, made from the OpenAPI document, and what every answer to one must be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.http.answers import ErrorAnswer, PredictionsAnswer
from credit_ct_dagster_tests.serving.http.small_service import Client, Reply

CANARY = "cAnArY7391"
"""Stands in values; it must not come back, nor reach a log."""
CANARY_NUMBER = 739_104_825_601
"""No feature may have it."""

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Malformed:
    """A request that the contract does not allow."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: dict(_JSON))


def malformed_requests(document: Mapping[str, Any]) -> st.SearchStrategy[Malformed]:
    """Requests of every kind that a document of OpenAPI forbids.

    Args:
        document: Of the service; its schemas say what is right, hence what is wrong.
    """
    customer = document["components"]["schemas"]["Customer"]
    rows = _wrong_rows(customer)
    broken = st.one_of(_wrong_texts(customer), st.binary(max_size=60).filter(_is_no_json))
    posts = [path for path, methods in document["paths"].items() if "post" in methods]
    known = [*document["paths"], "/", "/docs.json"]
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    return st.one_of(
        st.builds(lambda row: Malformed("POST", "/predict", _dumped(row)), rows),
        st.builds(lambda row: Malformed("POST", "/predict_many", _dumped(row)), _wrong_lists(rows)),
        st.builds(
            lambda row: Malformed("POST", "/predict_customer", _dumped(row)), _wrong_customers()
        ),
        st.builds(lambda path, body: Malformed("POST", path, body), st.sampled_from(posts), broken),
        st.builds(
            lambda path, kind: Malformed(
                "POST", path, _dumped(customer["example"]), {"Content-Type": kind}
            ),
            st.sampled_from(posts),
            st.sampled_from(["", "text/plain", "application/xml", f"text/{CANARY}", "multipart/x"]),
        ),
        st.builds(
            lambda key: Malformed(
                "POST", "/predict", _dumped(customer["example"]), _JSON | {"Idempotency-Key": key}
            ),
            st.sampled_from(["", " ", f"{CANARY} {CANARY}", CANARY * 7, "\xff", "a\tb"]),
        ),
        st.builds(
            Malformed,
            st.sampled_from(methods),
            st.sampled_from(known).flatmap(
                lambda path: st.sampled_from([path, f"{path}/", f"{path}{CANARY}", f"/{CANARY}"])
            ),
        ).filter(lambda asked: not _is_allowed(document, asked)),
    )


def require_harmless(client: Client, asked: Malformed, is_many: bool = False) -> None:
    """Send a malformed request; the answer is an error in the one shape, and quotes no value."""
    reply = client.ask(asked.method, asked.path, asked.body, asked.headers)
    assert CANARY.encode() not in reply.body, asked
    assert str(CANARY_NUMBER).encode() not in reply.body, asked
    assert CANARY not in str(reply.headers), asked
    assert b"Traceback" not in reply.body
    if reply.status == 200:
        _require_refused_rows(reply, asked)
        return
    assert 400 <= reply.status < 500, (asked, reply)
    if asked.method != "HEAD":
        ErrorAnswer.model_validate(reply.json())
        assert list(reply.json()) == ["error"]


def _require_refused_rows(reply: Reply, asked: Malformed) -> None:
    """Of many customers, those that are wrong are refused in the answer to all."""
    assert asked.path == "/predict_many", asked
    assert PredictionsAnswer.model_validate(reply.json()).refused > 0, asked


def _wrong_rows(customer: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """The example, with one to five fields wrong; or something else than an object."""
    example = customer["example"]
    wrong = [
        st.builds(lambda field, value: {field: value}, st.just(name), _wrong_values(described))
        for name, described in customer["properties"].items()
        if name != schema.CUSTOMER
    ]
    foreign = st.dictionaries(
        st.text(max_size=80).filter(lambda name: name not in customer["properties"])
        | st.sampled_from(["name", "ssn", "id", "__class__", "Age"]),
        _any_values(),
        min_size=1,
        max_size=3,
    )
    changes = st.lists(st.one_of(*wrong, foreign), min_size=1, max_size=5).map(
        lambda found: {name: value for each in found for name, value in each.items()}
    )
    absent = st.sets(st.sampled_from(customer["required"]), min_size=1).map(
        lambda names: {name: value for name, value in example.items() if name not in names}
    )
    identifiers = st.sampled_from(["", CANARY * 2, 5, [CANARY], True]).map(
        lambda value: example | {schema.CUSTOMER: value}
    )
    return st.one_of(
        changes.map(lambda changed: example | changed), absent, identifiers, _no_objects()
    )


def _wrong_values(described: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of one feature forbids."""
    others = st.sampled_from([True, False, [CANARY], {CANARY: CANARY}, [], {}])
    if described["type"] == "number":
        edges = [described[name] for name in ("minimum", "maximum") if name in described]
        outside = [
            step * size + edge
            for edge, step in zip(edges, (-1, 1), strict=False)
            for size in (0.001, 1, 1e6, 1e300)
        ]
        return others | st.sampled_from(
            [*outside, CANARY, "33", "", 1e999, -1e999, float("nan"), CANARY_NUMBER, 10**400]
        )
    words = [5, 0.5, CANARY_NUMBER, "NULL", "nan", "\\N", f"{CANARY}\0", "\ud800"]
    if "enum" in described:
        words += [CANARY, described["enum"][0].swapcase()]
    if "maxLength" in described:
        words.append(CANARY.ljust(described["maxLength"] + 1, "x"))
    return others | st.sampled_from(words)


def _wrong_lists(rows: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(rows, min_size=1, max_size=4),
        st.just([]),
        st.just([CANARY] * 1_001),
        _no_objects(),
        st.builds(lambda row: {"rows": [row]}, rows),
    )


def _wrong_customers() -> st.SearchStrategy[Any]:
    return st.one_of(
        _no_objects(),
        st.just({}),
        st.sampled_from(["", CANARY * 2, 5, None, True, [CANARY], "\ud800", "a\0"]).map(
            lambda value: {schema.CUSTOMER: value}
        ),
        st.dictionaries(st.text(max_size=70), _any_values(), min_size=1, max_size=3).map(
            lambda fields: {schema.CUSTOMER: "nobody"} | fields
        ),
    )


def _wrong_texts(customer: Mapping[str, Any]) -> st.SearchStrategy[bytes]:
    """Texts that are nearly JSON."""
    text = json.dumps(customer["example"])
    return st.one_of(
        st.integers(0, len(text) - 1).map(lambda length: text[:length].encode()),
        st.sampled_from(
            [
                text.replace('"age": ', f'"age": "{CANARY}", "age": ').encode(),
                text.replace('"age": ', '"age": 0').encode(),
                text.replace(",", ",,", 1).encode(),
                text.replace('"', "'").encode(),
                text.encode("utf-16"),
                b"\xef\xbb\xbf" + text.encode(),
                text.encode() + text.encode(),
                b"[" * 50_000,
                b'{"a":' * 50_000,
                b"[" * 50_000 + b"]" * 50_000,
                b'{"age": 1' + b"0" * 5_000 + b"}",
                f"{CANARY}".encode(),
                b"\xff" + CANARY.encode(),
            ]
        ),
    )


def _no_objects() -> st.SearchStrategy[Any]:
    return st.sampled_from([None, True, 0, 1.5, CANARY, "", [CANARY], [[CANARY]], CANARY_NUMBER])


def _any_values() -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.just(CANARY),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    )


def _is_no_json(body: bytes) -> bool:
    try:
        json.loads(body.decode())
    except ValueError:
        return True
    return False


def _is_allowed(document: Mapping[str, Any], asked: Malformed) -> bool:
    methods = {name.upper() for name in document["paths"].get(asked.path, {})}
    if asked.path in ("/", "/docs.json"):
        methods = {"GET"}
    if "GET" in methods:
        methods.add("HEAD")
    return asked.method in methods and "POST" not in methods


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
