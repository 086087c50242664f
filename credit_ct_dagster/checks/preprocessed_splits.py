"""What must hold of the splits of a base date."""

from itertools import combinations

import dagster as dg

from credit_ct_dagster.assets.preprocessed_splits import SPLITS_SUMMARY
from credit_ct_dagster.checks.results import base_date_of, result
from credit_ct_dagster.io_managers.artifacts import PREPROCESSING_FOLDER, ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.splitting import SPLIT_FILES, SPLITS

_ASSET = "preprocessed_splits"


@dg.asset_check(
    asset=_ASSET,
    blocking=True,
    description="No more rows break a rule than the configuration allows.",
)
def quarantine_is_within_limit(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read what was sorted out."""
    folder = artifacts.open(PREPROCESSING_FOLDER, base_date_of(context))
    quarantine = folder[SPLITS_SUMMARY]["quarantine"]
    share, limit = quarantine["share"], quarantine["max_share"]
    sentence = quarantine["sentence"]
    if share > limit:
        sentence += (
            f" At most {limit:.2%} may (max_quarantined_share). They are in quarantine.parquet of"
            f" {folder.path}: correct them in the source tables, then run this base date again."
        )
    return result(
        context,
        passed=share <= limit,
        observed=share,
        limit=limit,
        sentence=sentence,
        rows_per_rule=dg.MetadataValue.json(quarantine["per_rule"]),
    )


@dg.asset_check(
    asset=_ASSET, blocking=True, description="Every split has labels of all three classes."
)
def labels_hold_three_classes(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read how many labels each split has."""
    folder = artifacts.open(PREPROCESSING_FOLDER, base_date_of(context))
    labels = folder[SPLITS_SUMMARY]["labels"]
    absent = [
        f"{split} has no {name}" for split in SPLITS for name, n in labels[split].items() if not n
    ]
    sentence = "; ".join(absent) or "every split has labels of all three classes."
    if absent:
        sentence += ": check the labels of this window, and load those that are missing."
    fewest = min(count for per_class in labels.values() for count in per_class.values())
    return result(
        context,
        passed=not absent,
        observed=fewest,
        limit=1,
        sentence=sentence,
        labels=dg.MetadataValue.json(labels),
    )


@dg.asset_check(
    asset=_ASSET, blocking=True, description="No customer is in two splits of this base date."
)
def splits_share_no_customer(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Compare the customers of the three files."""
    folder = artifacts.open(PREPROCESSING_FOLDER, base_date_of(context))
    customers = {name: set(folder[SPLIT_FILES[name]][schema.CUSTOMER]) for name in SPLITS}
    shared = {
        f"{one} and {other}": len(customers[one] & customers[other])
        for one, other in combinations(SPLITS, 2)
    }
    total = sum(shared.values())
    sentence = "no customer is in two splits."
    if total:
        told = ", ".join(f"{count} in {pair}" for pair, count in shared.items() if count)
        sentence = f"customers are in two splits: {told}. Materialize preprocessed_splits again."
    return result(context, passed=not total, observed=total, limit=0, sentence=sentence)
