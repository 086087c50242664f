"""What runs together, and how."""

import dagster as dg

_IN_PROCESS = "in_process"

continuous_training_job = dg.define_asset_job(
    "continuous_training",
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.assets("credit_score", "credit_score_features"),
    description="One base date, from the two source tables to a packaged model.",
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
    """Steps in one process unless the run says otherwise."""
    return config
