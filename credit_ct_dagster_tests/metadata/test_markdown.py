"""Markdown that Dagster shows without a click."""

import pytest

from credit_ct_dagster.metadata.markdown import shown_lines


@pytest.mark.parametrize(
    ("lengths", "shown"),
    [([10, 10], None), ([400, 400, 400], "2 of 3; all are on the page"), ([5000], None)],
)
def test_a_list_is_cut_to_what_shows(lengths: list[int], shown: str | None) -> None:
    """Below 1,000 characters, the first items; one that is longer by itself is shortened."""
    lines = [("word " * length)[:length] for length in lengths]
    found = shown_lines("sentences", lines, "on the page")
    assert 0 < len(found["sentences"].value) < 1000
    assert found.get("sentences_shown") == shown
