"""What the bank declares once about every model: its utility, and the features that it may use."""

from typing import Literal, Self

import dagster as dg
from pydantic import Field, model_validator

from credit_ct_dagster.contracts.utility import DEFAULT_COSTS, Metric, Utility
from credit_ct_dagster.modeling import schema


class ModelPolicy(dg.ConfigurableResource):
    """What holds for every model. It comes from the environment, and no run can change it."""

    utility: Metric = Field(
        default=Metric.macro_f1,
        description="What the class of an answer is chosen for, and what the gate compares models"
        " by: macro_f1 (the default: each class counts the same), accuracy or expected_cost",
    )
    cost_matrix: list[list[float]] = Field(
        default=[list(row) for row in DEFAULT_COSTS],
        description="Cost of each kind of error, for expected_cost: rows are true classes, columns"
        " predicted ones, in the order Poor, Standard, Good. The default weighs a Poor customer who"
        " is taken for Good the most",
    )
    class_rule: Literal["utility", "highest_score"] = Field(
        default="utility",
        description="Derives the class from the calibrated probabilities, for the utility; or takes"
        " the highest raw score, as the bank's first pipeline did",
    )
    excluded_features: list[str] = Field(
        default=[],
        description="Features that no model is trained on. They stay in the rows, and customers are"
        " still grouped by them",
    )
    protected_features: list[str] = Field(
        default=["age"],
        description="Features that the bank marks as protected (12 CFR 1002.6(b)(2) limits the use"
        " of age). A reason that rests on one of them is given, and raises a compliance flag",
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        _ = self.declared  # a cost matrix of another shape is refused here
        for name in ("excluded_features", "protected_features"):
            unknown = sorted(set(getattr(self, name)) - set(schema.FEATURES))
            if unknown:
                raise ValueError(f"{name} names {', '.join(unknown)}: not a feature")
        kept = set(self.features)
        for kind, named in (("number", schema.NUMERIC), ("word", schema.WORDS)):
            if not kept & set(named):
                raise ValueError(f"excluded_features leaves no {kind} to train on")
        return self

    @property
    def declared(self) -> Utility:
        """The utility, as records hold it."""
        return Utility(metric=self.utility, costs=self.cost_matrix)

    @property
    def features(self) -> list[str]:
        """What a model is trained on, in the order of the schema."""
        return [name for name in schema.FEATURES if name not in self.excluded_features]
