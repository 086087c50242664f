"""The champion, the model before it, and every decision that led there.

A decision is first written as a record of its own, which nothing changes later; then MLflow's
aliases and BentoML's labels are set to it. If a process is killed in between, the next decision
sets them.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property

import dagster as dg
from pydantic import Field

from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.files import DECISIONS_FOLDER, numbered_decision_file
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.databases import location, parse_url
from credit_ct_dagster.errors.models import (
    ChampionDisagreementError,
    MissingPackageError,
    UnrecordedChampionError,
)
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.locks import exclusive
from credit_ct_dagster.modeling.gate_rules import PastVerdict
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking

logger = logging.getLogger(__name__)

CHAMPION = "champion"
PREVIOUS = "previous"

_APPLIED = "record"
"""The tag of a registered version with the number of the newest decision that was applied."""


class Promotions(dg.ConfigurableResource):
    """The champion, and the records of decisions."""

    tracking: dg.ResourceDependency[MlflowTracking]
    packages: dg.ResourceDependency[BentoMLStore]
    artifacts: dg.ResourceDependency[ArtifactsIOManager]
    lock_url: str = Field(
        description="The feature store's database, whose lock lets one decision be taken at a time"
    )

    def records(self) -> list[DecisionRecord]:
        """Every decision, oldest first.

        Raises:
            UnreadableRecordError: One does not validate.
            NewerRecordError: A later release wrote one.
        """
        return self.artifacts.open(DECISIONS_FOLDER, "").read_each(DecisionRecord)

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

    def needed_base_dates(self) -> dict[str, str]:
        """Base dates of models that serve or may serve again, each with the reason.

        The newest decision, the packages and MLflow are all consulted: when one of them was lost
        or replaced, the others still know.
        """
        needed: dict[str, str] = {}
        records = self.records()
        for alias, version in _recorded(records).items():
            for record in records:
                if version and record.model.registered_version == version:
                    needed.setdefault(record.model.base_dt, alias)
        for labels in self.packages.labels_of_roles().values():
            needed.setdefault(labels["base_dt"], labels["role"])
        for alias, base_dt in self._registry.aliased().items():
            needed.setdefault(base_dt, alias)
        return needed

    def agreement(self) -> str:
        """Check that aliases and labels match the newest decision, and that the models load.

        Returns:
            The champion, in a sentence.

        Raises:
            ChampionDisagreementError: They do not match.
            CreditCtError: A package is missing or cannot be loaded.
        """
        records = self.records()
        champion = self.champion()
        recorded = _recorded(records)
        for alias, found in ((CHAMPION, champion), (PREVIOUS, self.previous())):
            carries = found.registered_version if found else None
            if carries != recorded[alias]:
                raise ChampionDisagreementError(
                    f"MLflow's alias {alias} is on {_version(carries)}, but according to the newest"
                    f" decision it belongs to {_version(recorded[alias])}. If somebody moved it,"
                    " put that on record: credit-ct promote or credit-ct rollback. If a run was"
                    " killed while it decided, the next decision corrects it: materialize"
                    " champion_model for any base date."
                )
            if found:
                self.packages.load(found.bentoml_tag)
                labels = self.packages.labels_of_roles().get(found.bentoml_tag, {})
                if labels.get("role") != alias:
                    raise ChampionDisagreementError(
                        f"Package {found.bentoml_tag} has the label role:"
                        f" {labels.get('role', 'none')}, but MLflow's alias {alias}. The next"
                        " decision corrects it: materialize champion_model for any base date."
                    )
        if champion is None:
            return "no model was promoted yet"
        return (
            f"version {champion.registered_version} of base date {champion.base_dt},"
            f" {champion.bentoml_tag}, according to decision {records[-1].number}, the newest"
        )

    @contextmanager
    def deciding(self, log: logging.Logger = logger) -> Iterator["Deciding"]:
        """Decide under an exclusive lock: others, in any process or machine, wait until the end.

        Raises:
            LockUnavailableError: The database does not answer.
        """
        url = parse_url(self.lock_url, "FEATURE_STORE_URL")
        lock = f"credit_ct.promotion.{self.tracking.model_name}"
        with (
            translated(Dependency.lock, location(url), "a decision"),
            exclusive(url, lock, lambda: log.info("Another decision is being taken: waiting")),
        ):
            deciding = Deciding(self, self._registry)
            deciding.apply_newest()
            yield deciding

    @cached_property
    def _registry(self) -> ModelRegistry:
        return ModelRegistry(self.tracking)


class Deciding:
    """What a process may do while it holds the lock; see `Promotions.deciding`."""

    def __init__(self, promotions: Promotions, registry: ModelRegistry) -> None:
        self._promotions = promotions
        self._registry = registry
        self._records = promotions.records()

    def register(self, base_dt: str, mlflow_run_id: str) -> ModelIdentity:
        """Register the newest package that a base date has of an MLflow run.

        Raises:
            MissingPackageError: It has none.
        """
        package = self._promotions.packages.newest(base_dt, mlflow_run_id)
        if package is None:
            raise MissingPackageError(
                f"MLflow run {mlflow_run_id}, the best of base date {base_dt}, is not packaged:"
                " materialize bentoml_model for this base date."
            )
        identity = self._registry.register(package)
        self._label_packages()
        return identity

    def champion(self) -> ModelIdentity | None:
        """The model that serves; None before the first promotion."""
        return self._promotions.champion()

    def history(self) -> list[PastVerdict]:
        """What was found about earlier challengers, oldest first."""
        return [
            PastVerdict(
                record.model.base_dt,
                record.before.registered_version,
                record.decision.ground in Ground.of_better(),
            )
            for record in self._records
            if record.before and record.decision.comparison
        ]

    def promotion_of(self, version: str) -> DecisionRecord:
        """The newest decision by which a registered version became the champion.

        Raises:
            UnrecordedChampionError: There is none: the alias was moved by hand.
        """
        for record in reversed(self._records):
            if record.decision.promoted and record.model.registered_version == version:
                return record
        raise UnrecordedChampionError(
            f"Version {version} of {self._registry.name} carries MLflow's alias {CHAMPION}, but no"
            " decision made it the champion. Record why: credit-ct promote --partition D --by NAME"
            " --reason TEXT."
        )

    def record(
        self,
        model: ModelIdentity,
        decision: Decision,
        *,
        by: str = "gate",
        reason: str | None = None,
        dagster_run_id: str | None = None,
    ) -> DecisionRecord:
        """Record a decision, then set aliases and labels to it.

        Args:
            model: The model that it is about.
            decision: What was decided.
            by: Who decided.
            reason: What a person gave as reason.
            dagster_run_id: The run that decided.
        """
        champion, previous = self.champion(), self._promotions.previous()
        recorded = _recorded(self._records)[CHAMPION]
        by_alias = [each.registered_version if each else None for each in (champion, previous)]
        serves = model.registered_version if decision.promoted else by_alias[0]
        served = (
            [by_alias[0], recorded, by_alias[1]] if decision.promoted else [by_alias[1], recorded]
        )
        record = DecisionRecord(
            number=len(self._records) + 1,
            time=datetime.now(UTC).replace(microsecond=0),
            by=by,
            reason=reason,
            dagster_run_id=dagster_run_id,
            model=model,
            before=champion,
            decision=decision,
            champion=serves,
            # A person may have moved the champion's alias onto the one that served before.
            previous=next((each for each in served if each not in {None, serves}), None),
        )
        self._promotions.artifacts.write(
            DECISIONS_FOLDER, "", {numbered_decision_file(record.number): record}
        )
        self._records.append(record)
        self.apply_newest()
        return record

    def apply_newest(self) -> None:
        """Set aliases and labels to the newest decision, unless that was done before.

        An alias that a person moves in MLflow later stays where it is.
        """
        if not self._records:
            return
        record = self._records[-1]
        number = str(record.number)
        if record.champion is None or self._registry.noted(record.champion, _APPLIED) == number:
            return
        for alias, version in ((PREVIOUS, record.previous), (CHAMPION, record.champion)):
            self._registry.set_alias(alias, version)
        self._label_packages()
        self._registry.note(record.champion, _APPLIED, number)

    def _label_packages(self) -> None:
        roles = {PREVIOUS: self._promotions.previous(), CHAMPION: self.champion()}
        self._promotions.packages.set_roles(
            {each.bentoml_tag: alias for alias, each in roles.items() if each}
        )


def _recorded(records: Sequence[DecisionRecord]) -> dict[str, str | None]:
    """The registered version per alias, according to the newest decision."""
    if not records:
        return {CHAMPION: None, PREVIOUS: None}
    return {CHAMPION: records[-1].champion, PREVIOUS: records[-1].previous}


def _version(number: str | None) -> str:
    return f"version {number}" if number else "no version"
