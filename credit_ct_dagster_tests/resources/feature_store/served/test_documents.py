"""JSON documents as columns."""

import json
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.resources.feature_store.served.documents import objects_of, parsed, values_of

_finite = st.floats(allow_nan=False, allow_infinity=False)
_numbers = st.one_of(st.none(), st.integers(-(2**53), 2**53), _finite)
_words = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
_documents = st.lists(
    st.fixed_dictionaries({}, optional={"n": _numbers, "w": _words, "other": st.booleans()}),
    max_size=20,
)


def _columns(documents: list[str | None]) -> dict[str, list[Any]]:
    texts = pa.chunked_array([documents[:1], documents[1:]], pa.large_string())
    return parsed(texts, ["n"], ["w"]).to_pydict()


@given(documents=_documents, indent=st.sampled_from([None, 1]))
def test_values_are_those_that_json_has(documents: list[dict[str, Any]], indent: int) -> None:
    """Bit by bit, whatever a text contains and however a document is written."""
    found = _columns([json.dumps(each, indent=indent) for each in documents])
    assert found["n"] == [each.get("n") for each in documents]
    assert found["w"] == [each.get("w") for each in documents]
    texts = pa.chunked_array([[json.dumps(each) for each in documents]], pa.large_string())
    assert values_of(texts, ["n"], ["w"]) == found


def test_a_value_of_another_type_takes_no_other_one_with_it() -> None:
    """A number is understood where it is spelled; a word is what was there."""
    documents = ['{"n": 1, "w": "x"}', '{"n": "2.5", "w": 3}', '{"n": [1], "w": true}', "[]", None]
    assert _columns(documents) == {
        "n": [1.0, 2.5, None, None, None],
        "w": ["x", "3", "true", None, None],
    }


def test_documents_as_objects_keep_their_types() -> None:
    """A number that is a text remains one."""
    texts = pa.chunked_array([['{"n": "1", "w": 2, "x": null}', None, "7"]], pa.large_string())
    assert objects_of(texts) == [{"n": "1", "w": 2, "x": None}, {}, {}]
    assert values_of(texts, ["n"], ["w"]) == {"n": ["1", None, None], "w": [2, None, None]}
