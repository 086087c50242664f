"""Models that are scored on the same holdout rows, and what these say of them."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from credit_ct_dagster.contracts.approval import ApprovalPolicy
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.models import (
    BrokenPackageError,
    MissingPackageError,
    UnapprovedPackageError,
    WorsePackageError,
)
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import raw_holdouts
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.resources.model_policy import ModelPolicy

# What scores and judges is imported where it is used: it takes seconds.
if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from credit_ct_dagster.modeling.judging.evidence import Evidence
    from credit_ct_dagster.resources.bentoml_packages import PackagedModel
    from credit_ct_dagster.scorer.scorer import Scored


class AnsweredHoldouts(NamedTuple):
    """Holdout rows that no model saw, and what models answer to them.

    Attributes:
        rows: Labelled rows, raw.
        windows: Of each row, the place of its base date among `base_dates`, shape (rows,).
        answers: Of each model; none without rows.
        base_dates: That the rows are of, the newest first.
    """

    rows: "pd.DataFrame"
    windows: "np.ndarray"
    answers: "Sequence[Scored]"
    base_dates: list[str]


class Judge:
    """Scores packages on holdout rows of customers that none of them saw, under the policy."""

    def __init__(
        self,
        promotions: Promotions,
        artifacts: ArtifactsIOManager,
        policy: ModelPolicy,
        rules: GateRules,
        log: logging.Logger,
    ) -> None:
        self._promotions = promotions
        self._artifacts = artifacts
        self._policy = policy
        self._rules = rules
        self._log = log

    def evidence(
        self, challenger: ModelIdentity, champion: ModelIdentity | None, base_dt: str
    ) -> "Evidence":
        """What the holdouts of a base date, and of earlier ones, say of a challenger."""
        models = [self._promotions.load(each) for each in (challenger, champion) if each]
        return self._evidence(models, base_dt)

    def require_not_worse(self, package: ModelIdentity, champion: ModelIdentity) -> None:
        """Make sure that the champion, packaged again, is not worse than the package that serves.

        A calibration on other rows, or another declared utility, changes its answers; it would
        serve them at once, without having been compared with any challenger. Both are scored on the
        holdouts of the base date that the new package is calibrated on.

        Raises:
            WorsePackageError: It is, beyond doubt.
            UnapprovedPackageError: It is not, but has other contents, and a person has to approve
                what takes the place of what serves.
        """
        from credit_ct_dagster.modeling.judging.gate import why_worse

        try:
            models = [self._promotions.load(each) for each in (package, champion)]
        except (MissingPackageError, BrokenPackageError) as error:
            # What no longer exists serves nobody: the new package takes its place.
            self._log.warning(f"The new package is compared with none: {error.sentence}")
            return
        base_dt = max(package.base_dt, models[0].record.calibrated_on)
        worse = why_worse(self._evidence(models, base_dt))
        if worse:
            raise WorsePackageError(
                f"The champion of base date {package.base_dt} was packaged again, and the new"
                f" package ({package.bentoml_tag}) is worse than the one that serves: {worse}, on"
                f" holdout rows of base date {base_dt}. The one that serves stays. Materialize"
                f" bentoml_model for {package.base_dt} with the configuration of before"
                " (calibrate_on), or let a person decide: credit-ct promote --partition"
                f" {package.base_dt} --by NAME --reason TEXT."
            )
        is_required = self._rules.approval == ApprovalPolicy.required
        if is_required and package.package_sha256 != champion.package_sha256:
            raise UnapprovedPackageError(
                f"The champion of base date {package.base_dt} was packaged again with other"
                f" contents ({package.bentoml_tag}). It is not worse than the package that serves,"
                " which stays until a person lets the new one take its place (approval: required):"
                f" credit-ct promote --partition {package.base_dt} --by NAME --reason TEXT."
            )

    def answered_holdouts(
        self, challenger: ModelIdentity, champion: ModelIdentity, base_dt: str
    ) -> "AnsweredHoldouts":
        """The holdout rows of a base date, and of earlier ones, with the answers of two models.

        Raises:
            CreditCtError: A package, or the holdout of the base date, cannot be read.
        """
        return self._answered(
            [self._promotions.load(each) for each in (challenger, champion)], base_dt
        )

    def _evidence(self, models: "Sequence[PackagedModel]", base_dt: str) -> "Evidence":
        from credit_ct_dagster.modeling.judging.evidence import examine

        found = self._answered(models, base_dt)
        declared = self._policy.declared
        return examine(
            found.rows, found.answers, declared, self._rules, found.base_dates, found.windows
        )

    def _answered(self, models: "Sequence[PackagedModel]", base_dt: str) -> "AnsweredHoldouts":
        from credit_ct_dagster.modeling.rows.splitting import pooled_with_places

        holdouts = raw_holdouts(self._artifacts, base_dt, self._rules.holdout_windows, self._log)
        rows, windows = pooled_with_places(
            list(holdouts.values()), [model.record.seen_share for model in models]
        )
        answers = [] if rows.empty else [model.scorer.score_rows(rows) for model in models]
        return AnsweredHoldouts(rows, windows, answers, list(holdouts))
