"""Words and lists as served and as stored: which disagree, and in what way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.serving_skew import Pattern
from credit_ct_dagster.modeling.watching.patterns import (
    NAMES_OF_MISSING,
    Difference,
    Group,
    cells_of,
    groups_of,
    stripped_texts,
)
from credit_ct_dagster.scorer.encoding import things_of

_LEAST_ROWS = 5
_LEAST_PER_WORD = 3
"""Rows of a stored word that another word must stand for, before it is called a code of it."""
_NEARLY_ALL = 0.9
_LEAST_WORDS = 2
_SHORTEST_CUT = 3
_NUMBERS = {kind: number for number, kind in enumerate(Pattern)}


@dataclass(frozen=True)
class _Words:
    """Words that are there on both sides, and differ.

    Attributes:
        texts: Every different text of the feature, of both sides.
        theirs: As served, places in `texts`, shape (values,).
        ours: As stored.
        stored: The places of all texts that the store has, also where the two sides agree.
        longest: Characters of the longest of these that was served.
    """

    texts: np.ndarray
    theirs: np.ndarray
    ours: np.ndarray
    stored: np.ndarray
    longest: int


def word_difference(
    served: pd.Series, stored: pd.Series, others: Mapping[str, pd.Series], *, lists: bool
) -> Difference:
    """Compare the words of a feature.

    Args:
        served: As JSON had them: texts, numbers, None, or anything else.
        stored: As the pipeline reads them: texts and None.
        others: The other words of the stored rows, by feature, with the same index.
        lists: Whether a text lists things.
    """
    cells = cells_of(served)
    theirs = np.full(len(served), None, dtype=object)
    theirs[cells.is_text] = cells.values[cells.is_text]
    codes, texts = pd.factorize(np.concatenate([theirs, stripped_texts(stored)]))
    theirs_code, ours_code = codes[: len(served)], codes[len(served) :]
    is_absent = ours_code < 0
    is_word = np.array([text.casefold() in NAMES_OF_MISSING for text in texts] + [False])
    # What the store itself has as a word is no way to write that there is none.
    is_word[np.unique(ours_code[~is_absent])] = False
    words = cells.is_text & is_word[theirs_code]
    is_other = cells.is_other | cells.is_number
    missing = cells.is_missing | words
    there = cells.is_text & ~words
    rows = np.flatnonzero(there & ~is_absent & (theirs_code != ours_code))
    found = _Words(
        texts=np.asarray(texts, dtype=object),
        theirs=theirs_code[rows],
        ours=ours_code[rows],
        stored=np.unique(ours_code[~is_absent]),
        longest=max((len(texts[code]) for code in np.unique(theirs_code[rows])), default=0),
    )
    groups = [
        *groups_of(
            (Pattern.other_type, is_other),
            (Pattern.missing_as_word, words & is_absent),
            (Pattern.missing_when_served, missing & ~is_absent),
            (Pattern.missing_in_store, there & is_absent),
        ),
        *_patterns(found, rows, others, lists=lists),
    ]
    return Difference(groups)


def _patterns(
    words: _Words, rows: np.ndarray, others: Mapping[str, pd.Series], *, lists: bool
) -> Iterator[Group]:
    """Groups of the words that differ; every pair of two words is looked at once."""
    if not len(rows):
        return
    pairs, pair_of = np.unique(
        words.theirs.astype(np.int64) * len(words.texts) + words.ours, return_inverse=True
    )
    theirs, ours = np.divmod(pairs, len(words.texts))
    # A text is in many pairs, and is looked at once.
    plain = [_listed(text) if lists else [_plain(text)] for text in words.texts]
    kinds = [
        _kind_of_pair(plain[one], plain[other])
        or _kind_of_cut(words.texts[one], words.texts[other], words.longest)
        for one, other in zip(theirs.tolist(), ours.tolist(), strict=True)
    ]
    kind_of_row = np.array([_NUMBERS[kind] for kind in kinds])[pair_of]
    for kind in (Pattern.spelling, Pattern.order, Pattern.cut_off):
        chosen = kind_of_row == _NUMBERS[kind]
        if chosen.any():
            yield Group(kind, rows[chosen])
    others_left = kind_of_row == _NUMBERS[Pattern.other]
    yield from _of_the_rest(words, rows, np.flatnonzero(others_left), others)


def _of_the_rest(
    words: _Words, rows: np.ndarray, rest: np.ndarray, others: Mapping[str, pd.Series]
) -> Iterator[Group]:
    """What a mapping of words, one word or another feature explains; `other` is what remains.

    Args:
        words: All that differ.
        rows: Their places among all rows.
        rest: Those that are not explained yet, as places in `words`.
        others: Of all rows.
    """
    if not len(rest):
        return
    theirs, ours = words.theirs[rest], words.ours[rest]
    coded = _coded(theirs, ours, words.stored)
    if coded.sum() >= max(_LEAST_ROWS, len(rest) / 2):
        yield Group(Pattern.coding, rows[rest[coded]])
        rest = rest[~coded]
    elif _is_one_value(theirs, ours):
        one = theirs == np.bincount(theirs).argmax()
        yield Group(Pattern.one_value, rows[rest[one]])
        rest = rest[~one]
    elif len(rest) >= _LEAST_ROWS:
        served = words.texts[theirs]
        for name, column in others.items():
            same = stripped_texts(column.iloc[rows[rest]]) == served
            if same.mean() >= _NEARLY_ALL:
                yield Group(Pattern.another_feature, rows[rest[same]], name)
                rest = rest[~same]
                break
    if len(rest):
        yield Group(Pattern.other, rows[rest])


def _kind_of_pair(served: list[str], stored: list[str]) -> Pattern | None:
    """In what way two texts differ, as far as what they list tells: letters and digits only."""
    if served == stored:
        return Pattern.spelling
    is_longer = len(served) == len(stored) > 1
    return Pattern.order if is_longer and sorted(served) == sorted(stored) else None


def _kind_of_cut(served: str, stored: str, longest: int) -> Pattern:
    is_cut = len(stored) > longest >= _SHORTEST_CUT and stored[:longest].strip() == served
    return Pattern.cut_off if is_cut else Pattern.other


def _listed(text: str) -> list[str]:
    return [_plain(thing) for thing in things_of(text)]


def _plain(text: str) -> str:
    """Its letters and digits; of a text without any, the text."""
    return "".join(filter(str.isalnum, text)).casefold() or text


def _coded(theirs: np.ndarray, ours: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """Where a word that the store does not know stands for a stored word, and for no other one.

    Args:
        theirs: Served words, as numbers, shape (values,).
        ours: Stored words.
        stored: All words of the store.
    """
    pairs = pd.DataFrame({"ours": ours, "theirs": theirs})
    table = pairs.groupby(["ours", "theirs"]).size().rename("rows").reset_index()
    table["share"] = table["rows"] / table.groupby("ours")["rows"].transform("sum")
    mapping = table[
        (table["share"] >= _NEARLY_ALL)
        & (table["rows"] >= _LEAST_PER_WORD)
        & ~table["theirs"].isin(stored)
    ]
    mapping = mapping[~mapping["theirs"].duplicated(keep=False)]
    if len(mapping) < _LEAST_WORDS:
        return np.zeros(len(ours), dtype=bool)
    code_of = mapping.set_index("ours")["theirs"]
    return pd.Series(ours).map(code_of).to_numpy() == theirs


def _is_one_value(theirs: np.ndarray, ours: np.ndarray) -> bool:
    """Whether nearly all rows were served one word, whatever the store has."""
    counts = np.bincount(theirs)
    most = counts.max()
    is_most = theirs == counts.argmax()
    return bool(
        most >= max(_LEAST_ROWS, _NEARLY_ALL * len(theirs))
        and len(np.unique(ours[is_most])) >= _LEAST_WORDS
    )
