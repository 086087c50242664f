"""Answers that were served and scored in the shadow, as frames, for tests of probation."""

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.columns import PREDICTED, PROBABILITIES
from credit_ct_dagster.modeling.watching.paired import IN_SHADOW

SERVED, SHADOW = "m:served", "m:shadow"


def identity(base_dt: str = "2025-03-01", run: str = "", version: str = "7") -> ModelIdentity:
    """A model, whose names follow from its base date."""
    return ModelIdentity(
        base_dt=base_dt,
        mlflow_run_id=run or f"run-{base_dt}",
        dagster_run_id="d",
        data_fingerprint="f",
        bentoml_tag=f"m:{run or base_dt}",
        registered_version=version,
    )


def answers(
    *rows: tuple[str, str | None, str | None, str | None], tag: str = SERVED
) -> pd.DataFrame:
    """What `ServedAnswers.of_day` gives.

    Args:
        rows: Key, customer, label and its date.
        tag: The package that answered.
    """
    frame = pd.DataFrame(rows, columns=["key", "customer_id", "label", "label_date"], dtype=object)
    return frame.assign(
        source="request", model_tag=tag, predicted="Good", age=30.0, occupation="Writer",
        **dict(zip(PROBABILITIES, (0.1, 0.2, 0.7), strict=True)),
    )  # fmt: skip


def shadow(*keys: str, tag: str = SHADOW, predicted: str = "Poor") -> pd.DataFrame:
    """What a model scored in the shadow."""
    return pd.DataFrame({"key": keys}, dtype=object).assign(
        source="request", model_tag=tag, predicted=predicted, customer_id="c", role="previous",
        **dict(zip(PROBABILITIES, (0.7, 0.2, 0.1), strict=True)),
    )  # fmt: skip


def pairs(
    number: int, served: float, shadow: float, customers: int | None = None, seed: int = 0
) -> pd.DataFrame:
    """Labelled answers of two models that are right independently of each other.

    Args:
        number: Of answers.
        served: Share that the champion answers rightly.
        shadow: The same of the model in the shadow.
        customers: Of how many. [default: each answer of its own]
        seed: Of the random generator.
    """
    rng = np.random.default_rng(seed)
    truth = rng.choice(schema.CLASSES, number)
    wrong = {"Poor": "Standard", "Standard": "Good", "Good": "Poor"}
    others = np.array([wrong[each] for each in truth])
    customer = np.arange(number) % (customers or number)
    frame = pd.DataFrame(
        {
            schema.CUSTOMER: [f"c{each}" for each in customer],
            schema.TARGET: truth,
            "label_date": "2025-04-02",
            "day": np.where(np.arange(number) < number // 2, "2025-03-05", "2025-03-06"),
            "age": rng.integers(18, 70, number).astype(float),
            "occupation": rng.choice(["Doctor", "Writer"], number),
        }
    )
    for suffix, share in (("", served), (IN_SHADOW, shadow)):
        right = rng.random(number) < share
        frame[f"{PREDICTED}{suffix}"] = np.where(right, truth, others)
        for name in PROBABILITIES:
            frame[f"{name}{suffix}"] = 1 / 3
    return frame
