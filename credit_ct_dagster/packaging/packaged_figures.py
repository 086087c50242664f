"""How good the classes and probabilities of a package are, measured before it is saved; shown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.metadata.tables import counts_table, rounded, shown_table, table_of
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.model_policy import ModelPolicy

# What scores and judges is imported where it is used: it takes seconds.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.modeling.answers.class_weights import ChosenRule
    from credit_ct_dagster.scorer.scorer import Scorer


_SHOWN = {
    "val_accuracy": "val_accuracy",
    "holdout_accuracy": "holdout_accuracy",
    "holdout_macro_f1": "holdout_macro_f1",
    "holdout_log_loss": "holdout_log_loss_calibrated",
}
"""Of the figures of a package, those that its materialization shows, and under which names: the
log-loss of a search is that of raw scores."""


def figures_of_package(
    scorer: "Scorer", record: PackageRecord, raw: "Mapping[str, pd.DataFrame]"
) -> dict[str, float]:
    """Metrics of the classes and probabilities that a package gives.

    They differ from those of the search, which measures the class of the highest raw score.

    Args:
        scorer: Of the package.
        record: Its facts.
        raw: The raw rows of its base date, per split: `val` and `holdout`.

    Returns:
        `val_accuracy`, `holdout_accuracy` and so on, by the names of `evaluation.metrics_of`;
        nothing of the validation rows if the model was fitted to them, nor of a holdout without a
        customer that it has not seen.
    """
    from credit_ct_dagster.modeling.judging.evaluation import metrics_of
    from credit_ct_dagster.modeling.rows.splitting import pooled_holdout

    rows = {"holdout": pooled_holdout([raw["holdout"]], [record.seen_share])}
    if not record.refitted:
        rows = {"val": raw["val"]} | rows
    found: dict[str, float] = {}
    for split, of_split in rows.items():
        if not of_split.empty:
            scored = scorer.score_rows(of_split)
            metrics = metrics_of(of_split, scored.classes, scored.probabilities)
            found |= {f"{split}_{name}": value for name, value in metrics.items()}
    return found


def shown_figures(figures: Mapping[str, float]) -> dict[str, float | None]:
    """The figures that the materialization shows; the UI plots them over the base dates."""
    return {shown: rounded(figures[name]) for name, shown in _SHOWN.items() if name in figures}


def shown_calibration(record: PackageRecord) -> dict[str, Any]:
    """How probabilities are calibrated, as the materialization shows it; the best way first."""
    rows = [
        {"calibration": name, "log_loss": rounded(loss)}
        for name, loss in sorted(record.log_loss_per_calibration.items(), key=lambda each: each[1])
    ]
    return {
        "calibration": record.calibration_sentence,
        **shown_table("log_loss_per_calibration", rows, "the package"),
        "calibrated_on": record.calibrated_on,
    }


def shown_rule(rule: "ChosenRule", policy: ModelPolicy) -> dict[str, Any]:
    """The class rule, as the materialization shows it."""
    shown: dict[str, Any] = {
        "class_rule": f"{rule.data.rule} for {policy.utility.value}"
        if policy.chosen_for
        else rule.data.rule
    }
    if rule.weights:
        weights = [row[place] for place, row in enumerate(rule.data.gains)]
        named = {
            name: rounded(weight) for name, weight in zip(schema.CLASSES, weights, strict=True)
        }
        shown["class_weights"] = table_of([named])
        shown["class_weights_chosen"] = rule.weights
    if rule.macro_f1:
        shown |= counts_table("macro_f1_per_rule", "rule", rule.macro_f1, "the package", "macro_f1")
    return shown
