"""What the card says about groups of customers, and about drift."""

import html
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.drift import ColumnDrift, MissingDrift, Verdict
from credit_ct_dagster.modeling.judging.fairness import fairness_of
from credit_ct_dagster.modeling.pages.rendering import rendered


def _section(name: str, **shown: Any) -> str:
    """The text of a section, with single blanks."""
    page = rendered(f"sections/{name}.html.j2", **shown)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


def _groups(predicted_good: int, of: int, **options: Any) -> str:
    """Two occupations of equal size; in the other one, six tenths are predicted Good."""
    rows = pd.DataFrame(
        {
            "customer_id": np.arange(2 * of).astype(str),
            "occupation": ["Doctor"] * of + ["Lawyer"] * of,
            "age": 40,
            "credit_score": "Good",
        }
    )
    good = np.r_[np.arange(of) < 0.6 * of, np.arange(of) < predicted_good]
    fairness = fairness_of(rows, np.where(good, "Good", "Poor"), **options)
    return _section("groups", report=SimpleNamespace(fairness=fairness))


def test_a_group_is_flagged_only_beyond_doubt() -> None:
    """It is named first; with a tenth of the rows, the page says that these are too few."""
    flagged = _groups(30, 100, base_dts=["2025-03-10", "2025-02-07"])
    assert "Adverse impact beyond doubt: occupation Lawyer. Find out why" in flagged
    assert re.search(r"Lawyer 100 0\.300 30\.0 % 60\.0 % 0\.50 0\.36 – 0\.70 < 0\.001", flagged)
    assert "200 rows of 200 customers, from the holdouts of 2025-03-10, 2025-02-07." in flagged
    few = _groups(3, 10)
    assert "No group is predicted Good less often than the others, by a fifth or more and" in few
    assert re.search(r"0\.50 0\.17 – 1\.46 1\.000 too few rows to say 10 0\.300", few)


def test_what_the_page_cannot_measure_is_said(raw_rows: pd.DataFrame) -> None:
    """Nobody predicted Good, a protected list, customers with several rows, no rows at all."""
    rows = pd.concat([raw_rows.head(300)] * 2)
    nobody = fairness_of(rows, np.full(len(rows), "Poor"), ["type_of_loan"])
    text = _section("groups", report=SimpleNamespace(fairness=nobody))
    assert "0.0 % 0.0 % – 1.000" in text
    assert "nearly every row has a list of its own: type_of_loan." in text
    good = np.where(np.arange(300) % 3 == 0, "Good", "Poor")
    twice = fairness_of(rows, np.r_[good, good])
    text = _section("groups", report=SimpleNamespace(fairness=twice))
    sentence = (
        f"Rows of one customer resemble each other: {twice.design_effect:.2f} of them tell as"
    )
    assert sentence in text
    assert twice.design_effect > 1.9
    none = fairness_of(rows.head(0), np.array([], dtype=str))
    assert (none.groups, none.rows) == ([], 0)
    for nothing in (none, None):
        assert "Not measured" in _section("groups", report=SimpleNamespace(fairness=nothing))


def _column(psi: float, p_value: float | None, **fields: Any) -> ColumnDrift:
    return ColumnDrift(
        column="age", psi=psi, p_value=p_value, **{"verdict": Verdict.of(psi, p_value)} | fields
    )


def _drift(*columns: ColumnDrift, not_computed: str | None = None) -> str:
    record = SimpleNamespace(before=SimpleNamespace(base_dt="2025-02-07"))
    return _section(
        "drift",
        card=SimpleNamespace(drift=columns, drift_not_computed=not_computed, record=record),
    )


def test_drift_is_shown_with_what_chance_explains() -> None:
    """Values and missing values apart; and what earlier releases measured."""
    gone = MissingDrift(reference=0.01, current=0.3, psi=0.98, p_value=0.0001)
    assert "age 0.310 < 0.001 – much drift" in _drift(_column(0.31, 0.0001))
    assert "age 0.310 0.200 – too few rows to say" in _drift(_column(0.31, 0.2))
    assert "age 0.010 1.000 1.0 % → 30.0 % much drift" in _drift(
        _column(0.01, 1.0, missing=gone, verdict=gone.verdict)
    )
    assert "age 0.310 – – much drift Compared with the training rows of the champion of" in _drift(
        _column(0.31, None)
    )


def test_another_spelling_is_shown_where_there_is_one() -> None:
    """With what it may mean for the model."""
    spelled, same = _drift(_column(0.0, 1.0, respelled=0.25)), _drift(_column(0.0, 1.0))
    assert "stable 25.0 % spelled otherwise" in spelled
    assert "may be an unknown one to the model" in spelled
    assert "spelled" not in same


def test_drift_that_was_not_measured_has_its_reason() -> None:
    """Files of the champion that no longer exist, or no champion."""
    assert _drift(not_computed="its splits were deleted.").endswith("its splits were deleted.")
    assert _drift().endswith("there was no champion to compare with.")
