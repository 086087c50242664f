"""What must hold of the splits of a base date."""

from itertools import combinations
from math import sqrt
from statistics import median

import dagster as dg
from pydantic import Field, field_validator

from credit_ct_dagster.checks.results import base_date_of, result
from credit_ct_dagster.contracts.files import (
    PREPROCESSING_FOLDER,
    QUARANTINE_FILE,
    SPLIT_FILES,
    SPLITS,
)
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema

_ASSET = "preprocessed_splits"
_STANDARD_ERRORS = 4
"""By how many standard errors a share differs by chance once in 16,000 base dates."""


class SharesConfig(dg.Config):
    """How far splits may differ from what was configured."""

    max_deviation: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Fails the check when the share of rows of a split differs by more than this"
        " from the configured one, 0 to 1, beyond what chance explains for so many customers. A"
        " customer has few rows in a month, so that shares of rows and of customers agree",
    )


class CustomerConfig(dg.Config):
    """How many rows one customer may have."""

    max_customer_share: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Fails the check when one customer has a larger share of the merged rows, 0 to"
        " 1. A customer has a row or two in a month; 5 % of the smallest window are ten",
    )


class ValuesConfig(dg.Config):
    """Which columns may be empty."""

    min_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Fails the check when a column has values in a smaller share of its rows than"
        " this share of the median of earlier base dates, 0 to 1. Half of the usual values means"
        " that a delivery lacks them",
    )
    last_base_dates: int = Field(
        default=7,
        ge=0,
        description="Compares with this many earlier base dates, 0 or more; 0 compares with none."
        " A week evens out single days",
    )
    may_be_empty: list[str] = Field(
        default_factory=list,
        description="Columns that the check passes over, such as a new feature that the source does"
        " not deliver yet",
    )

    @field_validator("may_be_empty")
    @classmethod
    def _known_columns(cls, names: list[str]) -> list[str]:
        unknown = set(names) - set(schema.FEATURES)
        if unknown:
            raise ValueError(f"may_be_empty names {', '.join(sorted(unknown))}: not a feature")
        return names


@dg.asset_check(
    asset=_ASSET,
    blocking=True,
    description="The share of rows that break a rule is within max_quarantined_share.",
)
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
            f" The limit is {quarantine.max_share:.2%} (max_quarantined_share). The rows are in"
            f" {QUARANTINE_FILE} of {folder.path}: correct them in the source tables, then run this"
            " base date again."
        )
    return result(
        context,
        passed=passed,
        observed=quarantine.share,
        limit=quarantine.max_share,
        sentence=sentence,
        rows_per_rule=dg.MetadataValue.json(dict(quarantine.per_rule)),
    )


