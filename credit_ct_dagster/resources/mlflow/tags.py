"""The names under which the platform writes tags, metrics and models in MLflow, once."""

RUN_NAME_TAG = "mlflow.runName"
"""MLflow's own: the name of a run."""

NOTE_TAG = "mlflow.note.content"
"""MLflow's own: the description of a run or an experiment, as Markdown."""

IN_PROGRESS = "It is in progress."
"""How the description of a search ends until it has a result, or has failed."""

BASE_DATE_TAG = "credit_ct.base_dt"
"""Base date, of a trial and its parent."""

DAGSTER_RUN_TAG = "credit_ct.dagster_run_id"
"""The Dagster run that fitted a trial."""

FINGERPRINT_TAG = "credit_ct.data_fingerprint"
"""Hash of the merged rows."""

SEARCH_TAG = "credit_ct.search"
"""The search that a trial belongs to, through all its attempts."""

TRIAL_TAG = "credit_ct.trial"
"""The number of a trial in its search."""

BEST_TAG = "credit_ct.best"
"""Marks the run of the best trial."""

BEST_RUN_TAG = "credit_ct.best_run_id"
"""On a parent: the run of the best trial. A parent without it has failed."""

STATE_TAG = "credit_ct.state"
"""How a trial ended: completed, pruned or failed. MLflow shows one that was pruned as finished."""

REASON_TAG = "credit_ct.reason"
"""Why a run was pruned, failed or was ended."""

PARENT_DAGSTER_RUN_TAG = "dagster_run_id"
"""dagster-mlflow's own tag, by which it finds its run again; no other run may carry it."""

VERSION_TAG_PREFIX = "credit_ct."
"""Registered versions carry the fields of a `ModelIdentity` as tags with this prefix."""

CURVE_METRIC = "val_minimised_loss"
"""The loss of a trial on validation rows after each tree: the one that CatBoost minimises, by its
parameter `loss_function`. It is not on the scale of `val_log_loss`."""

EARLIER_CURVE_METRIC = "validation_loss"
"""What earlier releases called it."""

MODEL = "model"
"""The name of a trial's model in its run."""

MODEL_FILE = "model.cb"
"""CatBoost's file in the folder of a model."""

SCORER = "scorer"
"""The name of the registered model in the run of its trial: the package, which takes raw rows."""

CONTENT_TAG = "credit_ct.scorer_sha256"
"""The hash of the package, on a registered model and its versions; earlier releases had none."""


def search_name(base_dt: str) -> str:
    """The name of the run of a search."""
    return f"{base_dt}, search"


def trial_name(base_dt: str, number: int) -> str:
    """The name of the run of a trial."""
    return f"{base_dt}, trial {number}"
