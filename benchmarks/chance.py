"""How often fair groups are flagged, and rows of one population taken for drift, by chance."""

from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import Comparison, within
from benchmarks.plan import NO_JANUARY, Plan
from benchmarks.report import Findings
from benchmarks.windows import january
from credit_ct_dagster.contracts.drift import SOME, ColumnDrift
from credit_ct_dagster.contracts.fairness import LEAST_RATIO, Fairness, Impact
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.drift import model_drift
from credit_ct_dagster.modeling.judging.fairness import fairness_of

_HOLDOUTS = (390, 661, 1_847)
"""Rows of one holdout window and of pooled ones, of the bank's data."""
_TRAINING = (140, 280, 661, 1_847)
_MONTHS = 3
_ALIKE = 0.6  # intraclass correlation of the predictions of one customer's months
_YOUNG = 25
_LARGE_GROUP = 30
_MAX_FLAGGED, _MAX_DRIFTED = 5, 5

Draw = Callable[[np.random.Generator], tuple[pd.DataFrame, np.ndarray]]


def run(plan: Plan) -> Findings:
    """Draw rows of January, and predictions that do not depend on the group."""
    if plan.january is None:
        return Findings(skipped=NO_JANUARY)
    pages = 500 if plan.window_rows > 1_000 else 20
    labels, features = january(plan.january)
    rows = labels.merge(features, on=schema.KEY)
    fairness, flagged = _fairness(rows, pages)
    drift, drifted = _drift(rows, pages // 5)
    return Findings(
        [
            _within("pages of a fair model with a flag", flagged, _MAX_FLAGGED),
            _within("reports on one population with drift", drifted, _MAX_DRIFTED),
        ],
        {f"Groups, {pages:,} pages each": fairness, f"Drift, {pages // 5} reports each": drift},
    )


def _within(name: str, shares: Sequence[float], limit: float) -> Comparison:
    return within(name, [max(shares)], limit, "%")


def _fairness(rows: pd.DataFrame, pages: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Per size and case, how many pages have a flag; and the same of fair models only."""
    good = float((rows[schema.TARGET] == "Good").mean())
    cases: list[tuple[str, Draw]] = [
        (f"fair, {count:,} customers", _customers(rows, count, lambda age: np.full(len(age), good)))
        for count in _HOLDOUTS
    ]
    cases.append(
        (
            f"fair, {_HOLDOUTS[-1] // _MONTHS} customers, {_MONTHS} months each",
            _months(rows, _HOLDOUTS[-1] // _MONTHS, good),
        )
    )
    fair = len(cases)
    cases += [
        (
            f"ages below {_YOUNG} predicted Good at half the rate, {count:,} customers",
            _customers(rows, count, lambda age: np.where(age < _YOUNG, good / 2, good)),
        )
        for count in _HOLDOUTS
    ]
    table, flagged = [], []
    for place, (name, draw) in enumerate(cases):
        rng = np.random.default_rng(place)
        ours, by_rows, before, uncertain = [], [], [], []
        for _ in range(pages):
            drawn, predicted = draw(rng)
            page = fairness_of(drawn, predicted)
            own = drawn.assign(**{schema.CUSTOMER: np.arange(len(drawn)).astype(str)})
            repeated = drawn[schema.CUSTOMER].duplicated().any()
            ours.append(bool(page.adverse))
            by_rows.append(bool(fairness_of(own, predicted).adverse) if repeated else ours[-1])
            before.append(_flagged_before(page))
            uncertain.append(np.mean([each.impact == Impact.uncertain for each in page.groups]))
        table.append(
            {
                "model": name,
                "pages with a flag, %": _share(ours),
                "if each row were a customer, %": _share(by_rows),
                "of the rule before, %": _share(before),
                "groups with too few rows to say, %": f"{100 * np.mean(uncertain):.0f}",
            }
        )
        if place < fair:
            flagged.append(100 * float(np.mean(ours)))
    return table, flagged


def _customers(rows: pd.DataFrame, count: int, rate: Callable[[np.ndarray], np.ndarray]) -> Draw:
    """Customers with a row each, predicted "Good" at a rate that depends on the age at most."""

    def draw(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
        drawn = rows.iloc[rng.choice(len(rows), count, replace=False)]
        favoured = rng.random(count) < rate(drawn["age"].to_numpy(dtype=float))
        return drawn, np.where(favoured, "Good", "Standard")

    return draw


def _months(rows: pd.DataFrame, count: int, good: float) -> Draw:
    """Customers with several months, whose predictions resemble each other."""

    def draw(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
        chosen = np.repeat(rng.choice(len(rows), count, replace=False), _MONTHS)
        # The mean and the correlation of a beta-binomial law.
        size = 1 / _ALIKE - 1
        rate = np.repeat(rng.beta(good * size, (1 - good) * size, count), _MONTHS)
        favoured = rng.random(len(chosen)) < rate
        return rows.iloc[chosen], np.where(favoured, "Good", "Standard")

    return draw


def _flagged_before(page: Fairness) -> bool:
    """Whether any share lies below four fifths of the highest of its kind, as was coloured."""
    for kind in {each.kind for each in page.groups}:
        of_kind = [each for each in page.groups if each.kind == kind]
        highest = max(
            (each.favourable for each in of_kind if each.rows >= _LARGE_GROUP), default=0.0
        )
        if highest and any(each.favourable / highest < LEAST_RATIO for each in of_kind):
            return True
    return False


def _drift(rows: pd.DataFrame, reports: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Per size and change, how many reports show drift; and the same without a change."""
    table, drifted = [], []
    for name, changed in _CHANGES.items():
        for count in _TRAINING:
            found, alone = [], []
            for reference, current in _pairs(rows, count, reports):
                report = _report(reference, changed(current))
                found.append(any(each.verdict.is_drift for each in report))
                alone.append(any(each.highest_psi >= SOME for each in report))
            table.append(
                {
                    "change": name,
                    "rows of each": f"{count:,}",
                    "reports with drift, %": _share(found),
                    "by a PSI of 0.10 alone, %": _share(alone),
                }
            )
            if name == _NOTHING:
                drifted.append(100 * float(np.mean(found)))
    return table, drifted


def _pairs(
    rows: pd.DataFrame, count: int, pairs: int
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Rows to train on and others of the same population."""
    for seed in range(pairs):
        order = np.random.default_rng(seed).permutation(len(rows))
        yield rows.iloc[order[:count]], rows.iloc[order[count : 2 * count]]


def _report(reference: pd.DataFrame, current: pd.DataFrame) -> list[ColumnDrift]:
    classes = [each[schema.TARGET].to_numpy(dtype=str) for each in (reference, current)]
    return model_drift(reference, current, *classes)


def _missing(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(
        amount_invested_monthly=rows["amount_invested_monthly"].where(np.arange(len(rows)) % 10 > 0)
    )


_NOTHING = "none"
_CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    _NOTHING: lambda rows: rows,
    "incomes 20 % higher": lambda rows: rows.assign(annual_income=rows["annual_income"] * 1.2),
    "a tenth of amount_invested_monthly is missing": _missing,
    "type_of_loan in capitals": lambda rows: rows.assign(
        type_of_loan=rows["type_of_loan"].str.upper()
    ),
}


def _share(hits: Sequence[bool]) -> str:
    """A share in percent, with its standard error."""
    share = float(np.mean(hits))
    return f"{100 * share:.1f} ± {100 * sqrt(share * (1 - share) / len(hits)):.1f}"


GROUPS: dict[str, Callable[[Plan], Findings]] = {"chance": run}
