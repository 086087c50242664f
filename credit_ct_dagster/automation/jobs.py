"""What runs together, and how."""

from typing import Any

import dagster as dg

from credit_ct_dagster.runs.model_runs import MODEL_TAG
from credit_ct_dagster.runs.purposes import (
    CONTINUOUS_TRAINING,
    CUSTOMER_SCORES,
    LABELLED_ASSETS,
    MATURING_LABELS,
    MONITORING,
    MONITORING_ASSETS,
    TRAINING_ASSETS,
)

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


def monitoring_job(model_name: str) -> Any:  # Dagster does not publish the type
    """The job that looks at what was served on a day; its runs are tagged like those above."""
    return dg.define_asset_job(
        MONITORING,
        selection=dg.AssetSelection.assets(*MONITORING_ASSETS),
        tags={MODEL_TAG: model_name},
        description="What was served on one day, compared with the feature store, with labels as"
        " far as they have arrived, and with the model before; and how the champion does.",
    )


def maturing_labels_job(model_name: str) -> Any:  # Dagster does not publish the type
    """The job that measures a day again when labels of its answers have arrived.

    It leaves the rest of the day as it is: nobody is alerted again of a day that is over.
    """
    return dg.define_asset_job(
        MATURING_LABELS,
        selection=dg.AssetSelection.assets(*LABELLED_ASSETS),
        tags={MODEL_TAG: model_name},
        description="The performance of the answers of one day, again with the labels that have"
        " arrived since.",
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
