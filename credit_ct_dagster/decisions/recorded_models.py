"""The models that decisions name: their packages, and their versions in MLflow."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.decision import GATE, Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.models import ChampionDisagreementError, LostChampionError
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry

if TYPE_CHECKING:
    from credit_ct_dagster.resources.bentoml_store import PackagedModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordedModels:
    """The models that decisions name.

    Attributes:
        records: Every decision, oldest first.
        registry: MLflow's versions.
        packages: The packages.
    """

    records: Sequence[DecisionRecord]
    registry: ModelRegistry
    packages: BentoMLStore

    def newest_package(self, model: ModelIdentity) -> ModelIdentity:
        """A model with its newest package: it may have been packaged again since a decision."""
        newest = self.packages.newest(model.base_dt, model.mlflow_run_id)
        if newest is None or newest.bentoml_tag == model.bentoml_tag:
            return model
        registered = self.registry.of_package(model.mlflow_run_id, newest.bentoml_tag)
        return registered or newest.model_copy(
            update={
                "registered_model": model.registered_model,
                "registered_version": model.registered_version,
            }
        )

    def load(self, model: ModelIdentity) -> "PackagedModel":
        """The package of a model, once its hash is that of the newest decision on it.

        Raises:
            MissingPackageError: It does not exist.
            ChangedPackageError: It is not the package that was recorded.
        """
        decided = [
            record.model.package_sha256
            for record in self.records
            if record.model.bentoml_tag == model.bentoml_tag
        ]
        recorded = [digest for digest in decided if digest]
        expected = recorded[-1] if recorded else model.package_sha256
        if not expected:
            of_package = f"Package {model.bentoml_tag} of base date {model.base_dt}"
            reason = (
                "an earlier release recorded it without its hash. Materialize bentoml_model and"
                " champion_model for this base date to have it recorded."
                if decided
                else "no decision on its model has recorded its hash yet. Materialize"
                " champion_model for this base date to have the gate decide."
            )
            logger.warning(f"{of_package} is loaded unverified: {reason}")
        return self.packages.load(model.bentoml_tag, expected)

    def of_version(self, version: str) -> ModelIdentity | None:
        """The model that a decision knew by a registered version, with the newest such decision."""
        found = [
            model
            for record in self.records
            for model in (record.before, record.model)
            if model and model.registered_version == version
        ]
        return found[-1] if found else None

    def exists(self, version: str) -> bool:
        """Whether MLflow still has the version, of the same model."""
        model, found = self.of_version(version), self.registry.find(version)
        return found is not None and (model is None or found.mlflow_run_id == model.mlflow_run_id)

    def require_alias(self, alias: str, found: ModelIdentity | None, version: str | None) -> None:
        """Make sure that an alias is on the version that the newest decision gave it.

        Args:
            alias: The alias.
            found: The model that carries it.
            version: The version that it belongs to; None for none.

        Raises:
            ChampionDisagreementError: It is on another one, or the version was deleted.
        """
        carries = found.registered_version if found else None
        if version and not self.exists(version):
            raise ChampionDisagreementError(
                f"Version {version}, the {alias} model according to the"
                " newest decision, was deleted in MLflow. The next decision registers it again"
                " from its package, or names what prevents that: materialize champion_model for"
                " any base date. credit-ct promote makes another model the champion."
            )
        if carries != version:
            raise ChampionDisagreementError(
                f"MLflow's alias {alias} is on {_named(carries)}, but according to the newest"
                f" decision it belongs to {_named(version)}. If somebody moved it,"
                " put that on record: credit-ct promote or credit-ct rollback. If a run was"
                " killed while it decided, the next decision corrects it: materialize"
                " champion_model for any base date."
            )

    def replaced_by(self, model: ModelIdentity) -> list[str]:
        """The versions of the champion and its predecessor that a model's newest one replaces.

        A model that is packaged again with other contents gets another version.
        """
        newest = self.records[-1] if self.records else None
        named = dict.fromkeys((newest.champion, newest.previous)) if newest else {}
        return [
            version
            for version in named
            if version not in (None, model.registered_version)
            and (known := self.of_version(version)) is not None
            and known.mlflow_run_id == model.mlflow_run_id
        ]

    def register_again(self, versions: Sequence[str | None]) -> "RegisteredAgain":
        """Register the models of versions that were deleted in MLflow, if they still exist.

        Args:
            versions: Of the champion and its predecessor, by the newest decision.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        result = RegisteredAgain()
        for version in versions:
            if version is None or self.exists(version):
                continue
            model = self.of_version(version)
            if model is None:
                result.lost[version] = LostChampionError(
                    f"Version {version} of {self.registry.name}, which the newest decision names,"
                    " does not exist in MLflow, and no decision says what model it was."
                    + _SUPERSEDE
                )
                continue
            try:
                current = self.newest_package(model)
                self.load(current)
                digest = self.packages.sha256(current.bentoml_tag)
                result.found[version] = self.registry.register(
                    current.model_copy(update={"package_sha256": digest}), self.packages
                )
            except UnavailableError:
                raise
            except CreditCtError as error:
                result.lost[version] = LostChampionError(
                    f"Version {version} of base date {model.base_dt}, which the newest decision"
                    f" names, was deleted in MLflow and cannot be registered again:"
                    f" {error.sentence}{_SUPERSEDE}"
                )
        return result


_SUPERSEDE = (
    " Or make another model the champion: credit-ct promote --partition D --by NAME --reason TEXT"
    " supersedes that decision."
)


@dataclass(frozen=True)
class RegisteredAgain:
    """What became of versions that MLflow no longer has.

    Attributes:
        found: Per deleted version, the model with its new one.
        lost: Per deleted version, why there is no new one.
    """

    found: dict[str, ModelIdentity] = field(default_factory=dict)
    lost: dict[str, LostChampionError] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, str]:
        """The version under which a model is registered now, per deleted version."""
        return {version: model.registered_version for version, model in self.found.items()}


def after_registering_again(
    newest: DecisionRecord,
    number: int,
    model: ModelIdentity,
    sentence: str,
    versions: Mapping[str, str],
) -> DecisionRecord:
    """The record that follows the newest one when a model that serves has a new version.

    Args:
        newest: The newest decision.
        number: Of this record.
        model: With its new version.
        sentence: Why.
        versions: The new version per former one.
    """
    return DecisionRecord(
        number=number,
        time=datetime.now(UTC).replace(microsecond=0),
        by=GATE,
        reason=None,
        dagster_run_id=None,
        model=model,
        before=None,
        decision=Decision(promoted=False, ground=Ground.registered_again, sentence=sentence),
        champion=versions.get(newest.champion or "", newest.champion),
        previous=versions.get(newest.previous or "", newest.previous),
    )


def _named(version: str | None) -> str:
    return f"version {version}" if version else "no version"