@dg.asset_check(
    asset=_ASSET, blocking=True, description="Every split has labels of all three classes."
)
def labels_hold_three_classes(
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
    sentence = "every split has labels of all three classes."
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
        named = ", ".join(f"{count} in {pair}" for pair, count in shared.items() if count)
        sentence = (
            f"customers are in two splits: {named}. Materialize preprocessed_splits again for this"
            " base date."
        )
    return result(context, passed=not total, observed=total, limit=0, sentence=sentence)


@dg.asset_check(
    asset=_ASSET,
    blocking=True,
    description="The splits have the shares of the rows that were configured.",
)
def splits_have_their_shares(
    context: dg.AssetCheckExecutionContext,
    config: SharesConfig,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
) -> dg.AssetCheckResult:
    """Compare the rows per split with the configuration of the run that made them."""
    summary = artifacts.open(PREPROCESSING_FOLDER, base_date_of(context)).read(SplitsSummary)
    rows, customers = sum(summary.rows.values()), sum(summary.customers.values())
    deviations, limits = {}, {}
    for name, share in summary.shares.items():
        deviations[name] = abs(summary.rows[name] / rows - share)
        chance = _STANDARD_ERRORS * sqrt(share * (1 - share) / customers)
        limits[name] = config.max_deviation + chance
    named = ", ".join(
        f"{name} {summary.rows[name]:,} ({summary.rows[name] / rows:.1%}, configured {share:.1%})"
        for name, share in summary.shares.items()
    )
    worst = max(deviations, key=lambda name: deviations[name] - limits[name], default=None)
    passed = worst is None or deviations[worst] <= limits[worst]
    sentence = f"rows per split: {named}."
    if not passed:
        sentence += (
            f" The share of {worst} may differ by {limits[str(worst)]:.1%}. Some customers have far"
            " more rows than others: look for a placeholder in customer_id, correct the source"
            " tables, then run this base date again."
        )
    return result(
        context,
        passed=passed,
        observed=deviations[worst] if worst else 0.0,
        limit=limits[worst] if worst else config.max_deviation,
        sentence=sentence,
    )


@dg.asset_check(asset=_ASSET, blocking=True, description="No single customer has many of the rows.")
def no_customer_dominates(
    context: dg.AssetCheckExecutionContext,
    config: CustomerConfig,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
) -> dg.AssetCheckResult:
    """Compare the rows of the customer with most of them with all merged rows."""
    summary = artifacts.open(PREPROCESSING_FOLDER, base_date_of(context)).read(SplitsSummary)
    total = sum(summary.rows.values()) + summary.quarantine.rows
    share = summary.largest_customer_rows / total
    passed = share <= config.max_customer_share
    sentence = (
        f"the customer with most rows has {summary.largest_customer_rows:,} of {total:,}"
        f" ({share:.1%})."
    )
    if not passed:
        sentence += (
            f" The limit is {config.max_customer_share:.1%} (max_customer_share). Look for a"
            " placeholder in customer_id, correct the source tables, then run this base date again."
        )
    return result(
        context, passed=passed, observed=share, limit=config.max_customer_share, sentence=sentence
    )


@dg.asset_check(
    asset=_ASSET,
    blocking=True,
    description="Every feature has values, and in about as many rows as on earlier base dates.",
)
def columns_have_values(
    context: dg.AssetCheckExecutionContext,
    config: ValuesConfig,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
) -> dg.AssetCheckResult:
    """Compare the share of rows with a value, per feature, with earlier base dates."""
    base_dt = base_date_of(context)
    present = artifacts.open(PREPROCESSING_FOLDER, base_dt).read(SplitsSummary).present
    usual = _usually_present(artifacts, base_dt, config.last_base_dates)
    too_few = {
        name: share
        for name, share in present.items()
        if name not in config.may_be_empty
        and (not share or share < config.min_share * usual.get(name, 0.0))
    }
    sentence = "every feature has values."
    if too_few:
        named = "; ".join(
            f"{name} has a value in {share:.1%} of the rows"
            + (f" (usually {usual[name]:.1%})" if name in usual else "")
            for name, share in too_few.items()
        )
        sentence = (
            f"{named}. Load the values that are missing, then run this base date again; or, if they"
            " are rightly empty, name the columns in may_be_empty."
        )
    return result(
        context,
        passed=not too_few,
        observed=len(too_few),
        limit=0,
        sentence=sentence,
        share_with_value=dg.MetadataValue.json(dict(present)),
        usual_share_with_value=dg.MetadataValue.json(usual),
    )


def _usually_present(artifacts: ArtifactsIOManager, base_dt: str, last: int) -> dict[str, float]:
    """Per feature, the median share of rows with a value on the newest earlier base dates."""
    folders = [folder for day, folder in artifacts.open_all(PREPROCESSING_FOLDER) if day < base_dt]
    shares: dict[str, list[float]] = {}
    for folder in folders[-last:] if last else []:
        try:
            present = folder.read(SplitsSummary).present
        except CreditCtError:  # a damaged base date is no reason to stop another one
            continue
        for name, share in present.items():
            shares.setdefault(name, []).append(share)
    return {name: median(each) for name, each in shares.items()}
