"""A usual prediction service, written plainly, with which the platform's own is compared.

BentoML's new-style service as its tutorial shows it: scalers from a joblib file, one RobustScaler
per number in every request, a frame of one row, CatBoost's probabilities, the highest one is the
class. With a database, each request inserts its row and commits. It gives no reasons, and knows
neither calibration nor versions.
"""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bentoml
import joblib
import pandas as pd
import sqlalchemy as sa
from pydantic import BaseModel, create_model

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.scorer.ordinal import load_model

FOLDER = "PLAIN_SERVICE_FOLDER"
"""The variable that names the folder of `SCALERS` and `MODEL`."""
DATABASE = "PLAIN_SERVICE_DATABASE"
"""The variable that names the database of the log; without it nothing is logged."""
SCALERS, MODEL = "robust_scaler.joblib", "model.cbm"

_TABLE = """
CREATE TABLE IF NOT EXISTS credit_predictions_api_log (
    id INTEGER AUTO_INCREMENT PRIMARY KEY,
    customer_id VARCHAR(10),
    features JSON,
    prediction VARCHAR(10),
    confidence DOUBLE,
    elapsed_ms DOUBLE,
    created_at DATETIME
)"""
_INSERT = sa.text(
    "INSERT INTO credit_predictions_api_log"
    " (customer_id, features, prediction, confidence, elapsed_ms, created_at)"
    " VALUES (:customer_id, :features, :prediction, :confidence, :elapsed_ms, :created_at)"
)
_FIELDS: dict[str, Any] = {
    name: (float | None if name in schema.NUMERIC else str | None, ...) for name in schema.FEATURES
}
Customer = create_model("Customer", customer_id=(str | None, None), **_FIELDS)


class Answer(BaseModel):
    """The class, and its score."""

    credit_score: str
    confidence: float


@bentoml.service(workers=1)
class PlainService:
    """Answers one request at a time, as synchronous methods of BentoML do."""

    def __init__(self) -> None:
        folder = Path(os.environ[FOLDER])
        self.scalers = joblib.load(folder / SCALERS)
        self.model = load_model(folder / MODEL)
        self.engine = sa.create_engine(os.environ[DATABASE]) if DATABASE in os.environ else None
        if self.engine is not None:
            with self.engine.begin() as connection:
                connection.execute(sa.text(_TABLE))

    @bentoml.api
    def predict(self, customer: Customer) -> Answer:
        """Score one customer."""
        started = time.perf_counter()
        values: dict[str, Any] = customer.model_dump()
        row = pd.DataFrame([values])[schema.FEATURES]
        for column, scaler in self.scalers.items():
            row[column] = scaler.transform(row[[column]].astype(float)).ravel()
        row[schema.WORDS] = row[schema.WORDS].fillna(schema.MISSING_WORD)
        scores = self.model.predict_proba(row)[0]
        best = int(scores.argmax())
        answer = Answer(credit_score=str(self.model.classes_[best]), confidence=scores[best])
        if self.engine is not None:
            with self.engine.begin() as connection:
                connection.execute(
                    _INSERT,
                    {
                        "customer_id": values["customer_id"],
                        "features": json.dumps(values),
                        "prediction": answer.credit_score,
                        "confidence": answer.confidence,
                        "elapsed_ms": (time.perf_counter() - started) * 1e3,
                        "created_at": datetime.now(UTC),
                    },
                )
        return answer
