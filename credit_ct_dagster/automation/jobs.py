"""What runs together, and how."""

from typing import Any

import dagster as dg

from credit_ct_dagster.runs.model_runs import MODEL_TAG

TRAINING_ASSETS = [
    "features_target",
    "preprocessed_splits",
    "robust_scalers",
    "tuned_runs",
    "bentoml_model",
    "champion_model",
    "model_card",
]
"""What the main job materializes, in order. A new asset belongs to training only if it is here."""

CONTINUOUS_TRAINING = "continuous_training"
"""The name of the main job."""

CUSTOMER_SCORES = "customer_scores_job"
"""The name of the job that scores customers."""

_IN_PROCESS = "in_process"


def continuous_training_job(model_name: str) -> Any:  # Dagster does not publish the type
    """The main job; its runs are tagged with the name of the model."""
    return dg.define_asset_job(
        CONTINUOUS_TRAINING,
        selection=dg.AssetSelection.assets(*TRAINING_ASSETS),
        tags={MODEL_TAG: model_name},
        description="One base date, from the two source tables to a packaged model and its model"
        " card.",
    )


def customer_scores_job(model_name: str) -> Any:  # Dagster does not publish the type
    """The job that scores the customers of a base date; its runs are tagged like those above."""
    return dg.define_asset_job(
        CUSTOMER_SCORES,
        selection=dg.AssetSelection.assets("customer_scores"),
        tags={MODEL_TAG: model_name},
        description="The customers of one base date, scored by the champion.",
    )


@dg.configured(
    dg.multi_or_in_process_executor,
    config_schema=dg.Field(
        dg.Selector(
            {
                _IN_PROCESS: dg.Field({}, default_value={}),
                "multiprocess": dg.Field(
                    {"max_concurrent": dg.Field(dg.Int, default_value=2)}, default_value={}
                ),
            }
        ),
        default_value={_IN_PROCESS: {}},
        description="in_process (the steps form a chain, and a process per step costs seconds of"
        " imports) or multiprocess",
    ),
)
def executor(config: dict) -> dict:
    """Steps in one process unless the run is configured otherwise."""
    return config
