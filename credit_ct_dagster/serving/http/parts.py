"""What the service is made of: who has the model, keeps the log and knows the customers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from credit_ct_dagster.serving.follower import FollowerState, ServedModel
from credit_ct_dagster.serving.log.prediction import Prediction


class Models(Protocol):
    """Has the model that answers now."""

    @property
    def current(self) -> ServedModel | None:
        """The model; None before the first one was loaded."""

    def state(self) -> FollowerState:
        """How far it follows the champion."""


class Log(Protocol):
    """Keeps every prediction before it is answered."""

    def record(self, prediction: Prediction) -> "Future[Any]":
        """Write it with others; done once it would survive the death of the process.

        The future fails with a `CreditCtError` if it cannot be kept.
        """

    def find_many(self, request_ids: Collection[str]) -> Mapping[str, Prediction]:
        """The predictions of requests, by request id, where there are any. Waits."""


class Customers(Protocol):
    """Knows the customers of the feature store."""

    def newest_features(self, customer_id: str) -> tuple[str, Mapping[str, Any]] | None:
        """A customer's newest features and their date, YYYY-MM-DD; None for an unknown one."""


def _nothing(_model: ServedModel) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Parts:
    """What a service is made of.

    Attributes:
        models: Has the model.
        log: Keeps predictions; None: they are not kept, and requests cannot be repeated.
        customers: Knows customers; None: /predict_customer knows none.
        details: Metrics, versions and card of a model, for GET /model. May take long.
        log_state: What /readyz says of the log: `status` ("ready" unless the log is degraded) and
            `waiting` (predictions that are not in the database yet), among others.
        workers: What /readyz says of every worker of the server.
        reasons: Whether answers have reasons.
    """

    models: Models
    log: Log | None = None
    customers: Customers | None = None
    details: Callable[[ServedModel], Mapping[str, Any]] = _nothing
    log_state: Callable[[], Mapping[str, Any]] = field(default=dict)
    workers: Callable[[], Sequence[Mapping[str, Any]]] = field(default=list)
    reasons: bool = True
