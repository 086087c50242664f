"""What the columns are: the one place that names and describes them.

The tables of the feature store, the rules for rows and the pages of the assets are made from it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds."""

    key = "key"
    number = "number"
    category = "category"
    text = "text"
    personal = "personal"
    label = "label"


@dataclass(frozen=True)
class Column:
    """A column of the feature store.

    Attributes:
        name: As in the tables.
        kind: What it holds.
        description: For a person.
        length: Characters that fit; none for numbers and for texts of any length.
    """

    name: str
    kind: Kind
    description: str
    length: int | None = None


BASE_DATE = "base_dt"
CUSTOMER = "customer_id"
TARGET = "credit_score"
CLASSES = ["Poor", "Standard", "Good"]
MISSING_WORD = "missing"
"""Stands for an absent word: CatBoost refuses NULL in category and text columns."""

_KEYS = [
    Column("id", Kind.key, "Identifies a customer's month", 10),
    Column(CUSTOMER, Kind.key, "Identifies a customer over all months", 10),
    Column(
        "date", Kind.key, "Day of the label (of the features in credit_score_features), YYYY-MM-DD",
        10,
    ),
]  # fmt: skip
_NUMBER, _CATEGORY, _TEXT, _PERSONAL = Kind.number, Kind.category, Kind.text, Kind.personal
_SOURCE_FEATURES = [
    Column("name", _PERSONAL, "Personal data; never leaves the database", 100),
    Column("age", _NUMBER, "Years"),
    Column("ssn", _PERSONAL, "Personal data; never leaves the database", 20),
    Column("occupation", _CATEGORY, "One of 15 words", 50),
    Column("annual_income", _NUMBER, "Income per year"),
    Column("monthly_inhand_salary", _NUMBER, "Salary per month after deductions"),
    Column("num_bank_accounts", _NUMBER, "Bank accounts held"),
    Column("num_credit_card", _NUMBER, "Credit cards held"),
    Column("interest_rate", _NUMBER, "Interest on credit cards, percent"),
    Column("num_of_loan", _NUMBER, "Loans held"),
    Column("type_of_loan", _TEXT, "Kinds of the loans held, separated by commas"),
    Column(
        "delay_from_due_date", _NUMBER, "Mean delay of payments, days; negative when paid early"
    ),
    Column("num_of_delayed_payment", _NUMBER, "Payments made late"),
    Column("changed_credit_limit", _NUMBER, "Change of the credit limit, percent"),
    Column("num_credit_inquiries", _NUMBER, "Inquiries about the customer's credit"),
    Column("credit_mix", _CATEGORY, "Bad, Standard or Good", 20),
    Column("outstanding_debt", _NUMBER, "Debt still to pay"),
    Column("credit_utilization_ratio", _NUMBER, "Share of the credit limit in use, percent"),
    Column("credit_history_age", _NUMBER, "Months since the first credit"),
    Column(
        "payment_of_min_amount", _CATEGORY,
        "Whether only the minimum was paid: Yes, No, or NM (not mentioned)", 10,
    ),
    Column("total_emi_per_month", _NUMBER, "Instalments per month"),
    Column("amount_invested_monthly", _NUMBER, "Investments per month"),
    Column("payment_behaviour", _TEXT, "Level of spending and size of payments", 50),
    Column("monthly_balance", _NUMBER, "What remains at the end of a month"),
]  # fmt: skip

COLUMNS = {
    column.name: column
    for column in [
        Column(BASE_DATE, Kind.key, "The base date, YYYY-MM-DD", 10),
        *_KEYS,
        *_SOURCE_FEATURES,
        Column(TARGET, Kind.label, "The class to predict: Poor, Standard or Good", 10),
    ]
}


def _named(*kinds: Kind) -> list[str]:
    return [column.name for column in _SOURCE_FEATURES if column.kind in kinds]


KEY = [column.name for column in _KEYS]
PERSONAL = _named(Kind.personal)
NUMERIC = _named(Kind.number)
CATEGORICAL = _named(Kind.category)
TEXT = _named(Kind.text)
WORDS = [*CATEGORICAL, *TEXT]
SOURCE_FEATURES = _named(*Kind)
"""The feature columns of the source table, in its order."""
FEATURES = [name for name in SOURCE_FEATURES if name not in PERSONAL]
"""What a model is trained on, in the order it expects."""

LABEL_COLUMNS = [*KEY, TARGET]
FEATURE_COLUMNS = [*KEY, *SOURCE_FEATURES]
MERGED_COLUMNS = [BASE_DATE, *KEY, *FEATURES, TARGET]
