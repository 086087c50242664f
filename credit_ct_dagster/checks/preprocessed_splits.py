"""What must hold of the splits of a base date."""

from itertools import combinations

import dagster as dg

from credit_ct_dagster.checks.results import base_date_of, needs_base_date, result
from credit_ct_dagster.contracts.files import (
    PREPROCESSING_FOLDER,
    QUARANTINE_FILE,
    SPLIT_FILES,
    SPLITS,
)
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.metadata.tables import counts_table, table_of
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.rounding import told_apart

_ASSET = "preprocessed_splits"


@dg.asset_check(
    asset=_ASSET,
    blocking=True,
    description="The share of rows that break a rule is within max_quarantined_share.",
)
@needs_base_date
def quarantine_is_within_limit(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read how many rows were quarantined."""
    folder = artifacts.open(PREPROCESSING_FOLDER, base_date_of(context))
    quarantine = folder.read(SplitsSummary).quarantine
    passed = quarantine.share <= quarantine.max_share
    sentence = quarantine.sentence
    if not passed:
        sentence += (
            f" The limit is {told_apart('.2%', quarantine.max_share, quarantine.share)}"
            f" (max_quarantined_share). The rows are in {QUARANTINE_FILE} of {folder.path}:"
            " correct them in the source tables, then run this base date again."
        )
    return result(
        context,
        passed=passed,
        observed=quarantine.share,
        limit=quarantine.max_share,
        sentence=sentence,
        **counts_table("rows_per_rule", "rule", quarantine.per_rule, SplitsSummary.FILE),
    )


@dg.asset_check(asset=_ASSET, blocking=True, description="Every split has labels of all classes.")
@needs_base_date
def labels_hold_all_classes(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read how many labels of each class every split has."""
    folder = artifacts.open(PREPROCESSING_FOLDER, base_date_of(context))
    labels = {split: dict(n) for split, n in folder.read(SplitsSummary).labels.items()}
    absent = [
        f"{split} has no label {name}"
        for split in SPLITS
        for name, count in labels[split].items()
        if not count
    ]
    sentence = "every split has labels of all classes."
    if absent:
        sentence = (
            f"{'; '.join(absent)}. Check the labels of this window and load those that are missing,"
            " then run this base date again."
        )
    fewest = min(count for per_class in labels.values() for count in per_class.values())
    return result(
        context,
        passed=not absent,
        observed=fewest,
        limit=1,
        sentence=sentence,
        labels=table_of([{"split": split, **counts} for split, counts in labels.items()]),
    )


@dg.asset_check(
    asset=_ASSET, blocking=True, description="No customer is in two splits of this base date."
)
@needs_base_date
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
        named = ", ".join(f"{count} in {pair}" for pair, count in shared.items() if count)
        sentence = (
            f"customers are in two splits: {named}. Materialize preprocessed_splits again for this"
            " base date."
        )
    return result(context, passed=not total, observed=total, limit=0, sentence=sentence)
