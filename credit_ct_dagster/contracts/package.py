"""What the metadata of a package say of the model inside."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field

from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.rounding import told_apart

_VERSION = "record_version"
_UNCALIBRATED = "none"
_WAYS = {
    _UNCALIBRATED: "the model's own",
    "sigmoid": "with a sigmoid curve per class",
    "isotonic": "with an isotonic curve per class",
}
_BY_CHOICE = "in cross-validation on the validation rows"


class PackageRecord(Record):
    """The facts about a packaged model that are read again.

    Attributes:
        seen_share: Share of customers, by position, that the model was fitted to or chosen by.
        calibration: How its probabilities are calibrated.
        log_loss_per_calibration: On validation rows, in nats; empty when there were too few rows to
            choose by.
        class_weights: By which the class is chosen from the probabilities, where macro-F1 is the
            utility: `start`, `tuned` or `even`; empty for other rules, and in what earlier releases
            wrote, as the next three.
        macro_f1_per_rule: Of each of these, and of the highest raw score, on validation rows of
            customers that nothing of it was fitted to; empty when there was nothing to choose, or
            too few customers to choose by.
        calibrated_on: The base date whose validation rows calibrate the probabilities.
        refitted: Whether the model was fitted again to the training and the validation rows, once
            everything was chosen.
    """

    FILE: ClassVar[str] = "model.yaml"
    REMEDY: ClassVar[str] = (
        "materialize bentoml_model and champion_model for the base date of the package"
    )

    seen_share: float
    calibration: str
    log_loss_per_calibration: Mapping[str, float]
    class_weights: str = ""
    macro_f1_per_rule: Mapping[str, float] = Field(default_factory=dict)
    calibrated_on: str = ""
    refitted: bool = False

    @property
    def calibration_sentence(self) -> str:
        """Whether probabilities were recalibrated, how, and why, for a person."""
        losses = self.log_loss_per_calibration
        if self.calibration != _UNCALIBRATED:
            said = f"The probabilities were recalibrated {_WAYS[self.calibration]}"
            why = f": {_BY_CHOICE}, that had the lowest log-loss" if losses else ""
        else:
            said = "The probabilities were not recalibrated"
            if not losses:
                why = ": there were too few validation rows to learn it from"
            elif min(losses, key=losses.__getitem__) == _UNCALIBRATED:
                why = f": {_BY_CHOICE}, the model's own had the lowest log-loss"
            else:
                why = (
                    ", because the model follows declared directions (monotone: true), which curves"
                    f" per class would break; log-loss {_BY_CHOICE}"
                )
        tried = ", ".join(
            f"{_WAYS[way]} {told_apart('.4f', loss, *losses.values())}"
            for way, loss in losses.items()
        )
        return f"{said}{why} ({tried})." if tried else f"{said}{why}."

    def to_metadata(self) -> dict[str, Any]:
        """As BentoML stores it, beside other metadata."""
        values = self.model_dump(mode="json")
        return {_VERSION: values.pop("version"), **values}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any], where: str) -> Self:
        """Read a package's metadata.

        Args:
            metadata: Of the package.
            where: Its tag and store, for a person.

        Raises:
            NewerRecordError: A later release packaged it.
            UnreadableRecordError: It lacks what the platform stores with every package.
        """
        return cls.from_values({**metadata, "version": metadata.get(_VERSION, 1)}, where)
