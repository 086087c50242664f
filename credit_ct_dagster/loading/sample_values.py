"""Marginals, class conditionals and rates of the real data, by which sample rows are drawn."""

from dataclasses import dataclass

QUANTILE_LEVELS = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]


@dataclass(frozen=True)
class Marginal:
    """How one feature is distributed and how it follows the customer's quality.

    Attributes:
        quantiles: Values at `QUANTILE_LEVELS`.
        loading: Correlation of the feature's normal score with the customer's quality.
        persistence: Share of the rest that persists from month to month.
        decimals: Values are rounded to so many.
    """

    quantiles: tuple[float, ...]
    loading: float
    persistence: float = 1.0
    decimals: int = 0


MARGINALS = {
    "age": Marginal((14, 18, 24, 33, 42, 53, 56), 0.20),
    "num_bank_accounts": Marginal((0, 1, 3, 5, 7, 10, 11), -0.44),
    "num_credit_card": Marginal((0, 2, 4, 5, 7, 9, 11), -0.43),
    "interest_rate": Marginal((1, 3, 7, 13, 20, 32, 34), -0.54),
    # A rank inside the credit mix; LOANS_BY_MIX has the number of each.
    "num_of_loan": Marginal(tuple(QUANTILE_LEVELS), -0.15, 1.0, 6),
    "outstanding_debt": Marginal((0.2, 120, 560, 1166, 1945, 4000, 4998), -0.50, 1.0, 2),
    "credit_history_age": Marginal((8, 60, 144, 222, 302, 370, 396), 0.46),
    "delay_from_due_date": Marginal((-5, 3, 10, 18, 28, 54, 67), -0.49, 0.9),
    "num_of_delayed_payment": Marginal((0, 3, 9, 14, 18, 23, 28), -0.39, 0.9),
    "changed_credit_limit": Marginal((-6.5, 1, 5.3, 9.4, 14.8, 23, 37), -0.14, 0.8, 2),
    "num_credit_inquiries": Marginal((0, 1, 2, 4.8, 7.8, 12, 17), -0.48, 0.9, 3),
    "credit_utilization_ratio": Marginal((20, 24, 28, 32.4, 36.5, 42, 48), 0.02, 0.0, 6),
}

ADDED_MARGINALS: dict[str, Marginal] = {}
"""Of numbers that were added to the schema later and for which any value between their bounds would
not be realistic. They are drawn last: the same seed gives the same other values as before."""
GENERIC_WORDS = ("first", "second", "third")
"""What a word or text that was added to the schema later holds, if any word is accepted."""

INQUIRIES_PER_MONTH = 0.19  # 5.3 in January, 6.6 in August
MISSING = {
    "num_of_delayed_payment": 0.015,
    "changed_credit_limit": 0.020,
    "num_credit_inquiries": 0.016,
    "amount_invested_monthly": 0.045,
    "payment_behaviour": 0.080,
}

LABEL_SHARES = {"Poor": 0.288, "Standard": 0.519, "Good": 0.193}
LABEL_LOADING = 0.93
LABEL_PERSISTENCE = 0.62  # month to month: about 15 % of the labels change
LABEL_PERSISTENCE_QUARTER = 0.0  # at a quarter's start: about 26 %

CREDIT_MIX = {"Bad": 0.238, "Standard": 0.459, "Good": 0.303}
CREDIT_MIX_LOADING = 0.64
MIN_AMOUNT = {"Yes": 0.595, "No": 0.405}
MIN_AMOUNT_LOADING = 0.60
MIN_AMOUNT_UNKNOWN = 0.115

LOANS_BY_MIX = {
    "Bad": (0, 0, 0.067, 0.048, 0.047, 0.210, 0.207, 0.172, 0.121, 0.128),
    "Standard": (0.117, 0.117, 0.182, 0.178, 0.191, 0.075, 0.071, 0.069, 0, 0),
    "Good": (0.170, 0.187, 0.200, 0.211, 0.232, 0, 0, 0, 0, 0),
}
"""Which shares of the ranks have 0 to 9 loans, by credit mix: so that the customers of each mix
have the numbers of January. Its clean rows lack the customers without a loan; they are as many as
those with one."""

SALARY_LEVELS = (1_450, 2_250, 3_150, 4_450, 6_800)  # a sixth of the sample rows between two
BEHAVIOUR_SHARES = {
    "Low_spent_Small_value_payments": (0.511, 0.448, 0.285, 0.207, 0.143, 0.074),
    "High_spent_Medium_value_payments": (0.058, 0.119, 0.219, 0.301, 0.291, 0.179),
    "Low_spent_Medium_value_payments": (0.194, 0.155, 0.104, 0.097, 0.131, 0.200),
    "High_spent_Large_value_payments": (0.041, 0.060, 0.092, 0.143, 0.208, 0.335),
    "High_spent_Small_value_payments": (0.100, 0.098, 0.140, 0.154, 0.129, 0.103),
    "Low_spent_Large_value_payments": (0.095, 0.121, 0.159, 0.098, 0.097, 0.108),
}
"""By level of the salary, as in January; the mean shares are those of all real rows that have a
behaviour."""
BALANCE_BONUS = {
    "High_spent_Large_value_payments": 240.0,
    "High_spent_Medium_value_payments": 250.0,
    "High_spent_Small_value_payments": 260.0,
    "Low_spent_Large_value_payments": 270.0,
    "Low_spent_Medium_value_payments": 280.0,
    "Low_spent_Small_value_payments": 290.0,
}
BALANCE_IDENTITY_HOLDS = 0.82

LOANS = [
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
OCCUPATIONS = [
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
