"""The model card of a model that labels of served answers decided on."""

import html
import re

import pytest

from credit_ct_dagster.contracts.decision import DecisionRecord, Ground
from credit_ct_dagster_tests.modeling.pages import cards


def _evidence(record: DecisionRecord) -> str:
    """The section on the comparison, as a person reads it."""
    page = cards.card(record=record).html()
    [found] = re.findall(r'<section id="evidence".*?</section>', page, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", found).split()))


@pytest.mark.parametrize(
    ("ground", "plainly"),
    [
        (Ground.better, "it was tried beside the model in service, and by what became of the"),
        (Ground.rolled_back, "This model went into service again: by what became of the customers"),
        (Ground.confirmed, "This model stays in service: by what became of the customers since"),
    ],
)
def test_what_labels_of_served_answers_decided_is_said(ground: Ground, plainly: str) -> None:
    """No holdout that neither model saw: answers, with the days on which they were given."""
    record = cards.decided(
        ground=ground, probabilities=None, holdouts=(), prediction_days=("2025-03-01", "2025-04-02")
    ).model_copy(update={"by": "probation"})
    assert plainly in cards.card(record=record).html()
    read = _evidence(record)
    assert "answered from 2025-03-01 to 2025-04-02, with labels that are newer" in read
    assert "that neither model has seen" not in read
    both = cards.decided(holdouts=("2025-02-28",), prediction_days=("2025-03-01", "2025-04-02"))
    assert "and from the holdouts of 2025-02-28" in _evidence(both)
