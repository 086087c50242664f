"""Scores of made-up customers."""

import numpy as np
import pandas as pd

from credit_ct_dagster.resources.feature_store.scores import AnswersFile, CustomerScores, ScoredBy
from credit_ct_dagster.resources.feature_store.store import FeatureStore

BY = ScoredBy("m:first", "2025-03-01", "3", "run", "2025-03-11 00:00:00")


def answers(rows: int, date: str) -> pd.DataFrame:
    """Answers to so many customers, by the features of a date."""
    numbers = np.arange(rows)
    return pd.DataFrame(
        {
            "id": numbers.astype(str),
            "customer_id": "c",
            "date": date,
            "credit_score": "Poor",
            "is_most_probable": numbers % 2 == 0,
            "probability_poor": 1 / (numbers + 3),
            "probability_standard": 0.25,
            "probability_good": 0.75 - 1 / (numbers + 3),
            "reasons": '[{"sentence":"It\'s 100 % \\\\ é"}]',
            "compliance_flags": None,
        }
    )


def write_scores(
    store: FeatureStore, model_name: str, base_dt: str, rows: int = 3, by: ScoredBy = BY
) -> None:
    """Replace the scores of a base date."""
    with AnswersFile() as file:
        file.append(answers(rows, base_dt))
        CustomerScores(store.database, model_name).replace(base_dt, file, by)
