"""The asset of the model card: what it measures, records and survives."""

from dataclasses import replace
from unittest.mock import create_autospec

import dagster as dg

from credit_ct_dagster.contracts.assessment import AssessmentReport, ReasonStability
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import DECISION_FILE, MODEL_CARD_FILE, MODEL_FOLDER
from credit_ct_dagster.contracts.identity import Lineage
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.evidence.measured_models import reasons_compared
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.stability import predictions_sha256
from credit_ct_dagster.modeling.rows.splitting import customer_position
from credit_ct_dagster.resources.stored_pages import STORED_PAGES, stored_page
from credit_ct_dagster_tests.platform import BASE_DT, Platform, metadata_of
from credit_ct_dagster_tests.trained import Trained

_CARD = dg.AssetSelection.assets("model_card")


def test_the_lineage_has_the_hash_of_what_the_package_predicts(trained: Trained) -> None:
    """It can be computed again from the package and the holdout, and begins so in the metadata."""
    platform = trained.platform
    lineage = platform.models().read(Lineage)
    champion = platform.promotions.champion()
    assert champion
    holdout = raw_rows(platform.artifacts, BASE_DT, "holdout")
    scored = platform.promotions.load(champion).scorer.score_rows(holdout)
    assert lineage.predictions_sha256 == predictions_sha256(holdout, scored)
    assert lineage.predicted_rows == len(holdout)
    shown = metadata_of(trained.result, "model_card")["predictions_sha256"]
    assert lineage.predictions_sha256.startswith(shown)
    assert len(shown) == 12


def test_the_report_holds_what_a_validator_asks_for(trained: Trained) -> None:
    """Monotonicity of every directed feature, calibration beside chance, groups, the class rule."""
    report = trained.platform.models().read(AssessmentReport)
    assert {each.feature for each in report.monotonicity} == set(schema.DIRECTED)
    assert {each.rows for each in report.monotonicity} == {report.holdout.rows}
    assert report.holdout.perfect_ece
    assert report.holdout.rule
    assert report.holdout.rule.rows == report.holdout.rows
    assert report.fairness
    assert (report.fairness.base_dts, report.fairness.rows) == ([BASE_DT], report.holdout.rows)
    assert (report.reasons, report.reasons_not_compared) == (None, None)
    shown = metadata_of(trained.result, "model_card")
    assert shown["groups_with_adverse_impact"] == len(report.fairness.adverse)
    assert len(shown["rows_that_get_better_as_risk_rises"].records) == len(schema.DIRECTED)
    card = trained.platform.models()[MODEL_CARD_FILE]
    made = {STORED_PAGES: dg.MetadataValue.json(shown[STORED_PAGES])}
    assert stored_page(made, MODEL_CARD_FILE, trained.platform.model_name) == card


def test_the_metadata_of_every_asset_are_for_people(trained: Trained) -> None:
    """No wall of JSON, no empty entry, no table of more than ten rows, no number of 16 digits."""
    for event in trained.result.get_asset_materialization_events():
        for name, entry in event.materialization.metadata.items():
            where = f"{event.materialization.asset_key.to_user_string()}: {name}"
            assert name != "bytes_per_file", where
            if isinstance(entry, dg.JsonMetadataValue):
                assert name == STORED_PAGES, where
            elif isinstance(entry, dg.TableMetadataValue):
                assert 1 <= len(entry.records) <= 10, where
                values = [value for each in entry.records for value in each.data.values()]
                assert all(map(_is_short, values)), where
            else:
                assert entry.value not in ("", None), where
                assert _is_short(entry.value), where


def _is_short(value: object) -> bool:
    return not isinstance(value, float) or len(f"{value!r}".partition(".")[2]) <= 4


def test_models_and_holdouts_that_no_longer_exist_leave_gaps_on_the_card(
    trained_copy: Trained,
) -> None:
    """They only inform: the card names the missing package, and groups fall back to what exists."""
    platform = trained_copy.platform
    record = platform.decision_record()
    lost = record.model.model_copy(
        update={"base_dt": "2025-02-07", "registered_version": "99", "bentoml_tag": "m:lost"}
    )
    decision = record.decision.model_copy(update={"holdouts": (BASE_DT, "2025-02-07")})
    _replace(platform, record.model_copy(update={"before": lost, "decision": decision}))
    assert platform.materialize(trained_copy.instance, selection=_CARD, checks=False).success
    report = platform.models().read(AssessmentReport)
    assert report.reasons is None
    assert report.reasons_not_compared
    assert "m:lost is not in the BentoML store" in report.reasons_not_compared
    assert "m:lost is not in the BentoML store" in platform.models()[MODEL_CARD_FILE]
    assert report.fairness
    assert report.fairness.base_dts == [BASE_DT]


def _replace(platform: Platform, record: DecisionRecord) -> None:
    platform.artifacts.write(MODEL_FOLDER, record.model.base_dt, {DECISION_FILE: record})


def test_reasons_are_compared_on_rows_that_neither_model_has_seen(trained: Trained) -> None:
    """A champion before, calibrated on larger splits, has seen more customers than this model."""
    platform = trained.platform
    record = platform.decision_record()
    before = record.model.model_copy(update={"base_dt": "2025-02-07", "registered_version": "99"})
    package = platform.promotions.load(record.model)
    holdout = raw_rows(platform.artifacts, BASE_DT, "holdout")
    explained = package.scorer.answer_rows(holdout, reasons=True)["reasons"].map(bool)

    def compared(seen_share: float) -> tuple[ReasonStability | None, str | None]:
        seen = package.record.model_copy(update={"seen_share": seen_share})
        promotions = create_autospec(Promotions)
        promotions.load.return_value = replace(package, record=seen)
        decided = record.model_copy(update={"before": before})
        return reasons_compared(package, decided, holdout, promotions)

    for seen_share in (package.record.seen_share, 0.95):
        unseen = customer_position(holdout[schema.CUSTOMER]) >= seen_share
        found, _ = compared(seen_share)
        assert found
        assert found.rows == (unseen & explained).sum() > 0
    nobody, why = compared(1.0)
    assert nobody is None
    assert why == "the champion before had seen all customers of this holdout."
