"""Labelled rows, and predictions of a known accuracy, for tests of the gate."""

import numpy as np
import pandas as pd

from credit_ct_dagster.modeling import schema


def labelled_rows(number: int = 400, customers: int = 300, seed: int = 0) -> pd.DataFrame:
    """Raw rows with labels of chance.

    Args:
        number: Of rows.
        customers: Of how many customers; a number of rows above it gives some a second one.
        seed: Of the random generator.
    """
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            schema.TARGET: rng.choice(schema.CLASSES, number),
            schema.CUSTOMER: [str(place % customers) for place in range(number)],
            "age": rng.integers(18, 70, number).astype(float),
            "occupation": rng.choice(["Doctor", "Writer"], number),
        }
    )


def predictions(rows: pd.DataFrame, certainty: float, seed: int) -> np.ndarray:
    """Classes that are right for a share of the rows, and otherwise a guess."""
    rng = np.random.default_rng(seed)
    right = rows[schema.TARGET].to_numpy(dtype=str)
    guess = rng.choice(schema.CLASSES, len(rows))
    return np.where(rng.random(len(rows)) < certainty, right, guess)
