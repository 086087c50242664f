"""What the columns are: the one place that names them."""

KEY = ["id", "customer_id", "date"]
CUSTOMER = "customer_id"
BASE_DATE = "base_dt"
TARGET = "credit_score"
CLASSES = ["Poor", "Standard", "Good"]
PERSONAL = ["name", "ssn"]

NUMERIC = [
    "age",
    "annual_income",
    "monthly_inhand_salary",
    "num_bank_accounts",
    "num_credit_card",
    "interest_rate",
    "num_of_loan",
    "delay_from_due_date",
    "num_of_delayed_payment",
    "changed_credit_limit",
    "num_credit_inquiries",
    "outstanding_debt",
    "credit_utilization_ratio",
    "credit_history_age",
    "total_emi_per_month",
    "amount_invested_monthly",
    "monthly_balance",
]
CATEGORICAL = ["occupation", "credit_mix", "payment_of_min_amount"]
TEXT = ["type_of_loan", "payment_behaviour"]
WORDS = [*CATEGORICAL, *TEXT]

SOURCE_FEATURES = [
    "name",
    "age",
    "ssn",
    "occupation",
    "annual_income",
    "monthly_inhand_salary",
    "num_bank_accounts",
    "num_credit_card",
    "interest_rate",
    "num_of_loan",
    "type_of_loan",
    "delay_from_due_date",
    "num_of_delayed_payment",
    "changed_credit_limit",
    "num_credit_inquiries",
    "credit_mix",
    "outstanding_debt",
    "credit_utilization_ratio",
    "credit_history_age",
    "payment_of_min_amount",
    "total_emi_per_month",
    "amount_invested_monthly",
    "payment_behaviour",
    "monthly_balance",
]
"""The feature columns of the source table, in its order."""

FEATURES = [column for column in SOURCE_FEATURES if column not in PERSONAL]
"""What a model is trained on, in the order it expects."""

LABEL_COLUMNS = [*KEY, TARGET]
FEATURE_COLUMNS = [*KEY, *SOURCE_FEATURES]
MERGED_COLUMNS = [BASE_DATE, *KEY, *FEATURES, TARGET]

MISSING_WORD = "missing"
"""Stands for an absent word: CatBoost refuses NULL in category and text columns."""
