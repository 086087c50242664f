"""The evaluation of a champion on probation, and of challengers in the shadow."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import (
    Look,
    ProbationPolicy,
    ProbationRecord,
    ShadowChallenger,
    Verdict,
)
from credit_ct_dagster.decisions.probation import Evidence, Probation
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.decisions.tenures import (
    InShadow,
    OnProbation,
    came_back_on,
    challengers_on,
    history_of,
    probation_on,
    tenure_on,
)
from credit_ct_dagster.evidence.earlier_looks import EarlierLooks
from credit_ct_dagster.evidence.judged_models import Judge
from credit_ct_dagster.evidence.probation_sentences import sentence_on
from credit_ct_dagster.evidence.shadow_evidence import Shadowed, ShadowEvidence
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching.columns import DAY
from credit_ct_dagster.modeling.watching.looks import in_a_row
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.model_policy import ModelPolicy

if TYPE_CHECKING:
    import pandas as pd


class EvaluatedProbation:
    """What labels say on a prediction day, and what follows if it is the newest one."""

    def __init__(
        self,
        promotions: Promotions,
        artifacts: ArtifactsIOManager,
        served: ServedAnswers,
        policy: ModelPolicy,
        rules: ProbationRules,
        day: str,
        may_decide: bool,
        dagster_run_id: str,
        log: logging.Logger,
        judge: Judge | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            promotions: The decisions.
            artifacts: Where earlier evaluations, shadow scores and splits are.
            served: The answers.
            policy: What the bank wants of a class.
            rules: Of the probation.
            day: The prediction day.
            may_decide: Whether it is the newest day that has ended. Others are only reported: a day
                that is evaluated again would judge the past by labels of now.
            dagster_run_id: The run.
            log: Of the run.
            judge: Has the holdouts of challengers, with answers. [default: from the artifacts]
        """
        self._promotions = promotions
        self._policy = policy
        self._rules = rules
        self._day = day
        self._may_decide = may_decide
        self._dagster_run_id = dagster_run_id
        self._evidence = ShadowEvidence(served, artifacts, promotions, log, rules.label_days)
        self._probation = Probation(promotions, day, rules, dagster_run_id, log)
        self._judge = judge or Judge(promotions, artifacts, policy, rules, log)
        self._looks = EarlierLooks(artifacts, day, may_decide, rules.probation_days, log)

    def record(self) -> ProbationRecord:
        """Evaluate the day; on the newest one, decide what is beyond doubt."""
        records = self._promotions.records()
        on_probation, why_none = probation_on(records, self._day, self._rules)
        if self._rules.probation == ProbationPolicy.off:
            on_probation, why_none = None, "Probation is switched off (probation: 'off')."
        shadowed = challengers_on(records, self._day, self._rules)
        tenure = tenure_on(records, self._day)
        others = [Shadowed(on_probation.previous, on_probation.since)] if on_probation else []
        others += [Shadowed(each.model, each.since) for each in shadowed]
        rows = (
            self._evidence.rows(records, tenure.promotion.model, others, self._day)
            if tenure and others
            else []
        )
        record = ProbationRecord(
            base_dt=self._day,
            evaluated_at=datetime.now(UTC).replace(microsecond=0),
            dagster_run_id=self._dagster_run_id,
            policy=self._rules.probation,
            may_decide=self._may_decide,
            needed_in_a_row=self._rules.in_a_row,
            sentence=why_none,
        )
        if on_probation:
            record = self._of_champion(record, on_probation, rows[0])
        if shadowed:
            of_challengers = rows[-len(shadowed) :]
            challengers = self._of_challengers(records, shadowed, of_challengers)
            record = record.model_copy(update={"challengers": challengers})
        return record

    def _of_champion(
        self, record: ProbationRecord, found: OnProbation, rows: "pd.DataFrame"
    ) -> ProbationRecord:
        from credit_ct_dagster.modeling.watching.probation import evaluate

        ground = found.promotion.decision.ground
        findings = evaluate(rows, ground, found.previous, self._policy.declared, self._rules)
        looks = self._looks.upto(
            lambda each: each.looks if each.promotion == found.promotion.number else None,
            findings.verdict,
            len(rows),
        )
        record = record.model_copy(
            update={
                "champion": found.champion,
                "previous": found.previous,
                "promotion": found.promotion.number,
                "since": found.since,
                "until": found.until,
                "comparison": findings.comparison,
                "verdict": findings.verdict,
                "looks": looks,
                "in_a_row": in_a_row(looks, findings.verdict),
            }
        )
        ended = found.ended
        if self._may_decide and record.is_decided and ended is None:
            assert findings.comparison is not None
            evidence = Evidence(
                findings.comparison,
                (rows[DAY].min(), rows[DAY].max()),
                f"{findings.sentence}; {record.in_a_row} evaluations in a row said so",
            )
            if findings.verdict == Verdict.confirmed:
                ended = self._probation.confirm(found, evidence)
            elif self._rules.probation == ProbationPolicy.rollback:
                ended = self._probation.roll_back(found, evidence)
        return record.model_copy(
            update={
                "decision": ended.number if ended else None,
                "sentence": sentence_on(record, findings, found, ended),
            }
        )

    def _of_challengers(
        self,
        records: Sequence[DecisionRecord],
        shadowed: Sequence[InShadow],
        rows: "Sequence[pd.DataFrame]",
    ) -> tuple[ShadowChallenger, ...]:
        champion, back = self._promotions.champion(), came_back_on(records)
        judged = [
            self._of_challenger(each, found, _same(each, champion), records, back)
            for each, found in zip(shadowed, rows, strict=True)
        ]
        # The best first: whoever is promoted ends the time of the others, who have to wait while a
        # person is asked about it.
        is_asked = False
        order = sorted(range(len(judged)), key=lambda place: -_gain(judged[place][1]))
        for place in order:
            described, decision = judged[place]
            waits = is_asked and decision.promoted
            if waits or not self._ends(described, decision, shadowed[place]):
                continue
            looks = f"{described.in_a_row} evaluations in a row said so."
            final = decision.model_copy(update={"sentence": f"{decision.sentence} {looks}"})
            ended = self._probation.decide_on(shadowed[place], final)
            if ended:
                update = {"decision": ended.number, "sentence": ended.decision.sentence}
                judged[place] = (described.model_copy(update=update), ended.decision)
                is_asked = is_asked or ended.decision.ground == Ground.awaiting_approval
        return tuple(described for described, _ in judged)

    def _of_challenger(
        self,
        found: InShadow,
        rows: "pd.DataFrame",
        champion: ModelIdentity,
        records: Sequence[DecisionRecord],
        back: str | None,
    ) -> tuple[ShadowChallenger, Decision]:
        from credit_ct_dagster.modeling.watching.challengers import judge_challenger

        holdouts = (
            None if rows.empty else self._evidence.holdouts(self._judge, found.model, champion)
        )
        # Its holdout is evidence already, and no other base date that agrees.
        history = history_of(records, champion, without=found.model.base_dt)
        decision = judge_challenger(
            rows, holdouts, self._day, champion, history, self._policy.declared, self._rules, back
        )
        verdict = _verdict_of(decision)
        number = found.record.number
        looks = self._looks.upto(
            lambda each: next(
                (one.looks for one in each.challengers if one.gate_decision == number), None
            ),
            verdict,
            len(rows),
        )
        ended = found.ended
        described = ShadowChallenger(
            model=found.model,
            gate_decision=number,
            since=found.since,
            until=found.until,
            comparison=decision.comparison,
            ground=decision.ground,
            looks=looks,
            in_a_row=in_a_row(looks, verdict),
            decision=ended.number if ended else None,
            sentence=ended.decision.sentence if ended else self._so_far(decision, looks),
        )
        return described, decision

    def _so_far(self, decision: Decision, looks: Sequence[Look]) -> str:
        """What the gate's rules say of a challenger, when nothing is decided by it."""
        if not decision.promoted:
            return decision.sentence
        count = in_a_row(looks, Verdict.confirmed)
        why_not = f"{count} of {self._rules.in_a_row} evaluations in a row"
        if not self._rules.promote_from_shadow:
            why_not += ", and promote_from_shadow is off: a person may, by credit-ct promote"
        seen = decision.sentence.removeprefix("Promoted: ")
        return f"Better, but not promoted ({why_not}): {seen}"

    def _ends(self, described: ShadowChallenger, decision: Decision, found: InShadow) -> bool:
        """Whether a challenger leaves the shadow: it is promoted, or beyond doubt not better."""
        is_decided = described.in_a_row >= self._rules.in_a_row and found.ended is None
        if not self._may_decide or not is_decided:
            return False
        if decision.promoted:
            return self._rules.promote_from_shadow
        return decision.ground == Ground.worse


def _same(found: InShadow, champion: ModelIdentity | None) -> ModelIdentity:
    """The model that a challenger was judged against; it may have been registered again since."""
    before = found.record.before
    assert before is not None
    is_same = champion is not None and champion.mlflow_run_id == before.mlflow_run_id
    return champion if champion is not None and is_same else before


def _verdict_of(decision: Decision) -> Verdict:
    if decision.promoted:
        return Verdict.confirmed
    return Verdict.worse if decision.ground == Ground.worse else Verdict.undecided


def _gain(decision: Decision) -> float:
    return decision.comparison.difference.value if decision.comparison else 0.0
