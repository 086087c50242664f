"""The columns of the feature store: the one place that names and describes them.

The tables and SQL of the feature store, the rules for rows, the drift report, the sample rows and
the asset pages are derived from it. To add a feature, add a line to `_SOURCE_FEATURES`. Bounds of a
number other than "finite" belong to `row_rules.BOUNDS`, realistic sample values to
`sample_values.ADDED_MARGINALS`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from credit_ct_dagster.scorer.encoding import OTHER

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Kind(StrEnum):
    """What a column holds."""

    key = "key"
    number = "number"
    category = "category"
    text = "text"
    personal = "personal"
    label = "label"


class Risk(StrEnum):
    """How the risk of a customer goes with a number, by the bank's own judgement."""

    rises = "rises"
    falls = "falls"


@dataclass(frozen=True)
class Column:
    """A column of the feature store.

    Attributes:
        name: As in the tables: lower-case letters, digits and underscores.
        kind: What it holds.
        description: For a person.
        length: How many characters fit; None for numbers and for texts of any length.
        words: The only words it may hold; empty if any word is accepted.
        separator: Splits a text that lists things; None for a text that is one thing.
        kinds: What a text that lists things is known to list. Others are accepted; where texts are
            counted (`text: counts`), they are counted as one.
        risk: Of a number: how a customer's risk goes with it; None where the bank declares nothing.
    """

    name: str
    kind: Kind
    description: str
    length: int | None = None
    words: tuple[str, ...] = ()
    separator: str | None = None
    kinds: tuple[str, ...] = ()
    risk: Risk | None = None

    def __post_init__(self) -> None:
        """Names become identifiers of SQL statements, and keyword arguments."""
        if not _IDENTIFIER.fullmatch(self.name):
            raise ValueError(f"'{self.name}' cannot be the name of a column")
        if OTHER in self.kinds:
            raise ValueError(f"'{OTHER}' in {self.name} stands for all kinds that are not declared")


BASE_DATE = "base_dt"
CUSTOMER = "customer_id"
TARGET = "credit_score"
CLASSES = ["Poor", "Standard", "Good"]
LONGEST_TEXT = 16_383
"""Characters of a text that has no length of its own: in any script, they fit into MySQL's TEXT."""
MISSING_WORD = "missing"
"""Replaces an absent word: CatBoost refuses NULL in category and text columns."""

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
    Column("occupation", _CATEGORY, "Occupation, one of 15", 50),
    Column("annual_income", _NUMBER, "Income per year"),
    Column("monthly_inhand_salary", _NUMBER, "Salary per month after deductions"),
    Column("num_bank_accounts", _NUMBER, "Bank accounts held"),
    Column("num_credit_card", _NUMBER, "Credit cards held"),
    Column("interest_rate", _NUMBER, "Interest on credit cards, percent", risk=Risk.rises),
    Column("num_of_loan", _NUMBER, "Loans held"),
    Column(
        "type_of_loan", _TEXT, "Kinds of the loans held, separated by commas", separator=",",
        kinds=(
            "auto loan", "credit-builder loan", "debt consolidation loan", "home equity loan",
            "mortgage loan", "not specified", "payday loan", "personal loan", "student loan",
        ),
    ),
    Column(
        "delay_from_due_date", _NUMBER, "Mean delay of payments, days; negative when paid early",
        risk=Risk.rises,
    ),
    Column("num_of_delayed_payment", _NUMBER, "Payments made late", risk=Risk.rises),
    Column("changed_credit_limit", _NUMBER, "Change of the credit limit, percent"),
    Column(
        "num_credit_inquiries", _NUMBER, "Inquiries about the customer's credit", risk=Risk.rises
    ),
    Column("credit_mix", _CATEGORY, "Bad, Standard or Good", 20, words=("Bad", "Standard", "Good")),
    Column("outstanding_debt", _NUMBER, "Debt still to pay", risk=Risk.rises),
    Column("credit_utilization_ratio", _NUMBER, "Share of the credit limit in use, percent"),
    Column("credit_history_age", _NUMBER, "Months since the first credit", risk=Risk.falls),
    Column(
        "payment_of_min_amount", _CATEGORY,
        "Whether only the minimum was paid: Yes, No, or NM (not mentioned)", 10,
        words=("Yes", "No", "NM"),
    ),
    Column("total_emi_per_month", _NUMBER, "Instalments per month"),
    Column("amount_invested_monthly", _NUMBER, "Investments per month"),
    Column("payment_behaviour", _TEXT, "Level of spending and size of payments", 50),
    Column("monthly_balance", _NUMBER, "Balance at the end of the month"),
]  # fmt: skip

COLUMNS = {
    column.name: column
    for column in [
        Column(BASE_DATE, Kind.key, "The base date, YYYY-MM-DD", 10),
        *_KEYS,
        *_SOURCE_FEATURES,
        Column(
            TARGET, Kind.label, "The class to predict: Poor, Standard or Good", 10,
            words=tuple(CLASSES),
        ),
    ]
}  # fmt: skip


def _named(*kinds: Kind) -> list[str]:
    return [column.name for column in _SOURCE_FEATURES if column.kind in kinds]


KEY = [column.name for column in _KEYS]
PERSONAL = _named(Kind.personal)
NUMERIC = _named(Kind.number)
CATEGORICAL = _named(Kind.category)
TEXT = _named(Kind.text)
DIRECTED = [column.name for column in _SOURCE_FEATURES if column.risk]
"""The numbers with which a customer's risk rises or falls."""
WORDS = [*CATEGORICAL, *TEXT]
"""The features that are not numbers."""
SOURCE_FEATURES = _named(*Kind)
"""The feature columns of the source table, in its order."""
FEATURES = [name for name in SOURCE_FEATURES if name not in PERSONAL]
"""What a model is trained on, in the order it expects."""

LABEL_COLUMNS = [*KEY, TARGET]
FEATURE_COLUMNS = [*KEY, *SOURCE_FEATURES]
MERGED_COLUMNS = [BASE_DATE, *KEY, *FEATURES, TARGET]
