"""What no single row shows: shares of the splits, of one customer, and of rows with a value."""

from math import sqrt
from statistics import median

import dagster as dg
from pydantic import Field, field_validator

from credit_ct_dagster.checks.results import base_date_of, needs_base_date, result
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.metadata.tables import rounded, shown_table
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster.rounding import told_apart

_ASSET = "preprocessed_splits"
_STANDARD_ERRORS = 4
"""By how many standard errors a share differs by chance once in 16,000 base dates."""
_ROWS_OF_A_CUSTOMER = 10
"""So many do not dominate, however few the rows are: in a split of 30 rows, two are 7 %."""


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
        description="Fails the check when one customer has a larger share of the merged rows, or of"
        " a split, 0 to 1, and more than ten rows. A customer has a row or two in a month",
    )


class ValuesConfig(dg.Config):
    """Which columns may be empty."""

    min_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Fails the check when a column has values in a smaller share of its rows than"
        " this share of the median of earlier base dates, 0 to 1, or in the last week than before"
        " it. Half of the usual values means that a delivery lacks them",
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
    description="The splits have the shares of the rows that were configured.",
)
@needs_base_date
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
        f"{name} {summary.rows[name]:,} ({told_apart('.1%', summary.rows[name] / rows, share)},"
        f" configured {told_apart('.1%', share, summary.rows[name] / rows)})"
        for name, share in summary.shares.items()
    )
    worst = max(deviations, key=lambda name: deviations[name] - limits[name], default=None)
    passed = worst is None or deviations[worst] <= limits[worst]
    sentence = f"rows per split: {named}."
    if not passed:
        sentence += (
            f" The share of {worst} may differ by {limits[str(worst)]:.1%}. Some customers have far"
            f" more rows than others: look for a placeholder in {schema.CUSTOMER}, correct the"
            " source tables, then run this base date again."
        )
    return result(
        context,
        passed=passed,
        observed=deviations[worst] if worst else 0.0,
        limit=limits[worst] if worst else config.max_deviation,
        sentence=sentence,
    )


@dg.asset_check(
    asset=_ASSET,
    blocking=True,
    description="No single customer has many of the rows, altogether or in a split.",
)
@needs_base_date
def no_customer_dominates(
    context: dg.AssetCheckExecutionContext,
    config: CustomerConfig,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
) -> dg.AssetCheckResult:
    """Compare the rows of the customer with most of them with all rows, and in each split."""
    summary = artifacts.open(PREPROCESSING_FOLDER, base_date_of(context)).read(SplitsSummary)
    merged = sum(summary.rows.values()) + summary.quarantine.rows
    most = {"merged": (summary.largest_customer_rows, merged)}
    # A customer is on one side only, where its share is several times as large.
    most |= {name: (n, summary.rows[name]) for name, n in summary.largest_customer_rows_of.items()}
    too_many = [name for name, (n, _) in most.items() if n > _ROWS_OF_A_CUSTOMER]
    shares = {name: n / total for name, (n, total) in most.items()}
    worst = max(too_many or ["merged"], key=lambda name: shares[name])
    passed = not too_many or shares[worst] <= config.max_customer_share
    rows, total = most[worst]
    limit = config.max_customer_share
    share = f"{rows:,} of {total:,} ({told_apart('.1%', shares[worst], limit)})"
    sentence = f"the customer with most of the {worst} rows has {share}."
    if not passed:
        sentence += (
            f" The limit is {told_apart('.1%', limit, shares[worst])} (max_customer_share). Look"
            f" for a placeholder in {schema.CUSTOMER}, correct the source tables, then run this"
            " base date again."
        )
    return result(
        context,
        passed=passed,
        observed=shares[worst],
        limit=limit,
        sentence=sentence,
    )


@dg.asset_check(
    asset=_ASSET,
    blocking=True,
    description="Every feature that models are trained on has values, and in about as many rows as"
    " on earlier base dates and as before the last week.",
)
@needs_base_date
def columns_have_values(
    context: dg.AssetCheckExecutionContext,
    config: ValuesConfig,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    policy: ModelPolicy,
) -> dg.AssetCheckResult:
    """Compare the share of rows with a value, per feature, with base dates and weeks before."""
    base_dt = base_date_of(context)
    summary = artifacts.open(PREPROCESSING_FOLDER, base_dt).read(SplitsSummary)
    usual = _usually_present(artifacts, base_dt, config.last_base_dates)
    may_be_empty = {*config.may_be_empty, *policy.excluded_features}  # no model is trained on these
    watched = [name for name in summary.present if name not in may_be_empty]
    found = {}
    for name in watched:
        share = summary.present[name]
        if not share or share < config.min_share * usual.get(name, 0.0):
            others = [usual[name]] if name in usual else []
            found[name] = f"{name} has a value in {told_apart('.1%', share, *others)} of the rows"
            for each in others:
                found[name] += f" (usually {told_apart('.1%', each, share)})"
    before = _present_before_the_last_week(summary)
    for name in watched if before else ():
        assert summary.recent is not None  # what is before it was computed from it
        share, n = summary.recent.present[name], summary.recent.rows
        if name not in found and _is_lower(share, before[name], n, config.min_share):
            found[name] = (
                f"{name} has a value in {told_apart('.1%', share, before[name])} of the {n:,} rows"
                f" since {summary.recent.since} ({told_apart('.1%', before[name], share)} before)"
            )
    sentence = "every feature has values."
    if not usual:
        sentence += " Not compared with earlier base dates: there are none to compare with."
    if found:
        sentence = (
            f"{'; '.join(found.values())}. Load the values that are missing, then run this base"
            " date again; or, if they are rightly empty, name the columns in may_be_empty."
        )
    return result(
        context,
        passed=not found,
        observed=len(found),
        limit=0,
        sentence=sentence,
        **shown_table(
            "share_with_value",
            [
                {
                    "feature": name,
                    "now": rounded(summary.present[name]),
                    "usually": rounded(usual.get(name)),
                    "before_the_last_week": rounded(before.get(name)),
                }
                for name in sorted(
                    summary.present, key=lambda name: (name not in found, summary.present[name])
                )
            ],
            SplitsSummary.FILE,
        ),
    )


def _present_before_the_last_week(summary: SplitsSummary) -> dict[str, float]:
    """Per feature, the share with a value among the rows of the window before its last week.

    Windows overlap by all days but one: what a delivery lacks shows in the newest rows for weeks
    before it does in the whole window, and the base dates of these weeks lack it as well.
    """
    recent, rows = summary.recent, sum(summary.rows.values()) + summary.quarantine.rows
    if recent is None or recent.rows >= rows:
        return {}
    before = {
        name: (share * rows - recent.present[name] * recent.rows) / (rows - recent.rows)
        for name, share in summary.present.items()
    }
    return {name: min(max(share, 0.0), 1.0) for name, share in before.items()}


def _is_lower(share: float, before: float, rows: int, min_share: float) -> bool:
    """Whether a share lies below the limit, beyond what chance explains for so few rows."""
    chance = _STANDARD_ERRORS * sqrt(before * (1 - before) / rows)
    return share < min_share * before and share < before - chance


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
