"""A model whose probabilities are calibrated on the rows of another base date."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.metadata.tables import rounded
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.rounding import told_apart

# What scores and judges is imported where it is used: it takes seconds.
if TYPE_CHECKING:
    import logging

    import pandas as pd

    from credit_ct_dagster.contracts.assessment import ProbabilityQuality
    from credit_ct_dagster.modeling.rows.preparation import Scalers
    from credit_ct_dagster.resources.bentoml_packages import Package, PackagedModel
    from credit_ct_dagster.scorer.scorer import Scorer


def rows_to_calibrate_on(
    base_dt: str, artifacts: ArtifactsIOManager, scalers: "Scalers", train: "pd.DataFrame"
) -> "tuple[pd.DataFrame, float]":
    """Validation rows of another base date as the model takes them, and its seen share.

    A customer is on the same side of the split on every base date, unless the shares of the splits
    were configured otherwise: customers that the model was fitted to are left out.
    """
    from credit_ct_dagster.modeling.rows.preparation import prepare

    rows = raw_rows(artifacts, base_dt, "val")
    rows = rows[~rows[schema.CUSTOMER].isin(train[schema.CUSTOMER].unique())]
    seen_share = artifacts.open(files.PREPROCESSING_FOLDER, base_dt).read(SplitsSummary).seen_share
    return prepare(rows.reset_index(drop=True), scalers), seen_share


def too_few(base_dt: str, calibrate_on: str) -> str:
    """That a calibration needs more rows, and what to do."""
    return (
        f"The model of base date {base_dt} was not calibrated on base date {calibrate_on}: of each"
        " class, validation rows of at least 10 customers are needed that the model was not fitted"
        " to. Choose a base date with more rows (calibrate_on), or leave calibrate_on out."
    )


@dataclass(frozen=True)
class Recalibration:
    """The probabilities of a model on newer rows, before and after it was calibrated on others.

    Attributes:
        base_dt: The base date whose validation rows calibrate it; of its holdout, customers that
            the model has not seen.
        rows: How many.
        before: Of the newest package of the model until now; None without one that can be read.
        after: Of the new package.
    """

    base_dt: str
    rows: int
    before: "ProbabilityQuality | None"
    after: "ProbabilityQuality"

    @property
    def is_worse(self) -> bool:
        """Whether the log-loss has risen."""
        return self.before is not None and self.after.log_loss > self.before.log_loss

    @property
    def sentence(self) -> str:
        """The same for a person."""
        of_rows = f"On {self.rows:,} holdout rows of base date {self.base_dt}"
        after = self.after
        if self.before is None:
            return (
                f"{of_rows}, log-loss is {after.log_loss:.4f} and calibration error"
                f" {after.ece:.4f}; no package of the model before can be compared."
            )
        change = (
            f"{of_rows}, log-loss went {_change(self.before.log_loss, after.log_loss)}, and"
            f" calibration error {_change(self.before.ece, after.ece)}."
        )
        if self.is_worse:
            change += (
                " The new calibration is not better there: materialize bentoml_model with the"
                " calibrate_on of before, unless you know why."
            )
        return change

    def metadata(self) -> dict[str, Any]:
        """As the materialization shows it."""
        shown: dict[str, Any] = {"recalibration_rows": self.rows}
        if self.before is not None:
            shown |= {
                "log_loss_before": rounded(self.before.log_loss),
                "ece_before": rounded(self.before.ece),
            }
        return shown | {
            "log_loss_after": rounded(self.after.log_loss),
            "ece_after": rounded(self.after.ece),
        }


def recalibration_of(
    scorer: "Scorer",
    record: PackageRecord,
    before: "PackagedModel | None",
    artifacts: ArtifactsIOManager,
    log: "logging.Logger",
) -> Recalibration | None:
    """Compare a new calibration with the one before; it only informs, and refuses nothing.

    Args:
        scorer: Of the new package.
        record: Its facts.
        before: The newest package of the same model until now; None without one.
        artifacts: Have the holdout of the base date that the new package is calibrated on.
        log: Gets why something cannot be measured.

    Returns:
        None if that holdout has no customer whom neither has seen.
    """
    from credit_ct_dagster.modeling.judging.assessment import quality_of
    from credit_ct_dagster.modeling.rows.splitting import pooled_holdout

    seen = [record.seen_share, *([before.record.seen_share] if before else [])]
    rows = pooled_holdout([raw_rows(artifacts, record.calibrated_on, "holdout")], seen)
    if rows.empty:
        log.warning(
            f"The holdout of base date {record.calibrated_on} has no customer that the model has"
            " not seen: what its recalibration has changed is not known."
        )
        return None

    def quality(of: "Scorer") -> "ProbabilityQuality":
        return quality_of(rows[schema.TARGET], of.score_rows(rows).probabilities)

    old = quality(before.scorer) if before else None
    return Recalibration(record.calibrated_on, len(rows), old, quality(scorer))


def newest_but_of(packages: BentoMLStore, model: ModelIdentity) -> "Package | None":
    """The newest package of a model that another Dagster run made; None without one.

    Args:
        packages: The store.
        model: Names the model, and the Dagster run that packages it now.
    """
    found = [
        each
        for each in packages.packaged(model.base_dt)
        if each.identity.mlflow_run_id == model.mlflow_run_id
        and each.identity.dagster_run_id != model.dagster_run_id
    ]
    return found[-1] if found else None


def loaded(
    package: "Package | None",
    packages: BentoMLStore,
    reported: Mapping[str, str],
    log: "logging.Logger",
) -> "PackagedModel | None":
    """The contents of a package; None without one that can be read, which is logged.

    Args:
        package: The package.
        packages: The store.
        reported: A hash per tag, by which a package that was changed is recognised.
        log: Gets why it cannot be read.
    """
    if package is None:
        return None
    try:
        return packages.load(package.tag, reported.get(package.tag, ""))
    except UnavailableError:
        raise
    except CreditCtError as error:  # it is only compared with
        log.warning(str(error))
        return None


def restored(before: "Package") -> str:
    """That the model is calibrated on its own base date again, and how to have the one before."""
    base_dt = before.identity.base_dt
    return (
        f"Package {before.tag}, the one before of this model, was calibrated on base date"
        f" {before.calibrated_on}; this one is calibrated on {base_dt} again. To have that"
        f" calibration back: for base date {base_dt}, materialize bentoml_model with calibrate_on:"
        f" {before.calibrated_on}, champion_model and model_card."
    )


def _change(before: float, after: float) -> str:
    return f"from {told_apart('.4f', before, after)} to {told_apart('.4f', after, before)}"
