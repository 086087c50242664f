"""What the bank declares once about every model: its utility, and the features that it may use."""

from typing import Literal

import dagster as dg
from pydantic import Field, field_validator

from credit_ct_dagster.contracts.utility import Metric, Utility, require_costs
from credit_ct_dagster.modeling import schema


class ModelPolicy(dg.ConfigurableResource):
    """What holds for every model. It comes from the environment, and no run can change it."""

    utility: Metric = Field(
        default=Metric.macro_f1,
        description="What the class of an answer is chosen for, and what the gate compares models"
        " by: macro_f1 (the default: each class counts the same), accuracy or expected_cost",
    )
    cost_matrix: list[list[float]] = Field(
        default=schema.COSTS,
        description="Cost of each kind of error, for expected_cost: rows are true classes, columns"
        f" predicted ones, in the order {', '.join(schema.CLASSES)}",
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
        default=schema.PROTECTED,
        description="Features that the bank marks as protected (12 CFR 1002.6(b)(2) limits the use"
        " of age). A reason that rests on one of them is given, and raises a compliance flag",
    )

    @field_validator("cost_matrix")
    @classmethod
    def _reasonable(cls, costs: list[list[float]]) -> list[list[float]]:
        require_costs(costs, schema.CLASSES)
        return costs

    @field_validator("excluded_features", "protected_features")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        unknown = sorted(set(names) - set(schema.FEATURES))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not a feature")
        return names

    @field_validator("excluded_features")
    @classmethod
    def _some_remain(cls, names: list[str]) -> list[str]:
        for kind, features in (("number", schema.NUMERIC), ("category or text", schema.WORDS)):
            if set(features) <= set(names):
                raise ValueError(f"leaves no {kind} to train on")
        return names

    @property
    def declared(self) -> Utility:
        """The utility, as records hold it."""
        return Utility(metric=self.utility, costs=self.cost_matrix)

    @property
    def chosen_for(self) -> Utility | None:
        """What the class of an answer is chosen for; None: it is that of the highest raw score."""
        return self.declared if self.class_rule == "utility" else None

    @property
    def features(self) -> list[str]:
        """What a model is trained on, in the order of the schema."""
        return [name for name in schema.FEATURES if name not in self.excluded_features]
