"""How good the classes and the probabilities of a package are, measured before it is saved."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.package import PackageRecord

# What scores and judges is imported where it is used: it takes seconds.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.scorer.scorer import Scorer


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
