"""Texts that list kinds, as counts."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.scorer.encoding import OTHER, Encoding, Kinds

_LOANS = list(schema.COLUMNS["type_of_loan"].kinds)
# Kinds that contain separators, and one that begins as another does.
_HARD = ["home and garden loan", "cars, boats and planes", "home", "payday loan"]
_SEPARATORS = st.sampled_from([", ", ",", " , ", " and ", ", and ", "  AND ", ",  and  "])


def _listed(kinds: list[str], separators: list[str]) -> str:
    text = kinds[0]
    for kind, separator in zip(kinds[1:], separators, strict=False):
        text += separator + kind
    return text


_TEXTS = st.lists(st.sampled_from(_LOANS), min_size=1, max_size=9).flatmap(
    lambda kinds: st.tuples(
        st.just(kinds), st.lists(_SEPARATORS, min_size=len(kinds), max_size=len(kinds))
    )
)


@given(_TEXTS, st.sampled_from([str.upper, str.title, str.lower, "  {}  ".format]))
def test_every_kind_is_counted_as_often_as_it_is_listed(
    listed: tuple[list[str], list[str]], spelled: Any
) -> None:
    """Whatever separates them, and however they are spelled."""
    kinds, separators = listed
    split = Kinds(_LOANS, _LOANS)
    text = spelled(_listed(kinds, separators))
    assert split.listed(text) == kinds
    assert dict(zip([*_LOANS, OTHER], split.counts(text), strict=True)) == {
        name: Counter(kinds)[name] for name in [*_LOANS, OTHER]
    }
    assert not split.has_other(text)


@given(
    st.lists(st.sampled_from(_HARD), min_size=1, max_size=6),
    st.lists(st.sampled_from([", ", ",", " , "]), min_size=6, max_size=6),
)
def test_a_kind_may_contain_a_separator(kinds: list[str], separators: list[str]) -> None:
    """Of several kinds that fit, the longest one is listed."""
    assert Kinds(_HARD, _HARD).listed(_listed(kinds, separators)) == kinds


@given(st.text(st.sampled_from("andA ,.xpLo\t\u0130\u1e9e\N{NO-BREAK SPACE}"), max_size=60))
def test_any_text_can_be_counted(text: str) -> None:
    """What is no kind counts as another thing, and blanks and separators count as nothing."""
    split = Kinds(_LOANS, _LOANS[:3])
    counts = split.counts(text)
    assert sum(counts) == len(split.listed(text))
    assert split.has_other(text) == (counts[-1] > 0)
    assert sum(counts) == 0 or text.strip(" ,\t\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("", []),
        (" , ,and ", [OTHER]),
        ("payday loan,payday loan and payday loan", ["payday loan"] * 3),
        ("Not Specified, and Student  Loan", ["not specified", "student loan"]),
        ("brand loan, android", [OTHER, OTHER]),
        ("payday loan; auto loan", [OTHER]),
        ("yacht loan and auto loan", [OTHER, "auto loan"]),
        ("other", [OTHER]),
    ],
)
def test_texts_as_people_write_them(text: str, listed: list[str]) -> None:
    """Nothing is guessed: a separator that is none makes one unknown thing."""
    assert Kinds(_LOANS, _LOANS).listed(text) == listed


@pytest.mark.parametrize(
    ("piece", "things"), [(" ", 0), (",", 0), (" and ", 1_638), ("home and ", 1_820)]
)
def test_the_longest_text_that_a_row_may_hold_is_counted(piece: str, things: int) -> None:
    """Blanks, separators, and beginnings of kinds: none of them is tried over and over."""
    text = piece * (schema.LONGEST_TEXT // len(piece))
    assert len(Kinds(_HARD, _HARD).listed(text)) == things


def test_a_kind_that_training_never_had_counts_as_any_other() -> None:
    """Declared or not."""
    kinds = Kinds(_LOANS, ["auto loan", "payday loan"])
    assert kinds.counts("auto loan, student loan, yacht loan") == [1, 0, 2]
    assert kinds.has_other("student loan")
    assert not kinds.has_other("Auto Loan and payday loan")


def test_a_text_with_given_counts_has_these_counts() -> None:
    """So what is typical can be told as a text."""
    kinds = Kinds(_LOANS, ["auto loan", "payday loan"])
    assert kinds.text_of([2, 1, 1]) == "auto loan, auto loan, payday loan, other"
    assert kinds.counts(str(kinds.text_of([2, 1, 3]))) == [2, 1, 3]
    assert kinds.text_of([0, 0, 0]) is None


@pytest.fixture(scope="module")
def encoding() -> Encoding:
    """Of a number, a text with kinds, and a word."""
    counted = {"loans": Kinds(_LOANS, ["auto loan", "payday loan"])}
    return Encoding(["debt", "loans", "mix"], counted, "missing")


def test_columns_of_a_text_are_neighbours_in_its_place(encoding: Encoding) -> None:
    """One per kind that training had, and one of all others."""
    assert encoding.columns == [
        "debt", "loans: auto loan", "loans: payday loan", "loans: other", "mix",
    ]  # fmt: skip
    assert encoding.feature_of == ["debt", "loans", "loans", "loans", "mix"]
    found = encoding.of_features(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    assert found.tolist() == [[1.0, 9.0, 5.0]]


_ROWS = st.lists(
    st.tuples(
        st.floats(allow_nan=False, width=32),
        _TEXTS.map(lambda listed: _listed(*listed)) | st.sampled_from(["missing", "yacht", "é,"]),
        st.sampled_from(["a", "missing"]),
    ),
    min_size=1,
    max_size=8,
)


@given(_ROWS)
def test_a_row_is_encoded_as_in_a_frame(rows: list[tuple[float, str, str]]) -> None:
    """To the last bit, whatever index and other columns the frame has."""
    counted = {"loans": Kinds(_LOANS, ["auto loan", "payday loan"])}
    encoding = Encoding(["debt", "loans", "mix"], counted, "missing")
    frame = pd.DataFrame(rows, columns=["debt", "loans", "mix"], index=range(7, 7 + len(rows)))
    encoded = encoding.of_frame(frame.assign(ignored=1)[["mix", "ignored", "loans", "debt"]])
    assert list(encoded.columns) == encoding.columns
    assert list(encoded.index) == list(frame.index)
    assert encoded.to_numpy().tolist() == [encoding.of_row(row) for row in rows]


def test_a_missing_text_lists_nothing(encoding: Encoding) -> None:
    """As the prepared word, and as an absent value; who is told why sees that it is missing."""
    assert encoding.of_row([1.0, "missing", "a"]) == [1.0, 0, 0, 0, "a"]
    frame = pd.DataFrame({"debt": [1.0, 2.0], "loans": ["missing", None], "mix": ["a", "a"]})
    assert encoding.of_frame(frame)[encoding.columns[1:4]].to_numpy().sum() == 0
    row = {"debt": 1.0, "loans": None, "mix": "a"}
    assert encoding.values_of(row) == [1.0, None, None, None, "a"]
    assert encoding.values_of(row, missing=0.0) == [1.0, 0, 0, 0, "a"]
    assert encoding.values_of(row | {"loans": "Auto loan"}) == [1.0, 1, 0, 0, "a"]


def test_an_encoding_is_read_as_it_was_written(encoding: Encoding) -> None:
    """One of a later release is refused: it would be read as something else."""
    again = Encoding.of_data(encoding.to_data())
    assert again.to_data() == encoding.to_data()
    assert again.columns == encoding.columns
    text = "student loan, PAYDAY LOAN and auto loan"
    assert again.of_row([1.0, text, "a"]) == encoding.of_row([1.0, text, "a"])
    with pytest.raises(ValueError, match="unknown: shares of kinds"):
        Encoding.of_data(encoding.to_data() | {"form": "shares of kinds"})


def test_other_cannot_be_declared() -> None:
    """Its column has all kinds that are not."""
    with pytest.raises(ValueError, match="'other' stands for all kinds that are not declared"):
        schema.Column(
            name="loans",
            kind=schema.Kind.text,
            description="Loans",
            separator=",",
            kinds=("auto loan", "other"),
        )
