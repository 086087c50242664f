"""What a run is for: training a base date, scoring its customers, or monitoring what was served."""

import dagster as dg

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

LABELLED_ASSETS = ["served_performance", "estimated_performance"]
"""What says something else of a prediction day when labels of its answers arrive later."""

MONITORING_ASSETS = [
    "shadow_scores",
    *LABELLED_ASSETS,
    "serving_skew",
    "champion_probation",
    "champion_health",
]
"""What is known of a prediction day. Its partitions are days like base dates, and no base dates."""

CONTINUOUS_TRAINING = "continuous_training"
"""The name of the main job."""

CUSTOMER_SCORES = "customer_scores_job"
"""The name of the job that scores customers."""

MONITORING = "monitoring_job"
"""The name of the job that looks at what was served on a day."""

MATURING_LABELS = "maturing_labels_job"
"""The name of the job that looks again at a day of which further labels have arrived."""

TRIGGER_TAG = "credit_ct/trigger"
"""A tag of a run that trains because of what was found when the champion was watched: what."""

ROLLED_BACK = "rolled_back"
"""Metadata of a materialization by which the champion lost its place: why, in a sentence."""

PROMOTED_FROM_SHADOW = "promoted_from_shadow"
"""Metadata of one by which a challenger in the shadow took the champion's place: why, likewise."""

AWAITING_APPROVAL = "awaiting_approval"
"""Metadata of one by which a challenger waits for a person: the question, with its commands."""

_OTHER_JOBS = {CUSTOMER_SCORES, MONITORING, MATURING_LABELS}
_OTHER_ASSETS = {dg.AssetKey(name) for name in ("customer_scores", *MONITORING_ASSETS)}
_MONITORING = {dg.AssetKey(name) for name in MONITORING_ASSETS}


def trains(run: dg.DagsterRun) -> bool:
    """Whether a run may change what was trained for its base date.

    One that scores customers, or that monitors, does not; nor does one in which a person selected
    such assets, or checks, only.
    """
    selected = run.asset_selection
    if only_checks(run) or (selected and selected <= _OTHER_ASSETS):
        return False
    return is_training_job(run.job_name)


def only_checks(run: dg.DagsterRun) -> bool:
    """Whether a person executed checks by themselves."""
    return bool(run.asset_check_selection) and not run.asset_selection


def is_training_job(name: str) -> bool:
    """Whether a run of a job may train, as far as its name tells."""
    return name not in _OTHER_JOBS


def monitors(run: dg.DagsterRun) -> bool:
    """Whether a run only looks at what was served: its partition is a prediction day."""
    selected = run.asset_selection
    return run.job_name in (MONITORING, MATURING_LABELS) or bool(
        selected and selected <= _MONITORING
    )
