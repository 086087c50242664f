"""The sentences in which reasons are given: the one place where they are worded and reviewed.

A bank states the principal reasons why it did not decide better, specifically: "score too low" is
not enough (12 CFR 1002, Supplement I, 9(b)(2)). A sentence compares a customer with the typical
customer of the next better class, quotes no value, and judges nobody.
"""

from collections.abc import Mapping, Sequence

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.scorer.encoding import OTHER, column_name

# Per feature: what it is, and how a higher and a lower value read.
_NUMBERS = {
    "age": ("Age", "is higher", "is lower"),
    "annual_income": ("Annual income", "is higher", "is lower"),
    "monthly_inhand_salary": ("Monthly salary after deductions", "is higher", "is lower"),
    "num_bank_accounts": ("The number of bank accounts", "is higher", "is lower"),
    "num_credit_card": ("The number of credit cards", "is higher", "is lower"),
    "interest_rate": ("The interest rate on credit cards", "is higher", "is lower"),
    "num_of_loan": ("The number of loans", "is higher", "is lower"),
    "delay_from_due_date": (
        "The delay of payments after their due date", "is longer", "is shorter",
    ),
    "num_of_delayed_payment": ("The number of late payments", "is higher", "is lower"),
    "changed_credit_limit": ("The change of the credit limit", "is larger", "is smaller"),
    "num_credit_inquiries": ("The number of credit inquiries", "is higher", "is lower"),
    "outstanding_debt": ("Outstanding debt", "is higher", "is lower"),
    "credit_utilization_ratio": ("The share of the credit limit in use", "is higher", "is lower"),
    "credit_history_age": ("The credit history", "is longer", "is shorter"),
    "total_emi_per_month": ("The monthly instalments on loans", "are higher", "are lower"),
    "amount_invested_monthly": ("The amount invested per month", "is higher", "is lower"),
    "monthly_balance": ("The balance at the end of the month", "is higher", "is lower"),
}  # fmt: skip
_WORDS = {
    "occupation": "Occupation",
    "type_of_loan": "The combination of loans held",
    "credit_mix": "The mix of kinds of credit",
    "payment_of_min_amount": "Whether only the minimum amount is paid",
    "payment_behaviour": "The pattern of spending and payments",
}
# Per kind that a text lists: what is held more or fewer of.
_KINDS = {
    "type_of_loan": {
        "auto loan": "auto loans",
        "credit-builder loan": "credit-builder loans",
        "debt consolidation loan": "debt consolidation loans",
        "home equity loan": "home equity loans",
        "mortgage loan": "mortgage loans",
        "not specified": "loans of a kind that is not specified",
        "payday loan": "payday loans",
        "personal loan": "personal loans",
        "student loan": "student loans",
        OTHER: "loans of other kinds",
    },
}
_THAN = "than is typical of customers with the next better score."
_TOGETHER = "together with the other details, {lowers} the score."


def _of_number(subject: str, higher: str, lower: str) -> dict[str, str]:
    are_many = higher.startswith("are")
    return {
        "higher": f"{subject} {higher} {_THAN}",
        "lower": f"{subject} {lower} {_THAN}",
        "other": f"{subject}, {_TOGETHER.format(lowers='lower' if are_many else 'lowers')}",
        "missing": f"{subject} {'are' if are_many else 'is'} not known.",
    }


def _of_word(subject: str) -> dict[str, str]:
    return {
        "other": f"{subject}, {_TOGETHER.format(lowers='lowers')}",
        "missing": f"{subject} is not known.",
    }


def _of_kind(feature: str, subject: str, kind: str) -> dict[str, str]:
    held = _KINDS.get(feature, {}).get(kind)
    of_text = _of_word(subject)
    if held is None:
        named = "other things" if kind == OTHER else kind
        return of_text | {
            "higher": f"{subject}: {named} is listed more often {_THAN}",
            "lower": f"{subject}: {named} is listed less often {_THAN}",
        }
    return of_text | {
        "higher": f"More {held} are held {_THAN}",
        "lower": f"Fewer {held} are held {_THAN}",
    }


def sentences(
    features: Sequence[str] = tuple(schema.FEATURES),
    counted: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Mapping[str, str]]:
    """Per column of a model and direction, the sentence of a reason.

    A feature that has no words of its own yet is called by its description.

    Args:
        features: Of the schema. [default: all]
        counted: The texts of which the model takes counts, and the kinds that it counts.
            [default: none]
    """
    found: dict[str, Mapping[str, str]] = {}
    for name in features:
        subject = schema.COLUMNS[name].description
        if counted and name in counted:
            for kind in (*counted[name], OTHER):
                found[column_name(name, kind)] = _of_kind(name, _WORDS.get(name, subject), kind)
        elif name in schema.NUMERIC:
            found[name] = _of_number(*_NUMBERS.get(name, (subject, "is higher", "is lower")))
        else:
            found[name] = _of_word(_WORDS.get(name, subject))
    return found
