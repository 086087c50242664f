"""Who has no label yet: whether the labelled answers are a fair sample of all."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.label_selection import GroupCoverage, Selection
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.fairness import holm
from credit_ct_dagster.modeling.judging.shares import chance_of
from credit_ct_dagster.modeling.judging.slices import SLICES, listed
from credit_ct_dagster.modeling.watching.answers import Answers
from credit_ct_dagster.modeling.watching.columns import SOURCE

Groups = dict[str, tuple[np.ndarray, list[str]]]
"""Per kind, the number of each answer's group, shape (answers,), and the names of the groups."""

OTHERS = "all others"
_LEAST_NAMED = 10
"""A group of fewer customers is not named: it might tell who they are."""
_MOST_NAMED = 40


def groups_of(answers: Answers) -> Groups:
    """The group of each answer, per kind in which every model is measured.

    Args:
        answers: With `schema.GROUPED` in their frame.

    Returns:
        Groups of fewer than ten customers, and those beyond the forty largest, are one group.
    """
    rows = answers.frame[schema.GROUPED]
    return {kind: _named(slice_of(rows), answers.customer) for kind, slice_of in SLICES.items()}


def _named(group: pd.Series, customer: np.ndarray) -> tuple[np.ndarray, list[str]]:
    codes, names = pd.factorize(group.astype(object), sort=True)
    customers = customers_per(codes, len(names), customer)
    largest = np.argsort(-customers, kind="stable")[:_MOST_NAMED]
    named = sorted(int(place) for place in largest if customers[place] >= _LEAST_NAMED)
    number = np.full(len(names), len(named), dtype=np.int64)
    number[named] = np.arange(len(named))
    shown = [str(names[place]) for place in named]
    return number[codes], shown if len(named) == len(names) else [*shown, OTHERS]


def customers_per(group: np.ndarray, groups: int, customer: np.ndarray) -> np.ndarray:
    """How many customers each group has, shape (groups,).

    Args:
        group: The number of each answer's group, shape (answers,).
        groups: How many there are.
        customer: The number of each answer's customer, of the same shape.
    """
    number = int(customer.max(initial=-1)) + 1
    pairs = pd.unique(group.astype(np.int64) * number + customer)
    return np.bincount(pairs // max(number, 1), minlength=groups)


def selection_of(answers: Answers, groups: Groups) -> list[Selection]:
    """Compare, per kind of group, the shares of the customers who have a label.

    Pearson's chi-square test of customers, each with the first of their answers, and Holm's
    adjustment (1979) over the kinds.

    Args:
        answers: Of one model. Those whose label does not count are left out: they have one.
        groups: Those of `groups_of`.
    """
    if answers.learned.any():
        rest = ~answers.learned
        groups = {kind: (number[rest], names) for kind, (number, names) in groups.items()}
        answers = answers.where(rest)
    source, sources = pd.factorize(answers.frame[SOURCE].astype(object), sort=True)
    kinds = {
        "predicted class": (answers.predicted, schema.CLASSES),
        "source": (source, [str(name) for name in sources]),
        **groups,
    }
    first = ~pd.Series(answers.customer).duplicated().to_numpy()
    labelled = np.bincount(answers.customer, answers.has_label)[answers.customer[first]] > 0
    tables = {
        kind: np.stack(
            [np.bincount(number[first][of], minlength=len(names)) for of in (labelled, ~labelled)]
        )
        for kind, (number, names) in kinds.items()
    }
    adjusted = holm([chance_of(table) for table in tables.values()])
    return [
        Selection(
            kind=kind,
            groups=[
                GroupCoverage(name=name, customers=int(sum(counts)), labelled=int(counts[0]))
                for name, counts in zip(kinds[kind][1], table.T, strict=True)
            ],
            p_value=p_value,
        )
        for (kind, table), p_value in zip(tables.items(), adjusted, strict=True)
    ]


def selection_sentence(selection: Sequence[Selection]) -> str:
    """Who has a label less often than others, for a person; nothing without a label.

    Args:
        selection: Of the answers of one model.
    """
    differing = [each for each in selection if each.differs]
    if not differing:
        return (
            "Customers with a label differ from those without by no more than chance in"
            f" {listed(['predicted class', 'source', *SLICES])}."
        )
    found = []
    for each in differing:
        by = sorted((group for group in each.groups if group.customers), key=lambda g: g.coverage)
        low, high = by[0], by[-1]
        found.append(
            f"{each.kind} ({low.name} {low.coverage:.0%}, {high.name} {high.coverage:.0%})"
        )
    return (
        "Customers without a label are not like those with one: the share with a label differs by"
        f" {', '.join(found)}. The figures are those of customers who have a label."
    )
