"""The champion, the model before it, and every decision that led there.

A decision is first written as a record of its own, which nothing changes later; then MLflow's
aliases and BentoML's labels are set to it. If a process is killed in between, the next decision
sets them.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.databases import location, parse_url
from credit_ct_dagster.decisions.approvals import record_expired
from credit_ct_dagster.decisions.deciding import CHAMPION, PREVIOUS, Deciding, recorded_versions
from credit_ct_dagster.decisions.recorded_models import RecordedModels
from credit_ct_dagster.decisions.tenures import challengers_on, decided_on
from credit_ct_dagster.errors.models import (
    ChampionDisagreementError,
    ExcludedFeaturesError,
    PackageDoesNotServeError,
)
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.decisions import DecisionRecords
from credit_ct_dagster.locks import exclusive
from credit_ct_dagster.modeling.judging.standing import awaiting, question_of
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.resources.package_validation import PackageValidation
from credit_ct_dagster.serving.golden import typical_rows

if TYPE_CHECKING:
    from credit_ct_dagster.resources.bentoml_store import PackagedModel

logger = logging.getLogger(__name__)


class Promotions(dg.ConfigurableResource):
    """The champion, and the records of decisions."""

    tracking: dg.ResourceDependency[MlflowTracking]
    packages: dg.ResourceDependency[BentoMLStore]
    artifacts: dg.ResourceDependency[ArtifactsIOManager]
    validation: dg.ResourceDependency[PackageValidation]
    lock_url: str = Field(
        description="The feature store's database, whose lock lets one decision be taken at a time"
    )

    def records(self) -> list[DecisionRecord]:
        """Every decision, oldest first.

        Raises:
            UnreadableRecordError: One does not validate.
            NewerRecordError: A later release wrote one.
        """
        return self.decisions.read().records

    @property
    def decisions(self) -> DecisionRecords:
        """Where decisions are recorded."""
        return DecisionRecords(self.artifacts)

    def champion(self) -> ModelIdentity | None:
        """The model that serves; None before the first promotion."""
        return self._registry.with_alias(CHAMPION)

    def previous(self) -> ModelIdentity | None:
        """The model that served before."""
        return self._registry.with_alias(PREVIOUS)

    def recorded_champion(self) -> str | None:
        """The registered version that is the champion according to the newest decision."""
        records = self.records()
        return records[-1].champion if records else None

    def question(self) -> str | None:
        """What a person is asked, with the commands that answer; None if nothing waits."""
        request = awaiting(self.records(), datetime.now(UTC))
        return question_of(request) if request else None

    def needed_base_dates(self, day: str, rules: ShadowRules) -> dict[str, str]:
        """Base dates of models that serve, or may serve yet or again, each with the reason.

        The newest decision, the packages and MLflow are all consulted: when one of them was lost
        or replaced, the others still know.

        Args:
            day: The newest base date, by the calendar.
            rules: Who is in the shadow. A challenger there scores by its package, and is judged on
                its holdout as well.
        """
        needed: dict[str, str] = {}
        records = self.records()
        for alias, version in recorded_versions(records).items():
            for record in records:
                if version and record.model.registered_version == version:
                    needed.setdefault(record.model.base_dt, alias)
        for labels in self.packages.labels_of_roles().values():
            needed.setdefault(labels["base_dt"], labels["role"])
        for alias, base_dt in self._registry.aliased().items():
            needed.setdefault(base_dt, alias)
        # The newest decision may be of today, while the newest day that is evaluated has ended.
        days = {day, max([day, *map(decided_on, records[-1:])])}
        for found in (one for each in days for one in challengers_on(records, each, rules)):
            if found.ended is None:
                needed.setdefault(found.model.base_dt, "a challenger in the shadow")
        waiting = awaiting(records, datetime.now(UTC))
        if waiting:
            needed.setdefault(waiting.model.base_dt, "a challenger that awaits approval")
        return needed

    def serving(self) -> dict[str, ModelIdentity | None]:
        """Per alias, the model that carries it: the champion answers, whoever set the alias."""
        return {CHAMPION: self.champion(), PREVIOUS: self.previous()}

    def require_decided(self, serving: Mapping[str, ModelIdentity | None]) -> None:
        """Make sure that aliases are where the newest decision set them.

        Args:
            serving: Per alias, the model that carries it.

        Raises:
            ChampionDisagreementError: One is not.
        """
        models = self._models()
        for alias, version in recorded_versions(models.records).items():
            models.require_alias(alias, serving[alias], version)

    def agreement(self) -> str:
        """Check that aliases and labels match the newest decision, and that the models load.

        Returns:
            The champion, in a sentence.

        Raises:
            ChampionDisagreementError: They do not match.
            CreditCtError: A package is missing or cannot be loaded.
        """
        records, serving = self.records(), self.serving()
        self.require_decided(serving)
        for alias, found in serving.items():
            if found:
                self.load(found)
                labels = self.packages.labels_of_roles().get(found.bentoml_tag, {})
                if labels.get("role") != alias:
                    raise ChampionDisagreementError(
                        f"Package {found.bentoml_tag} has the label role:"
                        f" {labels.get('role', 'none')}, but MLflow's alias {alias}. The next"
                        " decision corrects it: materialize champion_model for any base date."
                    )
        champion = serving[CHAMPION]
        if champion is None:
            question = self.question()
            return "no model was promoted yet" + (f". {question}" if question else "")
        return (
            f"version {champion.registered_version} of base date {champion.base_dt},"
            f" {champion.bentoml_tag}, according to decision {records[-1].number}, the newest"
        )

    def require_allowed_features(self, excluded: Collection[str]) -> None:
        """Make sure that the champion, if there is one, uses none of these features.

        Raises:
            ExcludedFeaturesError: It does.
            CreditCtError: Its package is missing or cannot be loaded.
        """
        champion = self.champion() if excluded else None
        if champion is None:
            return
        used = [name for name in self.load(champion).data.features if name in excluded]
        if used:
            raise ExcludedFeaturesError(
                f"The champion of base date {champion.base_dt}, version"
                f" {champion.registered_version}, was trained on {', '.join(used)}, which"
                " EXCLUDED_FEATURES names now. It serves until the gate promotes a model that was"
                " trained since; to end it at once, train the newest base date, then make its model"
                " the champion: credit-ct promote."
            )

    def newest_package(self, model: ModelIdentity) -> ModelIdentity:
        """A model with its newest package: it may have been packaged again since a decision."""
        return self._models().newest_package(model)

    def load(self, model: ModelIdentity) -> "PackagedModel":
        """The package of a model, verified by the hash in the decision record.

        Raises:
            MissingPackageError: It does not exist.
            ChangedPackageError: It is not the package that was recorded.
        """
        return self._models().load(model)

    def require_serves(self, model: ModelIdentity) -> int | None:
        """Make sure that a model's package answers golden rows as the pipeline does.

        One that an earlier release packaged without any must start, and answer typical customers.

        Returns:
            The number of golden rows; None without any.

        Raises:
            PackageDoesNotServeError: It answers something else, or cannot be started.
            MissingPackageError: It does not exist.
            ChangedPackageError: It is not the package that was recorded.
        """
        package = self.load(model)
        if package.golden is None:
            logger.warning(
                f"Package {model.bentoml_tag} of base date {model.base_dt} was not asked any golden"
                " rows, only typical customers: an earlier release packaged it without them."
                " Materialize bentoml_model and champion_model for this base date to have it"
                " validated."
            )
        golden = package.golden or typical_rows(package.scorer, package.data)
        folder = self.packages.mlflow_model(model.bentoml_tag)
        self.validation.require_serves(model, folder, golden, package.scorer)
        return len(golden.rows) if package.golden else None

    def if_it_serves(self, model: ModelIdentity, decision: Decision) -> Decision:
        """The gate's decision, once the package of a model to promote was validated.

        A model whose package does not answer golden rows as the pipeline does, or has none, is not
        promoted.
        """
        if not decision.promoted:
            return decision
        try:
            rows = self.require_serves(model)
            if rows is not None:
                return decision.model_copy(update={"golden_rows": rows})
            problem = (
                f"Package {model.bentoml_tag} has no golden rows, because an earlier release made"
                f" it. Materialize bentoml_model and champion_model for {model.base_dt}."
            )
        except PackageDoesNotServeError as error:
            problem = error.sentence
        return decision.model_copy(
            update={
                "promoted": False,
                "ground": Ground.package_does_not_serve,
                "by_evidence": decision.ground,
                "sentence": f"Not promoted: {problem}",
            }
        )

    @contextmanager
    def deciding(
        self, log: logging.Logger = logger, *, ends_requests: bool = True
    ) -> Iterator[Deciding]:
        """Decide under an exclusive lock: others, in any process or machine, wait until the end.

        Args:
            log: Of whoever decides.
            ends_requests: Whether a request for an approval that has expired is recorded as such;
                not by who shows no decisions.

        Raises:
            LockUnavailableError: The database does not answer.
        """
        url = parse_url(self.lock_url, "FEATURE_STORE_URL")
        lock = f"credit_ct.promotion.{self.tracking.model_name}"
        with (
            translated(Dependency.lock, location(url), "a decision"),
            exclusive(
                url, lock, lambda: log.info("Another decision is being taken: waiting")
            ) as ensure_held,
        ):
            for error in self.packages.broken():
                log.warning(str(error))
            deciding = Deciding(self, self._registry, ensure_held)
            deciding.register_deleted()
            deciding.apply_newest()
            if ends_requests:
                record_expired(deciding)
            yield deciding

    def _models(self) -> RecordedModels:
        return RecordedModels(self.records(), self._registry, self.packages)

    @cached_property
    def _registry(self) -> ModelRegistry:
        return ModelRegistry(self.tracking)
