"""The evaluations of earlier prediction days that still count."""

import logging
from collections.abc import Callable
from functools import cached_property

from credit_ct_dagster.contracts.files import MONITORING_FOLDER
from credit_ct_dagster.contracts.probation import Look, ProbationRecord, Verdict
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.stores import MissingArtifactError
from credit_ct_dagster.evidence.earlier_days import records_before
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching.looks import with_look

LooksOf = Callable[[ProbationRecord], tuple[Look, ...] | None]
"""The looks that a record has at one model; None if it is about other models."""


class EarlierLooks:
    """The looks up to a prediction day, each of the time when its day was the newest."""

    def __init__(
        self,
        artifacts: ArtifactsIOManager,
        day: str,
        is_newest: bool,
        days: int,
        log: logging.Logger,
    ) -> None:
        """Read nothing yet.

        Args:
            artifacts: Where the records are.
            day: The prediction day.
            is_newest: Whether a look at it counts. An earlier day that is evaluated again keeps the
                look of then: with labels of now, each of the last days would say the same.
            days: How many days to look back.
            log: Of the run.
        """
        self._artifacts = artifacts
        self._day = day
        self._is_newest = is_newest
        self._days = days
        self._log = log

    def upto(self, of: LooksOf, verdict: Verdict, rows: int) -> tuple[Look, ...]:
        """The looks that count, oldest first, with that of this day if it is the newest.

        Args:
            of: Picks the looks at a model.
            verdict: Of this day.
            rows: Labelled answers that were compared.
        """
        own = of(self._own) if self._own and not self._is_newest else None
        if own is not None:
            return own
        earlier = (found for each in self._before if (found := of(each)) is not None)
        looks = next(earlier, ())
        if not self._is_newest or not rows:
            return looks
        return with_look(looks, Look(day=self._day, rows=rows, verdict=verdict))

    @cached_property
    def _before(self) -> list[ProbationRecord]:
        """The records of the days before, the newest first."""
        found = records_before(self._artifacts, ProbationRecord, self._day, self._days, self._log)
        return found[::-1]

    @cached_property
    def _own(self) -> ProbationRecord | None:
        """What was found of this day before; None if nothing was, or it cannot be read."""
        try:
            return self._artifacts.open(MONITORING_FOLDER, self._day).read(ProbationRecord)
        except MissingArtifactError:
            return None
        except UnavailableError:
            raise
        except CreditCtError as error:
            self._log.warning(error.sentence)
            return None
