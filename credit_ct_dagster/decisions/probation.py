"""What follows from a probation: a champion is confirmed or goes, or a challenger is promoted.

Each of these is a decision, taken under the lock for decisions once it is certain that nobody
decided anything else meanwhile.
"""

import logging
from dataclasses import dataclass

from credit_ct_dagster.contracts.decision import (
    PROBATION,
    Comparison,
    Decision,
    DecisionRecord,
    Estimate,
    Ground,
)
from credit_ct_dagster.decisions.approvals import with_approval
from credit_ct_dagster.decisions.deciding import Deciding
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.decisions.tenures import InShadow, OnProbation, challengers_on, probation_on
from credit_ct_dagster.errors.models import NothingToDecideError
from credit_ct_dagster.modeling.judging.objections import rollback_of, rolled_back_by
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evidence:
    """What labelled answers said.

    Attributes:
        comparison: Of the champion (as `challenger`) with the other model.
        prediction_days: The first and the last day of the answers.
        sentence: For a person.
    """

    comparison: Comparison
    prediction_days: tuple[str, str]
    sentence: str


class Probation:
    """Decides by what labels of answers that were served said on a prediction day."""

    def __init__(
        self,
        promotions: Promotions,
        day: str,
        rules: ProbationRules,
        dagster_run_id: str,
        log: logging.Logger = logger,
    ) -> None:
        """Decide nothing yet.

        Args:
            promotions: The decisions.
            day: The newest prediction day that has ended.
            rules: Of the probation.
            dagster_run_id: The run that decides.
            log: Of the run.
        """
        self._promotions = promotions
        self._day = day
        self._rules = rules
        self._dagster_run_id = dagster_run_id
        self._log = log

    def confirm(self, found: OnProbation, evidence: Evidence) -> DecisionRecord | None:
        """Record that a champion is not worse than the model before; that one leaves the shadow.

        Returns:
            The decision that ended the probation: this one, or one that was taken before; None if
            another model is the champion meanwhile.
        """
        with self._promotions.deciding(self._log) as deciding:
            ended, is_open = self._state(deciding, found)
            champion = deciding.champion()
            if not is_open or champion is None:
                return ended
            decision = Decision(
                promoted=False,
                ground=Ground.confirmed,
                sentence=f"Confirmed: {evidence.sentence}.",
                comparison=evidence.comparison,
                prediction_days=evidence.prediction_days,
            )
            return deciding.record(
                champion, decision, by=PROBATION, dagster_run_id=self._dagster_run_id
            )

    def roll_back(self, found: OnProbation, evidence: Evidence) -> DecisionRecord | None:
        """Let the model before serve again, in the place of one that is worse.

        Returns:
            As `confirm`.

        Raises:
            LostChampionError: MLflow has lost the model before.
            PackageDoesNotServeError: Its package does not answer as the pipeline does.
        """
        with self._promotions.deciding(self._log) as deciding:
            ended, is_open = self._state(deciding, found)
            if not is_open:
                return ended
            previous = deciding.previous()
            if previous is None or previous.mlflow_run_id != found.previous.mlflow_run_id:
                self._log.warning(
                    f"The champion of base date {found.champion.base_dt} is not rolled back: MLflow"
                    f" does not name the model of {found.previous.base_dt}, which it is compared"
                    " with, as the previous one. See credit-ct doctor."
                )
                return None
            return roll_back(
                self._promotions,
                deciding,
                by=PROBATION,
                ground=Ground.rolled_back,
                sentence=f"Rolled back: {evidence.sentence}.",
                comparison=_turned(evidence.comparison),
                prediction_days=evidence.prediction_days,
                dagster_run_id=self._dagster_run_id,
            )

    def decide_on(self, challenger: InShadow, decision: Decision) -> DecisionRecord | None:
        """Record a decision on a challenger in the shadow.

        It is promoted only once its package serves, and a person has approved it if somebody must.

        Returns:
            The decision that ended its time in the shadow; None if it is not in the shadow any
            more, or is compared with another model than the champion of now.
        """
        with self._promotions.deciding(self._log) as deciding:
            now = challengers_on(self._promotions.records(), self._day, self._rules)
            same = [each for each in now if each.record.number == challenger.record.number]
            if not same or same[0].ended:
                return same[0].ended if same else None
            champion, before = deciding.champion(), challenger.record.before
            if not champion or not before or champion.mlflow_run_id != before.mlflow_run_id:
                return None
            model = self._promotions.newest_package(challenger.model)
            served = self._promotions.if_it_serves(model, decision)
            approved = with_approval(deciding, model, served, self._rules)
            if approved.ground == Ground.older:  # a newer one awaits approval: it stays until then
                return None
            return deciding.record(
                model, approved, by=PROBATION, dagster_run_id=self._dagster_run_id
            )

    def _state(self, deciding: Deciding, found: OnProbation) -> tuple[DecisionRecord | None, bool]:
        """The decision that has ended a probation, and whether it is still open."""
        now, _ = probation_on(self._promotions.records(), self._day, self._rules)
        if now is None or now.promotion.number != found.promotion.number or now.ended:
            return (now.ended if now else None), False
        champion = deciding.champion()
        if champion is None or champion.mlflow_run_id != found.champion.mlflow_run_id:
            self._log.warning(
                f"Nothing is decided on the champion of base date {found.champion.base_dt}:"
                " MLflow's alias champion is on another model. See credit-ct doctor."
            )
            return None, False
        return None, True


