"""Realistic rows for a laptop: customers who return month after month, with drifting labels.

One latent quality per customer moves every feature and, with a noise that persists from month to
month, the label. The constants are the marginals, class conditionals and rates of the real data.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from dateutil.relativedelta import relativedelta
from scipy.special import ndtr, ndtri

from credit_ct_dagster.modeling import schema

MONTHS = 8
_MONTHS_PER_CUSTOMER = 4  # of the eight, on average
_ID_STEP = 12  # an id is a base per customer plus the month's number

_QUANTILE_LEVELS = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]


@dataclass(frozen=True)
class _Marginal:
    """How one feature is distributed and how it follows the customer's quality.

    Attributes:
        quantiles: Values at `_QUANTILE_LEVELS`.
        loading: Correlation of the feature's normal score with the customer's quality.
        persistence: Share of the rest that stays with the customer from month to month.
        decimals: Digits kept.
    """

    quantiles: tuple[float, ...]
    loading: float
    persistence: float = 1.0
    decimals: int = 0


_MARGINALS = {
    "age": _Marginal((14, 18, 24, 33, 42, 53, 56), 0.20),
    "num_bank_accounts": _Marginal((0, 1, 3, 5, 7, 10, 11), -0.44),
    "num_credit_card": _Marginal((0, 2, 4, 5, 7, 9, 11), -0.43),
    "interest_rate": _Marginal((1, 3, 7, 13, 20, 32, 34), -0.54),
    "num_of_loan": _Marginal((0, 0, 2, 3, 5, 8, 9), -0.41),
    "outstanding_debt": _Marginal((0.2, 120, 560, 1166, 1945, 4000, 4998), -0.50, 1.0, 2),
    "credit_history_age": _Marginal((8, 60, 144, 222, 302, 370, 396), 0.46),
    "delay_from_due_date": _Marginal((-5, 3, 10, 18, 28, 54, 67), -0.49, 0.9),
    "num_of_delayed_payment": _Marginal((0, 3, 9, 14, 18, 23, 28), -0.39, 0.9),
    "changed_credit_limit": _Marginal((-6.5, 1, 5.3, 9.4, 14.8, 23, 37), -0.14, 0.8, 2),
    "num_credit_inquiries": _Marginal((0, 1, 2, 4.8, 7.8, 12, 17), -0.48, 0.9, 3),
    "credit_utilization_ratio": _Marginal((20, 24, 28, 32.4, 36.5, 42, 48), 0.02, 0.0, 6),
}

_INQUIRIES_PER_MONTH = 0.19  # 5.3 in January, 6.6 in August
_MISSING = {
    "num_of_delayed_payment": 0.015,
    "changed_credit_limit": 0.020,
    "num_credit_inquiries": 0.016,
    "amount_invested_monthly": 0.045,
    "payment_behaviour": 0.080,
}

_LABEL_SHARES = {"Poor": 0.288, "Standard": 0.519, "Good": 0.193}
_LABEL_LOADING = 0.93
_LABEL_PERSISTENCE = 0.62  # month to month: about 15 % of the labels change
_LABEL_PERSISTENCE_QUARTER = 0.0  # at a quarter's start: about 26 %

_CREDIT_MIX = {"Bad": 0.238, "Standard": 0.459, "Good": 0.303}
_CREDIT_MIX_LOADING = 0.64
_MIN_AMOUNT = {"Yes": 0.595, "No": 0.405}
_MIN_AMOUNT_LOADING = 0.60
_MIN_AMOUNT_UNKNOWN = 0.115

_BEHAVIOUR_SHARES = {
    "Low_spent_Small_value_payments": 0.278,
    "High_spent_Medium_value_payments": 0.195,
    "Low_spent_Medium_value_payments": 0.147,
    "High_spent_Large_value_payments": 0.147,
    "High_spent_Small_value_payments": 0.120,
    "Low_spent_Large_value_payments": 0.113,
}
_BALANCE_BONUS = {
    "High_spent_Large_value_payments": 240.0,
    "High_spent_Medium_value_payments": 250.0,
    "High_spent_Small_value_payments": 260.0,
    "Low_spent_Large_value_payments": 270.0,
    "Low_spent_Medium_value_payments": 280.0,
    "Low_spent_Small_value_payments": 290.0,
}
_BALANCE_IDENTITY_HOLDS = 0.82

_LOANS = [
    "auto loan",
    "credit-builder loan",
    "personal loan",
    "home equity loan",
    "not specified",
    "mortgage loan",
    "student loan",
    "debt consolidation loan",
    "payday loan",
]
_OCCUPATIONS = [
    "Scientist",
    "Teacher",
    "Engineer",
    "Entrepreneur",
    "Developer",
    "Lawyer",
    "Media_Manager",
    "Doctor",
    "Journalist",
    "Manager",
    "Accountant",
    "Musician",
    "Mechanic",
    "Writer",
    "Architect",
]


def generate(rows: int, until: date, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make labels and their features, spread over the eight months up to a day.

    Args:
        rows: How many labels; each has one feature row.
        until: The last day that labels may carry.
        seed: The same seed gives the same rows.

    Returns:
        The rows of `credit_score` and of `credit_score_features`, with the columns of the tables.
    """
    rng = np.random.default_rng(seed)
    customers = max(1, -(-rows // _MONTHS_PER_CUSTOMER))
    month, customer = _attendance(rng, rows, customers)
    quality = rng.standard_normal(customers)

    features = pd.DataFrame(index=range(rows))
    for name, marginal in _MARGINALS.items():
        features[name] = _draw(rng, marginal, quality, customer)
    features["num_credit_inquiries"] = (
        (features["num_credit_inquiries"] + _INQUIRIES_PER_MONTH * month).round().clip(0, 17)
    )
    features["credit_history_age"] += month
    _add_words(rng, features, quality, customer)
    _add_money(rng, features, quality, customer, month)
    for name, share in _MISSING.items():
        features.loc[rng.random(rows) < share, name] = None

    number = rng.choice(9 * customers, size=customers, replace=False) + customers
    keys = pd.DataFrame(
        {
            "id": (number[customer] * _ID_STEP + month).astype(str),
            schema.CUSTOMER: number[customer].astype(str),
            "date": _dates(rng, month, until),
        }
    )
    features["name"] = "Customer " + keys[schema.CUSTOMER]
    features["ssn"] = "000-00-" + pd.Series(number[customer] % 10_000).astype(str).str.zfill(4)
    labels = _labels(rng, quality, until)[customer, month]
    return (
        keys.assign(**{schema.TARGET: np.array(schema.CLASSES, dtype=object)[labels]}),
        pd.concat([keys, features], axis=1)[schema.FEATURE_COLUMNS],
    )


def _attendance(
    rng: np.random.Generator, rows: int, customers: int
) -> tuple[np.ndarray, np.ndarray]:
    """In which month which customer has a row: the same number of rows in every month."""
    per_month = np.full(MONTHS, rows // MONTHS)
    per_month[: rows % MONTHS] += 1
    customer = np.concatenate([rng.permutation(customers)[:count] for count in per_month])
    return np.repeat(np.arange(MONTHS), per_month), customer


def _draw(
    rng: np.random.Generator, marginal: _Marginal, quality: np.ndarray, customer: np.ndarray
) -> np.ndarray:
    lasting = rng.standard_normal(len(quality))[customer]
    passing = rng.standard_normal(len(customer))
    rest = np.sqrt(marginal.persistence) * lasting + np.sqrt(1 - marginal.persistence) * passing
    score = marginal.loading * quality[customer] + np.sqrt(1 - marginal.loading**2) * rest
    return np.interp(ndtr(score), _QUANTILE_LEVELS, marginal.quantiles).round(marginal.decimals)


def _cut(score: np.ndarray, shares: dict[str, float]) -> np.ndarray:
    """Positions in `shares` that give each its share of a standard normal score."""
    return np.searchsorted(ndtri(np.cumsum(list(shares.values()))[:-1]), score)


def _add_words(
    rng: np.random.Generator, features: pd.DataFrame, quality: np.ndarray, customer: np.ndarray
) -> None:
    rows, customers = len(customer), len(quality)
    features["occupation"] = rng.choice(_OCCUPATIONS, customers)[customer]
    for name, shares, loading in (
        ("credit_mix", _CREDIT_MIX, _CREDIT_MIX_LOADING),
        ("payment_of_min_amount", _MIN_AMOUNT, _MIN_AMOUNT_LOADING),
    ):
        noise = np.sqrt(1 - loading**2) * rng.standard_normal(customers)
        words = np.array(list(shares), dtype=object)
        features[name] = words[_cut(loading * quality + noise, shares)][customer]
    features.loc[rng.random(rows) < _MIN_AMOUNT_UNKNOWN, "payment_of_min_amount"] = "NM"
    features["payment_behaviour"] = rng.choice(
        np.array(list(_BEHAVIOUR_SHARES), dtype=object), rows, p=list(_BEHAVIOUR_SHARES.values())
    )
    kinds = np.array(_LOANS, dtype=object)[rng.integers(len(_LOANS), size=(customers, 9))][customer]
    counts = features["num_of_loan"].astype(int)
    features["type_of_loan"] = [
        ",".join(kind[:count]) or None for kind, count in zip(kinds, counts, strict=True)
    ]


def _add_money(
    rng: np.random.Generator,
    features: pd.DataFrame,
    quality: np.ndarray,
    customer: np.ndarray,
    month: np.ndarray,
) -> None:
    rows, customers = len(customer), len(quality)
    score = 0.24 * quality + np.sqrt(1 - 0.24**2) * rng.standard_normal(customers)
    income = np.exp(10.54 + 0.79 * score).clip(7_006, 179_987).round(2)[customer]
    # Salary and instalments are a customer's own, and differ in one month of 25 and of 33.
    ratio = 1 + 0.10 * rng.standard_normal(customers)
    ratio = np.where(rng.random(rows) < 0.04, 1 + 0.10 * rng.standard_normal(rows), ratio[customer])
    salary = (income / 12 * ratio).clip(304, 15_205)
    emi = 75 * np.exp(0.9 * rng.standard_normal(customers) - 0.05 * quality)[customer]
    emi = np.where(rng.random(rows) < 0.03, emi * rng.uniform(0.5, 1.5, rows), emi).clip(0, 1_779)
    emi = np.where(features["num_of_loan"] == 0, 0.0, emi)
    bonus = features["payment_behaviour"].map(_BALANCE_BONUS).to_numpy()
    invested = (127 * np.sqrt(salary / 3_000) * np.exp(0.75 * rng.standard_normal(rows))).clip(
        0, 1_977
    )
    invested = np.minimum(invested, (0.1 * salary - emi + bonus - 1).clip(0))
    balance = 0.1 * salary - emi - invested + bonus
    disturbed = rng.random(rows) > _BALANCE_IDENTITY_HOLDS
    balance = np.where(disturbed, balance * rng.uniform(0.6, 1.4, rows), balance)
    features["annual_income"] = income
    features["monthly_inhand_salary"] = salary
    features["total_emi_per_month"] = emi
    features["amount_invested_monthly"] = invested
    features["monthly_balance"] = balance.clip(0.4, 1_464)


def _month_end(until: date, months_before: int) -> date:
    return until - relativedelta(months=months_before)


def _dates(rng: np.random.Generator, month: np.ndarray, until: date) -> np.ndarray:
    """A day per row, uniform over its month: the month numbered 7 ends at `until`."""
    ends = [_month_end(until, MONTHS - 1 - n) for n in range(MONTHS)]
    starts = [_month_end(until, MONTHS - n) + timedelta(days=1) for n in range(MONTHS)]
    lengths = np.array([(end - start).days + 1 for start, end in zip(starts, ends, strict=True)])
    days = (rng.random(len(month)) * lengths[month]).astype(int)
    return np.array(starts, dtype="datetime64[D]")[month].__add__(days).astype(str).astype(object)


def _labels(rng: np.random.Generator, quality: np.ndarray, until: date) -> np.ndarray:
    """Class positions, customers x months: an autoregressive noise around the quality.

    No customer falls from Good to Poor in one month.
    """
    customers = len(quality)
    noise = rng.standard_normal(customers)
    scale = np.sqrt(1 - _LABEL_LOADING**2)
    months: list[np.ndarray] = []
    for number in range(MONTHS):
        quarter_starts = _month_end(until, MONTHS - 1 - number).month % 3 == 1
        kept = _LABEL_PERSISTENCE_QUARTER if quarter_starts else _LABEL_PERSISTENCE
        noise = kept * noise + np.sqrt(1 - kept**2) * rng.standard_normal(customers)
        label = _cut(_LABEL_LOADING * quality + scale * noise, _LABEL_SHARES)
        if months:
            fell = (months[-1] == 2) & (label == 0)
            label = np.where(fell, 1, label)
        months.append(label)
    return np.stack(months, axis=1)
