"""What the service answers, as OpenAPI describes it."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.reasons import sentences
from credit_ct_dagster.modeling.rows.row_rules import RowRules
from credit_ct_dagster.serving.contract import UNSEEN
from credit_ct_dagster.serving.example import CUSTOMER_ID
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.log.prediction import Prediction


def _one_of(features: list[str], preferred: str) -> str:
    return preferred if preferred in features else features[0]


_NUMBER = _one_of(schema.NUMERIC, "outstanding_debt")
_BOUNDED = _one_of(schema.NUMERIC, "age")
_WORD = _one_of(schema.WORDS, "occupation")
_EVEN = [round(1 / len(schema.CLASSES), 4)] * len(schema.CLASSES)
_SHARES = dict(
    zip(schema.CLASSES, [0.21, 0.68, 0.11] if len(schema.CLASSES) == 3 else _EVEN, strict=True)
)


class _Answered(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReasonGiven(_Answered):
    """One feature that moved the customer away from the next better class."""

    feature: str = Field(description="The feature.", examples=[_NUMBER])
    direction: Literal["higher", "lower", "other", "missing"] = Field(
        description="How its value differs from what is typical of the next better class.",
        examples=["higher"],
    )
    contribution: float = Field(
        description="By how much it raised the margin between the two classes, in log-odds; > 0.",
        examples=[0.61],
    )
    sentence: str = Field(
        description="For the customer.",
        examples=[sentences([_NUMBER])[_NUMBER]["higher"]],
    )
    protected: bool = Field(
        description="Whether the bank marks the feature as protected.", examples=[False]
    )


class ModelGiven(_Answered):
    """The model that answered."""

    tag: str = Field(
        description="Its package in the BentoML store.",
        examples=["credit_score_classification:nbncexxjlckeaax4"],
    )
    base_dt: str = Field(
        description="The base date whose rows it was trained on, YYYY-MM-DD.",
        examples=["2025-01-31"],
    )
    version: str = Field(
        description="Its version of the registered model in MLflow.", examples=["3"]
    )


class Warned(_Answered):
    """Something of the row that the model has not seen in training."""

    field: str = Field(examples=[_WORD])
    rule: str = Field(examples=[UNSEEN])


class PredictionAnswer(_Answered):
    """What the model says of one customer."""

    request_id: str = Field(
        description="Identifies the answer in the log of predictions: the caller's Idempotency-Key,"
        " or one that the service made.",
        examples=["73fd8f2ac8e34b4fa0e3cf4a56b7b8f0"],
    )
    customer_id: str | None = Field(
        default=None,
        alias=schema.CUSTOMER,
        description="As given by the caller.",
        examples=[CUSTOMER_ID],
    )
    feature_date: str | None = Field(
        default=None,
        description="The date of the features, where the service looked them up; YYYY-MM-DD.",
        examples=["2025-01-30"],
    )
    credit_score: str = Field(
        alias=schema.TARGET,
        description="The class that the rule of the model gives, by which it was judged: of the"
        " highest expected utility, or of the highest raw score (`class_rule` of GET /model).",
        examples=[schema.CLASSES[len(schema.CLASSES) // 2]],
    )
    is_most_probable: bool = Field(
        description="Whether the class is also the most probable one. It need not be: where"
        " classes count the same, the rule chooses rare ones more often.",
        examples=[True],
    )
    probabilities: dict[str, float] = Field(
        description="Calibrated, per class from worst to best; they sum to 1.",
        examples=[_SHARES],
    )
    reasons: list[ReasonGiven] = Field(
        description="Up to four, the strongest first; none for the best class."
    )
    compliance_flags: list[str] = Field(
        description="The protected features among the reasons: have such an answer reviewed before"
        " it is used.",
        examples=[[]],
    )
    warnings: list[Warned] = Field(
        default_factory=list,
        description="Words that the model has not seen in training; they were scored as unknown.",
        examples=[[]],
    )
    model: ModelGiven


class ProblemGiven(_Answered):
    """What is wrong with a field. It never holds the value."""

    field: str = Field(examples=[_BOUNDED])
    rule: str = Field(examples=[f"must be {RowRules().bounds_of(_BOUNDED)}"])


class ErrorGiven(_Answered):
    """Why a request, or a row of it, has no answer."""

    code: str = Field(description="For programs.", examples=["invalid_customer"])
    message: str = Field(
        description="For a person.",
        examples=["The customer cannot be scored: 1 of its fields breaks a rule."],
    )
    problems: list[ProblemGiven] = Field(description="Field by field.")


class ErrorAnswer(_Answered):
    """A request without an answer."""

    error: ErrorGiven


class RowAnswer(_Answered):
    """One row of many: the prediction, or the error."""

    row: int = Field(description="The row's place in the request, from 0.")
    prediction: PredictionAnswer | None = None
    error: ErrorGiven | None = None


class PredictionsAnswer(_Answered):
    """The rows' answers, in their order."""

    request_id: str
    answered: int = Field(description="Rows with a prediction.")
    refused: int = Field(description="Rows with an error.")
    results: list[RowAnswer]


class ModelAnswer(_Answered):
    """The model that serves now."""

    tag: str
    base_dt: str
    version: str
    registered_model: str
    mlflow_run_id: str
    data_fingerprint: str
    package_sha256: str
    serving_since: str
    classes: list[str] = Field(description="From worst to best.")
    protected: list[str] = Field(description="The features that the bank marks as protected.")
    class_rule: Literal["highest_score", "expected_utility"] = Field(
        description="How the class follows: the highest raw score, or the highest expected utility"
        " by the calibrated probabilities."
    )
    utility: str | None = Field(
        description="What that rule was chosen for: macro_f1, accuracy or expected_cost; null for"
        " the highest score."
    )
    features: dict[str, Any] = Field(description="The schema of a customer, as in OpenAPI.")
    details: dict[str, Any] = Field(description="Metrics, versions and card of the model.")


def answer_of(prediction: Prediction) -> dict[str, Any]:
    """A `PredictionAnswer`, as JSON takes it, of a new prediction or of one from the log.

    It is no object of that class, which takes longer to make than the model takes to answer.
    """
    return {
        "request_id": prediction.request_id,
        schema.CUSTOMER: prediction.customer_id,
        "feature_date": prediction.feature_date,
        schema.TARGET: prediction.credit_score,
        "is_most_probable": prediction.is_most_probable,
        "probabilities": prediction.probabilities,
        "reasons": prediction.reasons,
        "compliance_flags": prediction.compliance_flags,
        "warnings": prediction.warnings,
        "model": {
            "tag": prediction.model_tag,
            "base_dt": prediction.base_dt,
            "version": prediction.registered_version or "",
        },
    }


def model_answer(model: ServedModel, details: Mapping[str, Any]) -> ModelAnswer:
    """What GET /model says."""
    identity = model.identity
    return ModelAnswer(
        tag=identity.bentoml_tag,
        base_dt=identity.base_dt,
        version=identity.registered_version,
        registered_model=identity.registered_model,
        mlflow_run_id=identity.mlflow_run_id,
        data_fingerprint=identity.data_fingerprint,
        package_sha256=identity.package_sha256,
        serving_since=model.since.isoformat(timespec="seconds"),
        classes=model.scorer.classes,
        protected=model.scorer.protected,
        class_rule=model.data.class_rule,
        utility=model.data.utility.metric.value if model.data.utility else None,
        features=model.contract.json_schema(),
        details=dict(details),
    )
