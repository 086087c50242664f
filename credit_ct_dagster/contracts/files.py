"""The folders and files of the artifacts: every name, once.

`{model_name}` and `{base_dt}` are replaced by the IO manager, in folders and in file names. A table
is named `.parquet` here; an IO manager that is configured for CSV writes `.csv` in its place.
"""

PREPROCESSING_FOLDER = "preprocessing/{model_name}/{base_dt}"
SCALERS_FOLDER = f"{PREPROCESSING_FOLDER}/encoders"
MODEL_FOLDER = "models/{model_name}/{base_dt}"
DECISIONS_FOLDER = "promotions/{model_name}"
SCORES_FOLDER = "scores/{model_name}/{base_dt}"
MONITORING_FOLDER = "monitoring/{model_name}/{base_dt}"
FOLDERS_WITH_ROWS = (PREPROCESSING_FOLDER, SCORES_FOLDER, MONITORING_FOLDER)
"""Those with rows of customers, which only the platform's own user may read."""

SPLITS = ["train", "val", "holdout"]
SPLIT_FILES = {name: "{model_name}_" + f"{name}.parquet" for name in SPLITS}
SPLITS_SUMMARY_FILE = "summary.json"
MERGED_ROWS_FILE = "features_target.parquet"
QUARANTINE_FILE = "quarantine.parquet"
SCALERS_FILE = "robust_scaler.json"
SCALERS_FOR_OTHERS_FILE = "robust_scaler.joblib"
"""For other consumers: it is pickled, so the platform itself never reads it."""

TRIALS_FILE = "trials.parquet"
BEST_MODEL_FILE = "best.cbm"
SEARCH_SUMMARY_FILE = "summary.json"
DECISION_FILE = "decision.json"
DRIFT_FILE = "drift.json"
LINEAGE_FILE = "lineage.json"
ASSESSMENT_FILE = "assessment.json"
SCORES_SUMMARY_FILE = "summary.json"
MODEL_CARD_FILE = "model_card.html"

SERVED_PERFORMANCE_FILE = "served_performance.json"
PERFORMANCE_PAGE_FILE = "served_performance.html"
PERFORMANCE_TABLE_FILE = "served_performance.parquet"
ESTIMATED_PERFORMANCE_FILE = "estimated_performance.json"
SERVING_SKEW_FILE = "serving_skew.json"
SHADOW_SCORES_FILE = "shadow_scores.parquet"
PROBATION_FILE = "probation.json"
HEALTH_FILE = "health.json"
HEALTH_PAGE_FILE = "health.html"

GOLDEN_FILE = "golden.json"
"""Inside every package."""


def numbered_decision_file(number: int) -> str:
    """The file of a decision in `DECISIONS_FOLDER`; their names sort as their numbers do."""
    return f"{number:06d}.json"
