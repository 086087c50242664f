"""Realistic rows for a laptop: customers who return month after month, with drifting labels.

One latent quality per customer moves every feature and, with a noise that persists from month to
month, the label. A feature that is added to the schema gets values of its kind; the same seed gives
the same other values as before.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from dateutil.relativedelta import relativedelta

from credit_ct_dagster.loading import sample_values as real
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS, Bounds

# SciPy takes half a second to import; `credit-ct load` imports this module, and only drawing rows
# needs it.

MONTHS = 8
_MONTHS_PER_CUSTOMER = 4  # of the eight, on average
_ID_STEP = 12  # an id is a base per customer plus the month's number


def generate(rows: int, until: date, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make labels and their features, spread over the eight months up to a day.

    Args:
        rows: How many labels; each has one feature row.
        until: The last day that labels may carry.
        seed: The same seed gives the same rows.

    Returns:
        Labels and features, with the columns of the two source tables.
    """
    rng = np.random.default_rng(seed)
    customers = max(1, -(-rows // _MONTHS_PER_CUSTOMER))
    month, customer = _attendance(rng, rows, customers)
    quality = rng.standard_normal(customers)

    features = pd.DataFrame(index=range(rows))
    for name, marginal in real.MARGINALS.items():
        features[name] = _draw(rng, marginal, quality, customer)
    features["num_credit_inquiries"] = (
        (features["num_credit_inquiries"] + real.INQUIRIES_PER_MONTH * month).round().clip(0, 17)
    )
    features["credit_history_age"] += month
    _add_words(rng, features, quality, customer)
    behaviour = rng.random(rows)
    _add_loans(rng, features, customer, customers)
    _add_money(rng, features, quality, customer, behaviour)
    for name, share in real.MISSING.items():
        features.loc[rng.random(rows) < share, name] = None

    number = rng.choice(9 * customers, size=customers, replace=False) + customers
    keys = pd.DataFrame(
        {
            schema.ID: (number[customer] * _ID_STEP + month).astype(str),
            schema.CUSTOMER: number[customer].astype(str),
            schema.DATE: _dates(rng, month, until),
        }
    )
    features["name"] = "Customer " + keys[schema.CUSTOMER]
    features["ssn"] = "000-00-" + pd.Series(number[customer] % 10_000).astype(str).str.zfill(4)
    labels = _labels(rng, quality, until)[customer, month]
    if list(real.LABEL_SHARES) != schema.CLASSES:  # what is drawn above are credit scores
        features = features[[]]
    _add_remaining(rng, features, quality, customer)
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
    rng: np.random.Generator,
    marginal: real.Marginal,
    quality: np.ndarray,
    customer: np.ndarray,
) -> np.ndarray:
    from scipy.special import ndtr

    lasting = rng.standard_normal(len(quality))[customer]
    passing = rng.standard_normal(len(customer))
    rest = np.sqrt(marginal.persistence) * lasting + np.sqrt(1 - marginal.persistence) * passing
    score = marginal.loading * quality[customer] + np.sqrt(1 - marginal.loading**2) * rest
    return np.interp(ndtr(score), real.QUANTILE_LEVELS, marginal.quantiles).round(marginal.decimals)


def _cut(score: np.ndarray, shares: dict[str, float]) -> np.ndarray:
    """Positions in `shares` that give each its share of a standard normal score."""
    from scipy.special import ndtri

    return np.searchsorted(ndtri(np.cumsum(list(shares.values()))[:-1]), score)


def _choose(
    chance: np.ndarray, shares: Sequence[Sequence[float]], condition: np.ndarray
) -> np.ndarray:
    """Positions in the shares of each row's condition.

    Args:
        chance: Uniform values from 0 to 1, one for each row.
        shares: For each condition, the share of every position.
        condition: The number of the condition of each row.
    """
    reached = np.cumsum(shares, axis=1)
    reached /= reached[:, -1:]
    ends = (reached + np.arange(len(reached))[:, None]).ravel()
    chosen = np.searchsorted(ends, chance + condition) - condition.astype(int) * reached.shape[1]
    return np.maximum(chosen, 0)  # a chance of exactly 0 is where the condition before ends


def _add_words(
    rng: np.random.Generator, features: pd.DataFrame, quality: np.ndarray, customer: np.ndarray
) -> None:
    rows, customers = len(customer), len(quality)
    features["occupation"] = rng.choice(real.OCCUPATIONS, customers)[customer]
    for name, shares, loading in (
        ("credit_mix", real.CREDIT_MIX, real.CREDIT_MIX_LOADING),
        ("payment_of_min_amount", real.MIN_AMOUNT, real.MIN_AMOUNT_LOADING),
    ):
        noise = np.sqrt(1 - loading**2) * rng.standard_normal(customers)
        words = np.array(list(shares), dtype=object)
        features[name] = words[_cut(loading * quality + noise, shares)][customer]
    features.loc[rng.random(rows) < real.MIN_AMOUNT_UNKNOWN, "payment_of_min_amount"] = "NM"


def _add_loans(
    rng: np.random.Generator, features: pd.DataFrame, customer: np.ndarray, customers: int
) -> None:
    """Draw them as the real ones: the number says something about the class, the kinds nothing."""
    mix = pd.Categorical(features["credit_mix"], list(real.LOANS_BY_MIX)).codes
    counts = _choose(features["num_of_loan"].to_numpy(), list(real.LOANS_BY_MIX.values()), mix)
    loans = np.array(real.LOANS, dtype=object)
    kinds = loans[rng.integers(len(loans), size=(customers, 9))][customer]
    features["num_of_loan"] = counts.astype(float)
    features["type_of_loan"] = [
        ",".join(kind[:count]) or None for kind, count in zip(kinds, counts, strict=True)
    ]


def _add_money(
    rng: np.random.Generator,
    features: pd.DataFrame,
    quality: np.ndarray,
    customer: np.ndarray,
    behaviour: np.ndarray,
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
    chosen = _choose(
        behaviour,
        list(zip(*real.BEHAVIOUR_SHARES.values(), strict=True)),
        np.searchsorted(real.SALARY_LEVELS, salary),
    )
    words = np.array(list(real.BEHAVIOUR_SHARES), dtype=object)
    features["payment_behaviour"] = words[chosen]
    bonus = np.array([real.BALANCE_BONUS[word] for word in words])[chosen]
    invested = (127 * np.sqrt(salary / 3_000) * np.exp(0.75 * rng.standard_normal(rows))).clip(
        0, 1_977
    )
    invested = np.minimum(invested, (0.1 * salary - emi + bonus - 1).clip(0))
    balance = 0.1 * salary - emi - invested + bonus
    disturbed = rng.random(rows) > real.BALANCE_IDENTITY_HOLDS
    balance = np.where(disturbed, balance * rng.uniform(0.6, 1.4, rows), balance)
    features["annual_income"] = income
    features["monthly_inhand_salary"] = salary
    features["total_emi_per_month"] = emi
    features["amount_invested_monthly"] = invested
    features["monthly_balance"] = balance.clip(0.4, 1_464)


def _add_remaining(
    rng: np.random.Generator, features: pd.DataFrame, quality: np.ndarray, customer: np.ndarray
) -> None:
    """Add the features of the schema that nothing above draws."""
    for name in schema.SOURCE_FEATURES:
        if name in features:
            continue
        column = schema.COLUMNS[name]
        if column.kind == schema.Kind.number:
            marginal = real.ADDED_MARGINALS.get(name) or _generic(BOUNDS.get(name, Bounds()))
            features[name] = _draw(rng, marginal, quality, customer)
            continue
        words = np.array(column.words or column.kinds or real.GENERIC_WORDS, dtype=object)
        texts = pd.Series(rng.choice(words, len(customer)), dtype=object)
        if column.separator is not None:
            texts = texts + column.separator + rng.choice(words, len(customer))
        features[name] = texts.str[: column.length]


def _generic(bounds: Bounds) -> real.Marginal:
    """Values all over the bounds, or over a width of 1 where one is open."""
    low = bounds.low if bounds.low is not None else (bounds.high or 1.0) - 1
    high = bounds.high if bounds.high is not None else low + 1
    return real.Marginal(
        tuple(low + level * (high - low) for level in real.QUANTILE_LEVELS), 0.2, 0.9, decimals=3
    )


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

    No customer falls from the best class to the worst in one month, where there is one between.
    """
    # Of classes that nobody has counted, each is as frequent as the others.
    even = dict.fromkeys(schema.CLASSES, 1 / len(schema.CLASSES))
    shares = real.LABEL_SHARES if list(real.LABEL_SHARES) == schema.CLASSES else even
    customers = len(quality)
    noise = rng.standard_normal(customers)
    scale = np.sqrt(1 - real.LABEL_LOADING**2)
    months: list[np.ndarray] = []
    for number in range(MONTHS):
        quarter_starts = _month_end(until, MONTHS - 1 - number).month % 3 == 1
        persistence = real.LABEL_PERSISTENCE_QUARTER if quarter_starts else real.LABEL_PERSISTENCE
        noise = persistence * noise + np.sqrt(1 - persistence**2) * rng.standard_normal(customers)
        label = _cut(real.LABEL_LOADING * quality + scale * noise, shares)
        if months and len(shares) > 2:
            fell = (months[-1] == len(shares) - 1) & (label == 0)
            label = np.where(fell, 1, label)
        months.append(label)
    return np.stack(months, axis=1)
