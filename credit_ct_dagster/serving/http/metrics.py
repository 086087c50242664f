"""The metrics of the service for Prometheus, summed over its workers.

In a server of several workers, `PROMETHEUS_MULTIPROC_DIR` names a folder where each of them keeps
its numbers; it must be set before this module is imported.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from credit_ct_dagster.modeling import schema

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
"""The route of a request to a path that does not exist: callers cannot make up series."""

_NEWEST: Literal["livemostrecent"] = "livemostrecent"
"""Whichever worker answers knows the state of all: what others said before is outdated."""
_FIELDS = frozenset([*schema.FEATURES, schema.CUSTOMER])
_BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The counters of one worker."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self._requests = Counter(
            "credit_ct_requests", "Requests", ["route", "status"], registry=self._own
        )
        self._seconds = Histogram(
            "credit_ct_request_seconds",
            "From the first byte of a request to the last of its answer",
            ["route"],
            buckets=_BUCKETS,
            registry=self._own,
        )
        self._answers = Counter(
            "credit_ct_answers",
            "Customers that were scored, by class and model",
            ["credit_score", "tag"],
            registry=self._own,
        )
        self._refused = Counter(
            "credit_ct_refused_rows", "Rows that break the contract", ["field"], registry=self._own
        )
        self._unseen = Counter(
            "credit_ct_unseen_words",
            "Words that the model has not seen in training",
            ["field"],
            registry=self._own,
        )
        self._unlogged = Gauge(
            "credit_ct_log_waiting",
            "Predictions that are not in the database yet, those of the spool among them",
            registry=self._own,
            multiprocess_mode=_NEWEST,
        )
        self._lag_seconds = Gauge(
            "credit_ct_log_lag_seconds",
            "Age of the oldest prediction that is not in the database yet",
            registry=self._own,
            multiprocess_mode=_NEWEST,
        )
        self._degraded = Gauge(
            "credit_ct_degraded",
            "1 while a worker serves without its database, or another model than the champion",
            registry=self._own,
            multiprocess_mode=_NEWEST,
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """One request that was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def answered(self, classes: Iterable[str], tag: str) -> None:
        """Customers that were scored."""
        for name in classes:
            self._answers.labels(name, tag).inc()

    def refused(self, fields: Iterable[str]) -> None:
        """Fields by which a row breaks a rule; those that callers made up count as one."""
        for name in fields:
            self._refused.labels(name if name in _FIELDS else OTHER).inc()

    def unseen(self, fields: Iterable[str]) -> None:
        """Fields that hold a word unknown to the model."""
        for name in fields:
            self._unseen.labels(name).inc()

    def state(self, readiness: Mapping[str, Any]) -> None:
        """How far the log lags, and whether a worker is degraded, by the details of readiness."""
        log = readiness["log"]
        self._unlogged.set(log.get("waiting", 0))
        self._lag_seconds.set(log.get("lag_seconds", 0))
        self._degraded.set(
            readiness["status"] != "ready"
            or any(worker.get("problem") for worker in readiness["workers"])
            or any(
                worker.get("log", {}).get("status", "ready") != "ready"
                for worker in readiness["workers"]
            )
        )

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._own)
        all_workers = CollectorRegistry()
        MultiProcessCollector(all_workers)
        return generate_latest(all_workers)
