"""Rows in the shape of `credit_risk.yaml`, as two CSV files."""

from pathlib import Path

import numpy as np
import pandas as pd

from credit_ct_dagster.days import days_after

BASE_DT = "2025-03-10"
SCORED = 200
"""Applicants of the base date, whose outcomes come later."""
_LEARNED = 1_500
_WINDOW = 28


def write(folder: Path) -> None:
    """Write `outcomes.csv` and `applications.csv`: a label window, and the base date to score."""
    rng = np.random.default_rng(7)
    rows = _LEARNED + SCORED
    number = np.arange(rows)
    is_scored = number >= _LEARNED
    checking = rng.choice(["overdrawn", "low", "high", "none"], rows, p=[0.27, 0.27, 0.06, 0.4])
    duration = rng.integers(4, 72, rows)
    age = rng.integers(19, 75, rows)
    rate = rng.integers(1, 5, rows)
    score = (
        0.9 * (checking == "none") - 0.9 * (checking == "overdrawn") - 0.04 * (duration - 20)
        + 0.02 * (age - 35) + rng.logistic(size=rows)
    )  # fmt: skip
    keys = pd.DataFrame(
        {
            "application_no": [f"L{each:06}" for each in number],
            "applicant": [f"A{each:06}" for each in number],
        }
    )
    days = [days_after(BASE_DT, -int(each)) for each in rng.integers(1, _WINDOW, rows)]
    later = [days_after(BASE_DT, int(each)) for each in rng.integers(1, 20, rows)]
    outcomes = keys.assign(
        observed_on=np.where(is_scored, later, days), risk=np.where(score > -0.8, "good", "bad")
    )
    applications = keys.assign(
        observed_on=np.where(is_scored, BASE_DT, days),
        full_name="Applicant " + keys["applicant"],
        checking_status=checking,
        duration_months=duration,
        credit_amount=(duration * rng.lognormal(4.8, 0.5, rows)).round(0),
        purpose=rng.choice(["car", "furniture", "education"], rows),
        years_of_age=age,
        other_plans=rng.choice(["bank loan", "store credit", "bank loan, store credit", ""], rows),
        installment_rate=rate,
    )
    outcomes.to_csv(folder / "outcomes.csv", index=False)
    applications.to_csv(folder / "applications.csv", index=False)
