"""Who the champion is, who was before, and every decision that led there.

A decision is first written as a record of its own, which nothing changes later; then MLflow's
aliases and BentoML's labels follow it. What a killed process left undone, the next one finishes.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import dagster as dg
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from credit_ct_dagster.databases import alone, location, parse_url, said_by
from credit_ct_dagster.errors import CreditCtError, UnavailableError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.promotion import Decision, Ground, PastVerdict
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry, ModelVersion
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking

logger = logging.getLogger(__name__)

CHAMPION = "champion"
PREVIOUS = "previous"
RECORDS_FOLDER = "promotions/{model_name}"

_FOLLOWED = "record"


class Promotions(dg.ConfigurableResource):
    """The champion, and the records of decisions."""

    tracking: dg.ResourceDependency[MlflowTracking]
    packages: dg.ResourceDependency[BentoMLStore]
    artifacts: dg.ResourceDependency[ArtifactsIOManager]
    lock_url: str = Field(
        description="The feature store's database, whose lock lets one decision be taken at a time"
    )

    def records(self) -> list[dict[str, Any]]:
        """Every decision, oldest first."""
        folder = self.artifacts.open(RECORDS_FOLDER, "")
        return [folder[name] for name in sorted(folder)] if folder.path.exists() else []

    def champion(self) -> ModelVersion | None:
        """The version that serves; none before the first promotion."""
        return self._registry.with_alias(CHAMPION)

    def previous(self) -> ModelVersion | None:
        """The version that served before."""
        return self._registry.with_alias(PREVIOUS)

    def recorded_champion(self) -> str | None:
        """The version that is the champion by the newest record."""
        return _newest(self.records(), CHAMPION)

    def needed_base_dates(self) -> dict[str, str]:
        """Base dates of models that serve or may serve again, each with the reason.

        Asked are the newest record, the packages and MLflow: where one has lost its memory, or is
        another store than it was, the others still know.
        """
        needed: dict[str, str] = {}
        records = self.records()
        for alias in (CHAMPION, PREVIOUS):
            version = _newest(records, alias)
            for record in records:
                if version and record["model"]["version"] == version:
                    needed.setdefault(record["model"]["base_dt"], alias)
        for labels in self.packages.labels_of_roles().values():
            needed.setdefault(labels["base_dt"], labels["role"])
        for alias, base_dt in self._registry.aliased().items():
            needed.setdefault(base_dt, alias)
        return needed

    def agreement(self) -> str:
        """Check that aliases and labels say what the newest record says, and that the models load.

        Returns:
            Who the champion is.

        Raises:
            CreditCtError: They do not; says which, and the way out.
        """
        records = self.records()
        champion = self.champion()
        for alias, found in ((CHAMPION, champion), (PREVIOUS, self.previous())):
            recorded = _newest(records, alias)
            carries = found.version if found else None
            if carries != recorded:
                raise CreditCtError(
                    f"MLflow's alias {alias} is on {_version(carries)}, but by the newest decision"
                    f" it belongs to {_version(recorded)}. If somebody moved it, put that on"
                    " record: credit-ct promote or credit-ct rollback. If a run was killed while it"
                    " decided, the next decision sets it right: materialize champion_model of any"
                    " base date."
                )
            if found:
                self.packages.load(found.bentoml_tag)
                labels = self.packages.labels_of_roles().get(found.bentoml_tag, {})
                if labels.get("role") != alias:
                    raise CreditCtError(
                        f"Package {found.bentoml_tag} has the label role:"
                        f" {labels.get('role', 'none')}, but MLflow's alias {alias}. The next"
                        " decision sets it right: materialize champion_model of any base date."
                    )
        if champion is None:
            return "no model was promoted yet"
        return (
            f"version {champion.version} of base date {champion.base_dt}, {champion.bentoml_tag},"
            f" as the newest decision, number {records[-1]['number']}, says"
        )

    @contextmanager
    def deciding(self, log: logging.Logger = logger) -> Iterator["Deciding"]:
        """Decide alone: others, in any process or machine, wait until the block ends.

        Raises:
            UnavailableError: The database does not answer.
        """
        url = parse_url(self.lock_url, "FEATURE_STORE_URL")
        lock = f"credit_ct.promotion.{self.tracking.model_name}"
        try:
            with alone(url, lock, lambda: log.info("Another decision is being taken: waiting")):
                deciding = Deciding(self, self._registry)
                deciding.follow_last_record()
                yield deciding
        except SQLAlchemyError as error:
            raise UnavailableError(
                f"The database at {location(url)}, whose lock a decision needs, does not answer:"
                f" {said_by(error)}. Check that it runs, then try again."
            ) from error

    @cached_property
    def _registry(self) -> ModelRegistry:
        return ModelRegistry(self.tracking)


class Deciding:
    """What the one who decides may do; see `Promotions.deciding`."""

    def __init__(self, promotions: Promotions, registry: ModelRegistry) -> None:
        self._promotions = promotions
        self._registry = registry
        self._records = promotions.records()

    def register(self, base_dt: str, mlflow_run_id: str) -> ModelVersion:
        """Register the newest package that a base date has of an MLflow run.

        Raises:
            CreditCtError: It has none.
        """
        package = self._promotions.packages.newest(base_dt, mlflow_run_id)
        if package is None:
            raise CreditCtError(
                f"MLflow run {mlflow_run_id}, the best of base date {base_dt}, is not packaged:"
                " materialize bentoml_model for this base date."
            )
        labels = package.info.labels
        version = self._registry.register(
            ModelVersion(
                version="",
                base_dt=base_dt,
                mlflow_run_id=mlflow_run_id,
                bentoml_tag=str(package.tag),
                dagster_run_id=labels["dagster_run_id"],
                data_fingerprint=labels["data_fingerprint"],
            )
        )
        self._label_packages()
        return version

    def champion(self) -> ModelVersion | None:
        """The version that serves; none before the first promotion."""
        return self._promotions.champion()

    def history(self) -> list[PastVerdict]:
        """What was found of earlier challengers, oldest first."""
        return [
            PastVerdict(
                record["model"]["base_dt"],
                record["before"]["version"],
                Ground(record["decision"]["ground"]) in Ground.of_better(),
            )
            for record in self._records
            if record["before"] and record["decision"]["comparison"]
        ]

    def promotion_of(self, version: str) -> dict[str, Any]:
        """The newest record by which a version became the champion.

        Raises:
            CreditCtError: There is none: the alias was moved by hand.
        """
        for record in reversed(self._records):
            if record["decision"]["promoted"] and record["model"]["version"] == version:
                return record
        raise CreditCtError(
            f"Version {version} of {self._registry.name} carries MLflow's alias {CHAMPION}, but no"
            " decision made it the champion. Say why: credit-ct promote --partition D --by NAME"
            " --reason TEXT."
        )

    def record(
        self,
        model: ModelVersion,
        decision: Decision,
        *,
        by: str = "gate",
        reason: str | None = None,
        dagster_run_id: str | None = None,
    ) -> dict[str, Any]:
        """Write a decision down, and let aliases and labels follow it.

        Args:
            model: Whom it is about.
            decision: What became of it.
            by: Who decided.
            reason: What a person gave as reason.
            dagster_run_id: The run that decided.

        Returns:
            The record.
        """
        champion, previous = self.champion(), self._promotions.previous()
        recorded = _newest(self._records, CHAMPION)
        by_alias = [each.version if each else None for each in (champion, previous)]
        serves = model.version if decision.promoted else by_alias[0]
        served = (
            [by_alias[0], recorded, by_alias[1]] if decision.promoted else [by_alias[1], recorded]
        )
        record = {
            "number": len(self._records) + 1,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": by,
            "reason": reason,
            "dagster_run_id": dagster_run_id,
            "model": asdict(model),
            "before": champion and asdict(champion),
            "decision": decision.as_json(),
            CHAMPION: serves,
            # A person may have moved the champion's alias onto the one that served before.
            PREVIOUS: next((each for each in served if each not in {None, serves}), None),
        }
        name = f"{record['number']:06d}.json"
        self._promotions.artifacts.write(RECORDS_FOLDER, "", {name: record})
        self._records.append(record)
        self.follow_last_record()
        return record

    def follow_last_record(self) -> None:
        """Let aliases and labels say what the newest record says, unless they have followed it.

        A person who moves an alias in MLflow later is not overruled.
        """
        if not self._records:
            return
        record = self._records[-1]
        number, champion = str(record["number"]), record[CHAMPION]
        if champion is None or self._registry.noted(champion, _FOLLOWED) == number:
            return
        for alias in (PREVIOUS, CHAMPION):
            self._registry.set_alias(alias, record[alias])
        self._label_packages()
        self._registry.note(champion, _FOLLOWED, number)

    def _label_packages(self) -> None:
        roles = {PREVIOUS: self._promotions.previous(), CHAMPION: self.champion()}
        self._promotions.packages.set_roles(
            {each.bentoml_tag: alias for alias, each in roles.items() if each}
        )


def _newest(records: list[dict[str, Any]], alias: str) -> str | None:
    """The version that an alias belongs to by the newest record."""
    return records[-1][alias] if records else None


def _version(number: str | None) -> str:
    return f"version {number}" if number else "no version"
