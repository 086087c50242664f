"""What was decided, where people look: in Dagster's history, on the model cards, and in MLflow.

A decision is recorded first. What shows it is brought up to date after that, for every model that
it concerns: whoever was promoted, replaced, or superseded.
"""

import logging
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from textwrap import shorten
from typing import Any

import dagster as dg

from credit_ct_dagster.contracts.decision import DecisionRecord, Ground
from credit_ct_dagster.contracts.files import MODEL_CARD_FILE, MODEL_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.decisions.deciding import Deciding
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.models import DecisionNotShownError
from credit_ct_dagster.modeling.judging.standing import (
    Standing,
    State,
    question_of,
    standing_of,
)
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster.resources.stored_pages import stored_pages
from credit_ct_dagster.runs.purposes import AWAITING_APPROVAL

CHAMPION_MODEL = dg.AssetKey("champion_model")
MODEL_CARD = dg.AssetKey("model_card")

_LONGEST = 300
"""Characters of a cause that is told: Dagster's can fill pages."""
_LONGEST_SENTENCE = 4000
"""Characters of a sentence in MLflow, whose databases have room for 5,000 with the link."""

logger = logging.getLogger(__name__)


class ShownDecisions:
    """Shows decisions in Dagster's history, on the model cards, and on MLflow's versions.

    An observation, and no materialization: the UI shows its metadata in the place of what the
    materialization said under the same names, the evidence beside it stays, and nothing downstream
    counts as out of date.
    """

    def __init__(
        self,
        promotions: Promotions,
        ui: DagsterUI,
        observe: Callable[[dg.AssetObservation], None],
        log: logging.Logger = logger,
    ) -> None:
        """Show nothing yet.

        Args:
            promotions: The decisions.
            ui: Where people open model cards.
            observe: Adds an observation to Dagster's history.
            log: Gets what could not be shown; the decisions stand.
        """
        self._promotions = promotions
        self._ui = ui
        self._registry = ModelRegistry(promotions.tracking)
        self._observe = observe
        self._log = log

    def show(self, written: Sequence[DecisionRecord], but: str | None = None) -> None:
        """Bring up to date what shows the models that decisions concern.

        Args:
            written: The decisions.
            but: A base date that is left out: the run that decided shows it itself.
        """
        # One that was registered again has a new version, which is not described yet.
        models = {record.model.mlflow_run_id: record.model for record in written}
        concerned: dict[str, ModelIdentity] = {}
        seen = 0
        try:
            # Another process may decide, and show that, while this one shows what was before.
            while written and len(records := self._promotions.records()) > seen:
                seen, now = len(records), datetime.now(UTC)
                concerned |= {
                    model.mlflow_run_id: model
                    for record in written
                    if record.decision.ground != Ground.registered_again
                    for model in _concerned_by(record, records, now)
                }
                self._show(models | concerned, concerned, records, but)
        except CreditCtError as error:
            self._warn(written[-1].model.base_dt, error)

    @contextmanager
    def deciding(self, but: str | None = None) -> Iterator[Deciding]:
        """Decide under the lock; in the end, also of a failure, show what was decided.

        Args:
            but: As `show`.

        Raises:
            LockUnavailableError: The database does not answer.
        """
        to_show: Sequence[DecisionRecord] = ()
        try:
            with self._promotions.deciding(self._log) as deciding:
                to_show = deciding.to_show
                yield deciding
        finally:
            self.show(to_show, but)

    def _show(
        self,
        models: Mapping[str, ModelIdentity],
        concerned: Container[str],
        records: Sequence[DecisionRecord],
        but: str | None,
    ) -> None:
        now = datetime.now(UTC)
        for model in models.values():
            standing = standing_of(records, model.mlflow_run_id, now)
            if standing is None:
                continue
            with self._warning(model.base_dt):
                self._describe_versions(model, standing)
            if model.base_dt == but or model.mlflow_run_id not in concerned:
                continue
            with self._warning(model.base_dt):
                self._put_on_card(model, standing)
            with self._warning(model.base_dt):
                self._show_in_dagster(model, standing, records)

    def show_beside_card(self, model: ModelIdentity, standing: Standing) -> None:
        """Bring up to date what shows a model, apart from its card, which is being made.

        Args:
            model: The model.
            standing: Where it stands.
        """
        with self._warning(model.base_dt):
            self._describe_versions(model, standing)
        with self._warning(model.base_dt):
            self._show_in_dagster(model, standing, self._promotions.records())

    def _show_in_dagster(
        self, model: ModelIdentity, standing: Standing, records: Sequence[DecisionRecord]
    ) -> None:
        metadata = metadata_of(standing, records[-1].champion)
        self._observe(_observation(CHAMPION_MODEL, model, standing, metadata))

    def _describe_versions(self, model: ModelIdentity, standing: Standing) -> None:
        """Say on the registered versions of a model where it stands."""
        card = f"[Model card of base date {model.base_dt}]({self._ui.card_url(model.base_dt)})"
        # MLflow renders Markdown: what a person gives as reason is text, and no picture or link.
        sentence = re.sub(r"([\[<])", r"\\\1", shorten(standing.sentence, _LONGEST_SENTENCE))
        self._registry.describe(model.mlflow_run_id, f"{sentence}\n\n{card}")

    def _put_on_card(self, model: ModelIdentity, standing: Standing) -> None:
        """Rewrite the decision on a model's card, if it has one; here and in MLflow."""
        # Jinja is imported only where there is a card.
        from credit_ct_dagster.modeling.pages.card_decision import CardDecision

        artifacts, base_dt = self._promotions.artifacts, model.base_dt
        folder = artifacts.open(MODEL_FOLDER, base_dt)
        if not {MODEL_CARD_FILE, DecisionRecord.FILE} <= set(folder.names()):
            return
        record = folder.read(DecisionRecord)
        if record.model.mlflow_run_id != model.mlflow_run_id:  # another training since
            return
        made = folder[MODEL_CARD_FILE]
        card = CardDecision(record, standing).put_on(made)
        if folder[MODEL_CARD_FILE] != made:  # a run of the base date has just made it anew
            card = CardDecision(record, standing).put_on(folder[MODEL_CARD_FILE])
        artifacts.write(MODEL_FOLDER, base_dt, {MODEL_CARD_FILE: card})
        self._promotions.tracking.log_text(model.mlflow_run_id, card, MODEL_CARD_FILE)
        # The UI's server shows the card from Dagster's history.
        page = stored_pages(artifacts.model_name, {MODEL_CARD_FILE: card})
        shown = {"decision": standing.sentence, **page}
        self._observe(_observation(MODEL_CARD, model, standing, shown))

    @contextmanager
    def _warning(self, base_dt: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the decision stands
            self._warn(base_dt, error)

    def _warn(self, base_dt: str, error: Exception) -> None:
        cause = error.sentence if isinstance(error, CreditCtError) else str(error)
        shown = DecisionNotShownError(
            "The decision stands, but Dagster's history, MLflow or the model card of base date"
            f" {base_dt} does not show it yet:"
            f" {shorten(cause, _LONGEST).rstrip('.') or type(error).__name__}. Once that is"
            f" corrected, materialize model_card for {base_dt}."
        )
        self._log.warning(str(shown), extra={"code": shown.code, "base_dt": base_dt})


def _observation(
    asset: dg.AssetKey, model: ModelIdentity, standing: Standing, metadata: dict[str, Any]
) -> dg.AssetObservation:
    return dg.AssetObservation(
        asset, description=standing.sentence, metadata=metadata, partition=model.base_dt
    )


def metadata_of(standing: Standing, champion: str | None) -> dict[str, Any]:
    """What is shown of a model, under the names that `champion_model` itself uses.

    Args:
        standing: Where the model stands.
        champion: The registered version that serves; None without one.
    """
    shown: dict[str, Any] = {
        "promoted": standing.serves,
        "decision": standing.sentence,
        "champion": f"version {champion}" if champion else "none",
        "decision_number": standing.newest.number,
        "decided_by": standing.newest.by,
    }
    if standing.state == State.waits:
        shown[AWAITING_APPROVAL] = question_of(standing.decision)
    elif standing.asked:
        shown[AWAITING_APPROVAL] = "no longer"
    return shown


def _concerned_by(
    record: DecisionRecord, records: Sequence[DecisionRecord], now: datetime
) -> Iterator[ModelIdentity]:
    """The model of a decision, and those that it replaced, superseded or overtook."""
    yield record.model
    earlier = [each for each in records if each.number < record.number]
    champion = earlier[-1].champion if earlier else None
    asked = [each for each in earlier if each.decision.ground == Ground.awaiting_approval]
    others = [
        *(each.model for each in earlier if each.model.registered_version == champion),
        *([record.before] if record.before else []),
        *(each.model for each in asked[-1:]),
    ]
    for model in {each.mlflow_run_id: each for each in others}.values():
        standing = standing_of(records, model.mlflow_run_id, now)
        if standing and standing.ended_by and standing.ended_by.number == record.number:
            yield model
