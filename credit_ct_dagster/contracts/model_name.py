"""The name of the model that a process trains and serves (MODEL_NAME)."""

DEFAULT_MODEL_NAME = "credit_score_classification"
