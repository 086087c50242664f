"""Why labels have no features, by what keys look like; no key itself is shown."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.requirements import usable_sources
from credit_ct_dagster.resources.feature_store.statements import bound, window_values

_SAMPLE = 1_000
_SHOWN = 3
_PARTS = re.compile(r"\.0$|[^\W_]+|\s+|.", re.DOTALL)


def shape_of_key(key: str) -> str:
    """What a key looks like: `1234.0` is `digits.0`, `CUS_0xd40 ` is `LETTERS_mixed blank`."""
    return "".join(map(_shape_of_part, _PARTS.findall(key))) or "empty"


def why_without_features(database: Database, base_dt: str) -> str:
    """The likely cause why labels of a window have no features, as a sentence.

    Args:
        database: Of the feature store.
        base_dt: The base date.
    """
    with database.transaction() as connection:
        sources = usable_sources(connection, database.location)
        values = window_values(LabelWindow.of(base_dt)) | {"most": _SAMPLE}
        labels, features = (
            connection.execute(bound(connection.dialect, name, sources=sources, **values)).all()
            for name in ("keys_without_features", "feature_keys")
        )
    if not features:
        return "There are no features at all: load them first."
    different = []
    for place, name in enumerate([schema.ID, schema.CUSTOMER]):
        of_labels = _shapes(str(row[place]) for row in labels)
        of_features = _shapes(str(row[place]) for row in features)
        if set(of_labels) - set(of_features):
            different.append(
                f"{name} looks like {_listed(of_labels)} in these labels, like"
                f" {_listed(of_features)} in the features"
            )
    if different:
        return (
            f"The keys are written differently: {'; '.join(different)}. Such as a number that was"
            " exported with .0, other capitals, or a trailing blank: write both alike."
        )
    return (
        "Their keys look like those of the features: features may not have been delivered yet, or"
        f" they are those of another {schema.CUSTOMER} or differ in capitals within the key."
    )


def _shapes(keys: Iterable[str]) -> dict[str, list[int]]:
    """The lengths of keys per shape, the most frequent shape first."""
    found = defaultdict(list)
    for key in keys:
        found[shape_of_key(key)].append(len(key))
    return dict(sorted(found.items(), key=lambda each: -len(each[1])))


def _listed(shapes: dict[str, list[int]]) -> str:
    return " or ".join(
        f"'{shape}' ({_range(lengths)} characters)" for shape, lengths in [*shapes.items()][:_SHOWN]
    )


def _range(lengths: Sequence[int]) -> str:
    low, high = min(lengths), max(lengths)
    return str(low) if low == high else f"{low} to {high}"


def _shape_of_part(part: str) -> str:
    if part.isspace():
        return " blank"
    if part == ".0" or not part.isalnum():
        return part
    if part.isdigit():
        return "digits"
    if not part.isalpha():
        return "mixed"
    kind = "LETTERS" if part.isupper() else "letters" if part.islower() else "Letters"
    return kind if part.isascii() else f"{kind} with accents"
