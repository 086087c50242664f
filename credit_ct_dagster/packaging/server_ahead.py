"""The server that validates a package is started before there is a package."""

import dagster as dg

from credit_ct_dagster.decisions.promotions import Promotions

_VALIDATING_STEP = "champion_model"


def start_server_ahead(context: dg.AssetExecutionContext, promotions: Promotions) -> None:
    """Start it if the gate decides in the same run, unless it has been started.

    Its imports take as long as everything between the search and the gate. Before the search they
    cost nothing: one core is idle while the first steps import and prepare. Where every step has a
    process of its own, it ends with the step, and the gate starts another one.
    """
    if context.job_def.has_node_named(_VALIDATING_STEP):
        promotions.validation.start_ahead()
