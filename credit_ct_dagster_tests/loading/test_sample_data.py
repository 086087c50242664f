"""Sample rows resemble the real ones."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingClassifier

from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import customer_position

_UNTIL = date(2025, 8, 31)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """40,000 labels with their features."""
    labels, features = generate(40_000, _UNTIL, seed=1)
    return labels.merge(features, on=schema.KEY, validate="one_to_one")


def test_the_same_seed_gives_the_same_rows() -> None:
    """Two calls agree in every cell; another seed differs."""
    first, second, other = (generate(2_000, _UNTIL, seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first[0], second[0])
    pd.testing.assert_frame_equal(first[1], second[1])
    assert not first[1].equals(other[1])


def test_rows_spread_over_eight_months(rows: pd.DataFrame) -> None:
    """5,000 labels a month, none after the last day."""
    assert rows["date"].between("2025-01-01", "2025-08-31").all()
    per_month = rows.groupby(rows["date"].str[:7]).size()
    assert len(per_month) == 8
    assert per_month.between(4_900, 5_100).all()


def test_marginals_are_the_real_ones(rows: pd.DataFrame) -> None:
    """Class shares, medians, ranges and missing rates lie near the measured ones."""
    shares = rows[schema.TARGET].value_counts(normalize=True)
    assert shares["Standard"] == pytest.approx(0.519, abs=0.02)
    assert shares["Poor"] == pytest.approx(0.288, abs=0.02)
    medians = {"age": 33, "interest_rate": 13, "outstanding_debt": 1166, "annual_income": 37_000}
    for name, median in medians.items():
        assert rows[name].median() == pytest.approx(median, rel=0.06), name
    assert rows["delay_from_due_date"].min() >= -5
    assert rows["payment_behaviour"].isna().mean() == pytest.approx(0.08, abs=0.01)
    assert rows["amount_invested_monthly"].isna().mean() == pytest.approx(0.045, abs=0.01)
    assert (rows["type_of_loan"].isna() == (rows["num_of_loan"] == 0)).all()


@pytest.mark.parametrize(
    ("feature", "real"),
    [("interest_rate", -0.42), ("outstanding_debt", -0.39), ("credit_history_age", 0.36),
     ("num_bank_accounts", -0.34), ("annual_income", 0.19), ("num_of_loan", -0.34)],
)  # fmt: skip
def test_features_are_as_informative_as_the_real_ones(
    rows: pd.DataFrame, feature: str, real: float
) -> None:
    """Rank correlations with Poor < Standard < Good are near the real ones."""
    rank = rows[schema.TARGET].map({name: n for n, name in enumerate(schema.CLASSES)})
    assert spearmanr(rows[feature], rank).statistic == pytest.approx(real, abs=0.06)


def test_loans_follow_the_credit_mix(rows: pd.DataFrame) -> None:
    """A customer with a good mix has at most four, with a bad one at least two; 11 % have none."""
    by_mix = rows.groupby("credit_mix")["num_of_loan"]
    assert by_mix.min().to_dict() == {"Bad": 2, "Good": 0, "Standard": 0}
    assert by_mix.max().to_dict() == {"Bad": 9, "Good": 4, "Standard": 7}
    assert rows["type_of_loan"].isna().mean() == pytest.approx(0.11, abs=0.02)
    medians = rows.groupby(schema.TARGET)["num_of_loan"].median()
    assert medians.to_dict() == {"Good": 2, "Poor": 5, "Standard": 3}


def test_kinds_of_loan_say_nothing_about_the_class(rows: pd.DataFrame) -> None:
    """Each kind is a ninth of the loans in every class; a list has as many as the customer has."""
    listed = rows["type_of_loan"].fillna("").str.split(",")
    loans = rows.assign(kind=listed).explode("kind").query("kind != ''")
    assert (listed.str.len().where(listed.str[0] != "", 0) == rows["num_of_loan"]).all()
    shares = pd.crosstab(loans[schema.TARGET], loans["kind"], normalize="index")
    assert shares.shape == (3, 9)
    assert (shares - 1 / 9).abs().to_numpy().max() < 0.015


def test_payments_follow_the_salary(rows: pd.DataFrame) -> None:
    """Small payments and little spending: half of the lowest sixth, a fourteenth of the highest."""
    known = rows.dropna(subset=["payment_behaviour"])
    sixth = pd.qcut(known["monthly_inhand_salary"], 6, labels=False)
    small = known["payment_behaviour"] == "Low_spent_Small_value_payments"
    shares = small.groupby(sixth).mean()
    assert shares[0] == pytest.approx(0.51, abs=0.04)
    assert shares[5] == pytest.approx(0.07, abs=0.04)
    assert small.mean() == pytest.approx(0.278, abs=0.015)


def test_balance_follows_its_identity(rows: pd.DataFrame) -> None:
    """Salary, instalments, investments and behaviour explain the balance in most rows."""
    known = rows.dropna(subset=["payment_behaviour", "amount_invested_monthly"])
    bonus = known["payment_behaviour"].map(
        {"High_spent_Large_value_payments": 240, "High_spent_Medium_value_payments": 250,
         "High_spent_Small_value_payments": 260, "Low_spent_Large_value_payments": 270,
         "Low_spent_Medium_value_payments": 280, "Low_spent_Small_value_payments": 290}
    )  # fmt: skip
    expected = (
        0.1 * known["monthly_inhand_salary"]
        - known["total_emi_per_month"]
        - known["amount_invested_monthly"]
        + bonus
    )
    exact = np.isclose(known["monthly_balance"], expected)
    assert exact.mean() == pytest.approx(0.82, abs=0.03)


def test_customers_return_with_drifting_labels(rows: pd.DataFrame) -> None:
    """Some labels change from month to month, never from Good to Poor at once."""
    rank = rows[schema.TARGET].map({name: n for n, name in enumerate(schema.CLASSES)})
    month = rows["id"].astype(int) % 12
    by_month = rows.assign(rank=rank, month=month).pivot_table(
        index=schema.CUSTOMER, columns="month", values="rank"
    )
    changes = {}
    for later in range(1, 8):
        both = by_month[[later - 1, later]].dropna()
        changes[later] = (both[later - 1] != both[later]).mean()
        assert not ((both[later - 1] == 2) & (both[later] == 0)).any()
    quarter_starts = [changes[3], changes[6]]
    inside = [change for later, change in changes.items() if later not in (3, 6)]
    assert 0.12 < np.mean(inside) < 0.19
    assert 0.22 < np.mean(quarter_starts) < 0.30


@pytest.mark.parametrize("seed", [0, 1])
def test_a_model_reaches_what_it_reaches_on_real_rows(seed: int) -> None:
    """On one window, gradient boosting is right on 60 to 80 % of customers it has not seen."""
    labels, features = generate(20_000, _UNTIL, seed)
    window = labels[labels["date"] >= "2025-07-31"].merge(features, on=schema.KEY)
    inputs = window[[*schema.NUMERIC, *schema.CATEGORICAL]].astype(
        dict.fromkeys(schema.CATEGORICAL, "category")
    )
    seen = customer_position(window[schema.CUSTOMER]) < 0.7
    model = HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=60, max_leaf_nodes=12, random_state=0
    ).fit(inputs[seen], window.loc[seen, schema.TARGET])
    accuracy = model.score(inputs[~seen], window.loc[~seen, schema.TARGET])
    assert 0.60 <= accuracy <= 0.80
