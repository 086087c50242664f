"""The sentences in which reasons are given; the schema says how each feature is called.

A bank states the principal reasons why it did not decide better, specifically: "score too low" is
not enough (12 CFR 1002, Supplement I, 9(b)(2)). A sentence is one that a clerk can say to the
customer: it compares with the typical customer of the next better class, quotes no value, and
judges nobody.
"""

from collections.abc import Mapping, Sequence

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.scorer.encoding import OTHER, column_name

_THAN = f"than is usual for customers with the next better {schema.CALLED}."
_AGAINST = f"against a better {schema.CALLED}, when all details are taken together."


def _of_number(subject: str, higher: str, lower: str) -> dict[str, str]:
    are_many = higher.startswith("are")
    return {
        "higher": f"{subject} {higher} {_THAN}",
        "lower": f"{subject} {lower} {_THAN}",
        "other": f"{subject} {'speak' if are_many else 'speaks'} {_AGAINST}",
        "missing": f"{subject} {'are' if are_many else 'is'} not known.",
    }


def _of_word(subject: str) -> dict[str, str]:
    return {
        "other": f"{subject} speaks {_AGAINST}",
        "missing": f"{subject} is not known.",
    }


def _of_kind(feature: str, subject: str, kind: str) -> dict[str, str]:
    held = schema.COLUMNS[feature].called.get(kind)
    of_text = _of_word(subject)
    if held is None:
        named = "other things" if kind == OTHER else kind
        return of_text | {
            "higher": f"{subject} names {named} more often {_THAN}",
            "lower": f"{subject} names {named} less often {_THAN}",
        }
    return of_text | {
        "higher": f"More {held} are held {_THAN}",
        "lower": f"Fewer {held} are held {_THAN}",
    }


def sentences(
    features: Sequence[str] = tuple(schema.FEATURES),
    counted: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Mapping[str, str]]:
    """Per column of a model and direction, the sentence of a reason.

    A feature that has no words of its own yet is called by its description.

    Args:
        features: Of the schema. [default: all]
        counted: The texts of which the model takes counts, and the kinds that it counts.
            [default: none]
    """
    found: dict[str, Mapping[str, str]] = {}
    for name in features:
        column = schema.COLUMNS[name]
        called = column.reason or column.description
        subject, higher, lower = (
            (called, "is higher", "is lower") if isinstance(called, str) else called
        )
        if counted and name in counted:
            for kind in (*counted[name], OTHER):
                found[column_name(name, kind)] = _of_kind(name, subject, kind)
        elif name in schema.NUMERIC:
            found[name] = _of_number(subject, higher, lower)
        else:
            found[name] = _of_word(subject)
    return found
