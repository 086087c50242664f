"""How the rows and the probabilities of a base date compare with the champion's."""

import dagster as dg

from credit_ct_dagster.assets.champion_model import champion_model
from credit_ct_dagster.checks.results import (
    NOT_COMPARED,
    base_date_of,
    needs_base_date,
    result,
)
from credit_ct_dagster.contracts.decision import (
    DecisionRecord,
    ProbabilityComparison,
    Reliability,
)
from credit_ct_dagster.contracts.drift import MUCH, SOME, DriftReport, Verdict
from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.rounding import against, signed, told_apart

_NAMED_FROM = 0.01
"""Share of rows with another spelling from which on a column is named."""
_NO_CHAMPION = "Not compared: there was no champion."
_MONOTONE = "It is monotone, and a monotone model is not calibrated."


@dg.asset_check(
    asset=champion_model,
    description="No feature, no share of missing values and no share of predicted classes has"
    f" drifted from the champion's training rows. From a PSI of {SOME} on it is drift, from {MUCH}"
    " on much drift, unless a chi-square test, adjusted for all columns, says that it may be"
    " chance. A failure only warns.",
)
@needs_base_date
def drift_is_small(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read the drift that was measured when the decision was taken."""
    report = artifacts.open(MODEL_FOLDER, base_date_of(context)).read(DriftReport)
    drift = report.columns
    drifted = [each for each in drift if each.verdict.is_drift]
    uncertain = [each for each in drift if each.verdict == Verdict.uncertain]
    highest = max((each.highest_psi for each in drift), default=0.0)
    if report.not_computed:
        sentence = report.not_computed
    elif not drift:
        sentence = _NO_CHAMPION
    elif drifted:
        named = ", ".join(each.sentence for each in drifted)
        sentence = f"drift from the champion's training rows: {named}."
    else:
        sentence = f"the highest PSI of {len(drift)} columns is {told_apart('.3f', highest, SOME)}."
    if uncertain:
        named = ", ".join(each.sentence for each in uncertain)
        sentence += f" Too few rows to say whether these have drifted: {named}."
    respelled = [each for each in drift if each.respelled >= _NAMED_FROM]
    if respelled:
        named = ", ".join(f"{each.column} ({each.respelled:.1%} of the rows)" for each in respelled)
        sentence += f" Known words are spelled otherwise than in training: {named}."
    return result(
        context,
        passed=not drifted and not report.not_computed,
        observed=highest if drift else NOT_COMPARED,
        limit=SOME,
        sentence=sentence,
        severity=dg.AssetCheckSeverity.WARN,
    )


@dg.asset_check(
    asset=champion_model,
    description="Neither the champion's probabilities nor the challenger's are worse than the"
    " other's beyond doubt: the log-loss of both on the same holdout rows of the newest window (and"
    " of earlier ones only while they are too few), with a paired interval."
    " A failure only warns, and proposes a recalibration; it changes no decision.",
)
@needs_base_date
def probabilities_are_reliable(
    context: dg.AssetCheckExecutionContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.AssetCheckResult:
    """Read what was measured when the decision was taken."""
    base_dt = base_date_of(context)
    record = artifacts.open(MODEL_FOLDER, base_dt).read(DecisionRecord)
    found = record.decision.probabilities
    if record.before is None:
        passed, sentence = True, _NO_CHAMPION
    elif found is None:
        passed, sentence = True, "Not compared: there were too few rows in the holdout."
    else:
        champion_worse = found.verdict == Reliability.champion_worse
        passed, sentence = _reliability(
            found,
            base_dt,
            record.before.base_dt,
            record.decision.promoted,
            _is_calibrated(artifacts, record.before.base_dt if champion_worse else base_dt),
        )
    return result(
        context,
        passed=passed,
        observed=round(found.difference.value, 4) if found else NOT_COMPARED,
        limit=0.0,
        sentence=sentence,
        severity=dg.AssetCheckSeverity.WARN,
    )


def _is_calibrated(artifacts: ArtifactsIOManager, base_dt: str) -> bool:
    """Whether the probabilities of a base date's model can be calibrated; a monotone one's not."""
    folder = artifacts.open(MODEL_FOLDER, base_dt)
    if SearchSummary.FILE not in folder:
        return True
    return not folder.read(SearchSummary).best.fixed.get("monotone", False)


def _reliability(
    found: ProbabilityComparison, base_dt: str, champion: str, promoted: bool, calibrated: bool
) -> tuple[bool, str]:
    """Whether the check passes; and what was found and, if it does not, what to do.

    Args:
        found: The comparison.
        base_dt: The challenger's base date.
        champion: The base date of the champion before the decision.
        promoted: Whether the challenger took its place.
        calibrated: Whether the model with the worse probabilities can be calibrated anew.
    """
    better, low, high = (
        signed(of, digits=3)
        for of in (found.difference.value, found.difference.low, found.difference.high)
    )
    seen = (
        f"log-loss {against('.3f', found.challenger, found.champion)} of the champion of"
        f" {champion}, lower by {better} ({found.confidence:.0%} interval {low} to {high}) on"
        f" {found.rows:,} rows"
        + (f" of {', '.join(found.holdouts)}" if found.holdouts else "")
        + "; calibration"
        f" error {against('.3f', found.challenger_ece, found.champion_ece)}"
    )
    if found.verdict == Reliability.alike:
        return True, f"{seen}: no difference beyond doubt."
    if found.verdict == Reliability.champion_worse:
        if promoted:
            return True, f"{seen}: worse, but that champion no longer serves."
        recalibrate = (
            f"Recalibrate the champion: for base date {champion}, materialize bentoml_model with"
            f" calibrate_on: {base_dt}, then champion_model and model_card. Or promote"
            if calibrated
            else f"{_MONOTONE} Promote"
        )
        return False, (
            f"{seen}: the probabilities that are served are worse. {recalibrate} the model of this"
            f" base date: credit-ct promote --partition {base_dt} --by NAME --reason TEXT."
        )
    serves = "which serves now" if promoted else "which was not promoted"
    return False, (
        f"{seen}: the probabilities of the model of this base date, {serves}, are worse. Look at"
        " the calibration on its model card, and at its validation rows."
        + (
            " With better ones of another base date, recalibrate it: for base date"
            f" {base_dt}, materialize bentoml_model with calibrate_on: that base date, then"
            " champion_model and model_card."
            if calibrated
            else f" {_MONOTONE}"
        )
        + (
            " Or return to the champion before: credit-ct rollback --by NAME --reason TEXT."
            if promoted
            else ""
        )
    )
