"""What counts as a missing word: nothing, and blanks."""

from typing import TYPE_CHECKING

from credit_ct_dagster.modeling import schema

# Definitions import this module; pandas takes half a second, and frames have methods enough.
if TYPE_CHECKING:
    import pandas as pd


def with_blanks_missing(rows: "pd.DataFrame") -> "pd.DataFrame":
    r"""Rows whose words have no blanks around them; a word of blanks only is missing.

    `LOAD DATA` of MySQL makes '' of an empty cell, and 'Good\r' of a file with Windows' line ends.
    Only features are changed: what surrounds a key or a label is a matter of the rules for rows.

    Args:
        rows: Any of the columns `schema.WORDS`, among others.

    Returns:
        The same frame if it has no such word; a new one otherwise.
    """
    changed = {}
    for name in schema.WORDS:
        if name not in rows:
            continue
        # Few words are different ones, and none of them is more than once looked at.
        words = rows[name]
        replaced = {
            word: word.strip() or None
            for word in words.unique()
            if isinstance(word, str) and word != (word.strip() or None)
        }
        if replaced:
            changed[name] = words.astype(object).map(
                lambda word, replaced=replaced: replaced.get(word, word)
            )
    return rows.assign(**changed) if changed else rows
