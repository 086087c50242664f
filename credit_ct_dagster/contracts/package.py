"""What the metadata of a package say of the model inside."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from credit_ct_dagster.contracts.record import Record

_VERSION = "record_version"


class PackageRecord(Record):
    """The facts about a packaged model that are read again.

    Attributes:
        seen_share: Share of customers, by position, that the model was fitted to or chosen by.
        calibration: How its probabilities are calibrated.
        log_loss_per_calibration: On validation rows, in nats; empty when there were too few rows to
            choose by.
    """

    FILE: ClassVar[str] = "model.yaml"
    REMEDY: ClassVar[str] = (
        "materialize bentoml_model and champion_model for the base date of the package"
    )

    seen_share: float
    calibration: str
    log_loss_per_calibration: Mapping[str, float]

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
