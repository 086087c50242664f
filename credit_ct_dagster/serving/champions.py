"""Who knows the champion, and who is notified when it is not served."""

from typing import TYPE_CHECKING, Protocol

from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.errors.base import CreditCtError

if TYPE_CHECKING:  # CatBoost takes seconds to import
    from credit_ct_dagster.scorer.scorer import Scorer
    from credit_ct_dagster.serving.follower import FollowerState


class Packaged(Protocol):
    """A package that was opened."""

    @property
    def identity(self) -> ModelIdentity:
        """What its labels say it was made from."""

    @property
    def data(self) -> ScorerRecord:
        """What its scorer knows besides the model."""

    @property
    def scorer(self) -> "Scorer":
        """The model."""

    @property
    def golden(self) -> GoldenRows | None:
        """Rows with the pipeline's answers; None in packages of earlier releases."""


class Champions(Protocol):
    """Knows which model serves, and opens packages."""

    def champion(self) -> ModelIdentity | None:
        """The model that should serve, asked twice a second; None before the first promotion."""

    def load(self, model: ModelIdentity) -> Packaged:
        """Its package, once its hash was compared."""


class Reporter(Protocol):
    """Is notified, once per cause, of what keeps the champion from being served; must not wait."""

    def failed(self, error: CreditCtError, state: "FollowerState") -> None:
        """The champion is not served."""

    def solved(self) -> None:
        """It is served again."""