def roll_back(
    promotions: Promotions,
    deciding: Deciding,
    *,
    by: str,
    ground: Ground,
    sentence: str,
    reason: str | None = None,
    comparison: Comparison | None = None,
    prediction_days: tuple[str, str] | None = None,
    dagster_run_id: str | None = None,
) -> DecisionRecord:
    """Let the previous champion serve again, once its package was validated.

    Persons and probation alike come here.

    Args:
        promotions: The decisions.
        deciding: Holds the lock.
        by: Who decided.
        ground: Why.
        sentence: The same for a person.
        reason: What a person gave as reason.
        comparison: Of the model that comes back (as `challenger`) with the champion, if there is
            any.
        prediction_days: The first and the last day of the answers that were compared.
        dagster_run_id: The run that decided.

    Raises:
        NothingToDecideError: There is no previous champion, or a rollback took it out of service.
        LostChampionError: MLflow has lost it.
        PackageDoesNotServeError: Its package does not answer as the pipeline does.
    """
    model = deciding.previous()
    if model is None:
        raise NothingToDecideError("There is no previous champion to roll back to.")
    # Two people may be called at the same hour: the second rollback would undo the first.
    rollback = rollback_of(deciding.records, model.mlflow_run_id)
    champion = deciding.champion()
    if rollback and champion and champion.mlflow_run_id == rollback.model.mlflow_run_id:
        raise NothingToDecideError(
            f"The model of base date {champion.base_dt} is the champion again already. The one"
            f" before it, of {model.base_dt}, does not come back by a rollback:"
            f" {rolled_back_by(rollback)}. To let it serve all the same: credit-ct promote"
            f" --partition {model.base_dt} --despite-floors --by NAME --reason TEXT."
        )
    decision = Decision(
        promoted=True,
        ground=ground,
        sentence=sentence,
        comparison=comparison,
        golden_rows=promotions.require_serves(model),
        prediction_days=prediction_days,
    )
    return deciding.record(model, decision, by=by, reason=reason, dagster_run_id=dagster_run_id)


def _turned(comparison: Comparison) -> Comparison:
    """The same comparison, of the other model with this one."""
    found = comparison.difference
    return comparison.model_copy(
        update={
            "challenger": comparison.champion,
            "champion": comparison.challenger,
            "difference": Estimate(value=-found.value, low=-found.high, high=-found.low),
        }
    )
