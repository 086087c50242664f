"""The model that this code location trains."""

import dagster as dg
from pydantic import Field

from credit_ct_dagster.runs.model_runs import ModelRuns


class TrainedModel(dg.ConfigurableResource):
    """The name of the model, which distinguishes its runs from those of other models."""

    name: str = Field(description="MODEL_NAME: folder, MLflow experiment and BentoML tag name")

    def runs_on(self, instance: dg.DagsterInstance) -> ModelRuns:
        """The runs of the model on an instance."""
        return ModelRuns(instance, self.name)
