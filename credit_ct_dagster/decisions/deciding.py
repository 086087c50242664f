"""What a process may do while it holds the lock for decisions."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.decision import GATE, Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.decisions.recorded_models import RecordedModels, after_registering_again
from credit_ct_dagster.decisions.tenures import history_of
from credit_ct_dagster.errors.models import (
    LostChampionError,
    MissingPackageError,
    UnrecordedChampionError,
)
from credit_ct_dagster.modeling.judging.gate_rules import PastVerdict
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry

if TYPE_CHECKING:
    from credit_ct_dagster.decisions.promotions import Promotions

logger = logging.getLogger(__name__)

CHAMPION = "champion"
PREVIOUS = "previous"

_APPLIED = "record"
"""The tag of a registered version with the number of the newest decision that was applied."""


class Deciding:
    """What a process may do while it holds the lock; see `Promotions.deciding`.

    Attributes:
        to_show: The decisions that were recorded meanwhile, oldest first; and one that a retry
            finds, as the attempt that recorded it may have been killed before it was shown.
    """

    def __init__(
        self, promotions: "Promotions", registry: ModelRegistry, ensure_held: Callable[[], bool]
    ) -> None:
        self._promotions = promotions
        self._registry = registry
        self._ensure_held = ensure_held
        self.to_show: list[DecisionRecord] = []
        self._read_records()
        self._lost: dict[str, LostChampionError] = {}

    @property
    def records(self) -> list[DecisionRecord]:
        """Every decision, oldest first."""
        return self._records

    def register(
        self,
        base_dt: str,
        mlflow_run_id: str,
        reported: Mapping[str, str] | None = None,
        require_not_worse: Callable[[ModelIdentity, ModelIdentity], None] | None = None,
    ) -> ModelIdentity:
        """Register the newest package that a base date has of an MLflow run.

        Args:
            base_dt: The base date.
            mlflow_run_id: The run of the model.
            reported: Per tag, the hash that was reported when a package was made.
            require_not_worse: Called with the new package of a champion that was packaged again,
                and with the champion; raises if the old package has to stay.

        Raises:
            MissingPackageError: It has none.
            ChangedPackageError: The package is another one than was reported or registered.
            PackageDoesNotServeError: The champion was packaged again, and the new package does
                not serve; the old one stays.
        """
        package = self._promotions.packages.newest(base_dt, mlflow_run_id)
        if package is None:
            raise MissingPackageError(
                f"MLflow run {mlflow_run_id}, the best of base date {base_dt}, is not packaged:"
                " materialize bentoml_model for this base date."
            )
        packages = self._promotions.packages
        sha256 = packages.sha256(package.bentoml_tag)
        packages.require_unchanged(package, (reported or {}).get(package.bentoml_tag, ""))
        registered = self._registry.of_package(mlflow_run_id, package.bentoml_tag)
        if registered:
            packages.require_unchanged(package, registered.package_sha256)
        package = package.model_copy(update={"package_sha256": sha256})
        champion = self._promotions.champion()
        if (
            champion
            and champion.mlflow_run_id == mlflow_run_id
            and champion.bentoml_tag != package.bentoml_tag
        ):  # it was packaged again, and this package will serve as soon as it is registered
            self._promotions.require_serves(package)
            if require_not_worse:
                require_not_worse(package, champion)
        identity = self._registry.register(package, packages)
        self._replace_versions_by(identity)
        self._label_packages()
        return identity

    def champion(self) -> ModelIdentity | None:
        """The model that serves; None before the first promotion.

        Raises:
            LostChampionError: MLflow has lost it.
        """
        return self._unless_lost(CHAMPION, self._promotions.champion())

    def previous(self) -> ModelIdentity | None:
        """The model that served before; None if there is none.

        Raises:
            LostChampionError: MLflow has lost it.
        """
        return self._unless_lost(PREVIOUS, self._promotions.previous())

    def recorded(self, model: ModelIdentity, decision: Decision) -> DecisionRecord | None:
        """The newest record about a model, if no person wrote it, and it says the same.

        The same on the same evidence, against the same champion.
        """
        champion = self._promotions.champion()
        for record in reversed(self._records):
            is_registration = record.decision.ground == Ground.registered_again
            if record.model.mlflow_run_id == model.mlflow_run_id and not is_registration:
                same = not record.by_person and record.decision == decision
                is_same = same and _run_of(record.before) == _run_of(champion)
                return self._found(record) if is_same else None
        return None

    def _found(self, record: DecisionRecord) -> DecisionRecord:
        self.to_show.append(record)
        return record

    def history(self) -> list[PastVerdict]:
        """What the gate found about earlier challengers, oldest first."""
        return history_of(self._records, self._promotions.champion())

    def promotion_of(self, version: str) -> DecisionRecord:
        """The newest decision by which a registered version became the champion.

        Raises:
            UnrecordedChampionError: There is none: the alias was moved by hand.
        """
        model = self._models().of_version(version)
        for record in reversed(self._records):
            if record.decision.promoted and _run_of(record.model) == _run_of(model):
                return self._found(record)
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
        by: str = GATE,
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
        champion, previous = self._promotions.champion(), self._promotions.previous()
        recorded = recorded_versions(self._records)[CHAMPION]
        by_alias = [each.registered_version if each else None for each in (champion, previous)]
        serves = model.registered_version if decision.promoted else by_alias[0]
        served = (
            [by_alias[0], recorded, by_alias[1]] if decision.promoted else [by_alias[1], recorded]
        )
        record = DecisionRecord(
            version=decision.ground.record_version,
            number=self._decisions.next_number,
            time=datetime.now(UTC).replace(microsecond=0),
            by=by,
            reason=reason,
            dagster_run_id=dagster_run_id,
            model=model,
            before=champion,
            decision=decision,
            champion=serves,
            # A person may have moved the champion's alias onto the one that served before.
            previous=next(
                (each for each in served if each not in {None, serves, *self._lost}), None
            ),
        )
        written = self._write(record)
        self.apply_newest()
        return written

    def _write(self, record: DecisionRecord) -> DecisionRecord:
        # If the lock was lost meanwhile, it is taken again, and `append` finds what came between.
        self._ensure_held()
        linked = record.model_copy(update={"preceding_sha256": self._decisions.newest_sha256})
        self._promotions.decisions.append(linked)
        self._read_records()
        self.to_show.append(linked)
        return linked

    def _read_records(self) -> None:
        self._decisions = self._promotions.decisions.read()
        self._records = self._decisions.records

    def apply_newest(self) -> None:
        """Set aliases and labels to the newest decision, unless that was done before.

        An alias that a person moves in MLflow later stays where it is.
        """
        if not self._ensure_held():
            self._read_records()
        if not self._records:
            return
        record = self._records[-1]
        number = str(record.number)
        if record.champion is None or record.champion in self._lost:
            return
        if self._registry.noted(record.champion, _APPLIED) == number:
            return
        for alias, version in ((PREVIOUS, record.previous), (CHAMPION, record.champion)):
            if version not in self._lost:
                self._registry.set_alias(alias, version)
        self._label_packages()
        self._registry.note(record.champion, _APPLIED, number)

    def register_deleted(self) -> None:
        """Register the champion and its predecessor again if their versions were deleted.

        Each is put on record with its new version. One that cannot be registered is lost: whoever
        needs it fails, but a person may still promote another model.
        """
        if not self._records:
            return
        newest = self._records[-1]
        again = self._models().register_again([newest.champion, newest.previous])
        self._lost = again.lost
        for version, model in again.found.items():
            sentence = (
                f"Version {version} of base date {model.base_dt} was deleted in MLflow: its model"
                f" is registered again, as version {model.registered_version}."
            )
            logger.warning(sentence)
            self._record_again(model, sentence, again.versions)

    def _replace_versions_by(self, model: ModelIdentity) -> None:
        """Record that the champion or its predecessor was packaged again, as a new version."""
        for version in self._models().replaced_by(model):
            sentence = (
                f"Version {version} of base date {model.base_dt} was packaged again with other"
                f" contents: its model is registered as version {model.registered_version}."
            )
            logger.info(sentence)
            self._record_again(model, sentence, {version: model.registered_version})
            self.apply_newest()

    def _record_again(
        self, model: ModelIdentity, sentence: str, versions: Mapping[str, str]
    ) -> None:
        """Record that a model has a new version; `versions` has it per former one."""
        newest, number = self._records[-1], self._decisions.next_number
        self._write(after_registering_again(newest, number, model, sentence, versions))

    def _models(self) -> RecordedModels:
        return RecordedModels(self._records, self._registry, self._promotions.packages)

    def _unless_lost(self, alias: str, model: ModelIdentity | None) -> ModelIdentity | None:
        error = self._lost.get(recorded_versions(self._records)[alias] or "")
        if model is None and error:
            raise error
        return model

    def _label_packages(self) -> None:
        roles = {PREVIOUS: self._promotions.previous(), CHAMPION: self._promotions.champion()}
        self._promotions.packages.set_roles(
            {each.bentoml_tag: alias for alias, each in roles.items() if each}
        )


def recorded_versions(records: Sequence[DecisionRecord]) -> dict[str, str | None]:
    """The registered version per alias, according to the newest decision."""
    if not records:
        return {CHAMPION: None, PREVIOUS: None}
    return {CHAMPION: records[-1].champion, PREVIOUS: records[-1].previous}


def _run_of(model: ModelIdentity | None) -> str | None:
    """The MLflow run of a model, which never changes; a version may be registered again."""
    return model.mlflow_run_id if model else None
