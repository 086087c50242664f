"""Column descriptions for the asset pages."""

import dagster as dg

from credit_ct_dagster.modeling import schema

_DESCRIPTIONS = {
    "base_dt": "The base date, YYYY-MM-DD",
    "id": "Identifies a customer's month",
    "customer_id": "Identifies a customer over all months",
    "date": "Day of the label (of the features in credit_score_features), YYYY-MM-DD",
    "name": "Personal data; never leaves the database",
    "ssn": "Personal data; never leaves the database",
    "age": "Years",
    "occupation": "One of 15 words",
    "annual_income": "Income per year",
    "monthly_inhand_salary": "Salary per month after deductions",
    "num_bank_accounts": "Bank accounts held",
    "num_credit_card": "Credit cards held",
    "interest_rate": "Interest on credit cards, percent",
    "num_of_loan": "Loans held",
    "type_of_loan": "Kinds of the loans held, separated by commas",
    "delay_from_due_date": "Mean delay of payments, days; negative when paid early",
    "num_of_delayed_payment": "Payments made late",
    "changed_credit_limit": "Change of the credit limit, percent",
    "num_credit_inquiries": "Inquiries about the customer's credit",
    "credit_mix": "Bad, Standard or Good",
    "outstanding_debt": "Debt still to pay",
    "credit_utilization_ratio": "Share of the credit limit in use, percent",
    "credit_history_age": "Months since the first credit",
    "payment_of_min_amount": "Whether only the minimum was paid: Yes, No, or NM (not mentioned)",
    "total_emi_per_month": "Instalments per month",
    "amount_invested_monthly": "Investments per month",
    "payment_behaviour": "Level of spending and size of payments",
    "monthly_balance": "What remains at the end of a month",
    "credit_score": "The class to predict: Poor, Standard or Good",
}


def column_schema(columns: list[str]) -> dict[str, dg.TableSchema]:
    """Metadata that lists columns with types and descriptions."""
    return {
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name,
                    "float" if name in schema.NUMERIC else "string",
                    description=_DESCRIPTIONS[name],
                )
                for name in columns
            ]
        )
    }
