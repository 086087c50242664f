"""Failures that a person can act on: one class per kind, each with a stable code.

The code stands in the message, in alerts, in JSON log lines and in the metadata of a failed run;
`docs/runbook.md` has a section for it. A code is never given to another kind of failure.
"""

import os
import re
from typing import ClassVar

_RUNBOOK = "docs/runbook.md"


def runbook_section(code: str) -> str:
    """Where the runbook explains a code: in the repository, or below RUNBOOK_URL."""
    return f"{os.environ.get('RUNBOOK_URL') or _RUNBOOK}#{code.lower()}"


def with_reference(sentence: str, code: str) -> str:
    """A sentence that ends with its code and where to look it up."""
    return f"{sentence} See {code}: {runbook_section(code)}"


def code_in(text: str) -> str | None:
    """The code that the first sentence with a reference refers to; None in a text without one."""
    found = re.search(r"See (CT-[A-Z0-9-]+): ", text)
    return found[1] if found else None


class CreditCtError(Exception):
    """A failure whose message says what happened, to which base date, and what to do.

    The command line prints the message alone; Dagster shows it as the reason of the failed step
    and does not retry it, because the same input fails the same way.

    Attributes:
        code: Names the kind of failure; each class that is raised has its own.
        sentence: The message without the reference to the runbook, to be quoted in another one.
    """

    code: ClassVar[str]

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return with_reference(self.sentence, self.code)


class UnavailableError(CreditCtError):
    """A server did not answer. A later attempt may succeed, so steps are retried."""


# Configuration


class SettingsError(CreditCtError):
    """A variable of the environment has a value that cannot be used."""

    code = "CT-CONFIG-1"


class DatabaseUrlError(CreditCtError):
    """A variable holds no URL of a supported database."""

    code = "CT-CONFIG-2"


class RunConfigError(CreditCtError):
    """The run configuration is not valid."""

    code = "CT-CONFIG-3"


# The calendar


class BaseDateError(CreditCtError):
    """There is no such base date, or it has not ended yet."""

    code = "CT-DATE-1"


class NoBaseDateError(CreditCtError):
    """A check was executed without the base date that it looks at."""

    code = "CT-DATE-2"


class BaseDateMissingError(CreditCtError):
    """A base date that was due has no model card; only ever an alert."""

    code = "CT-DATE-3"


# Files that are loaded, and rows


class DataError(CreditCtError, ValueError):
    """Rows that cannot be loaded or trained on as they are."""


class FileError(DataError):
    """A file cannot be loaded into the source tables."""

    code = "CT-LOAD-1"


class EmptyWindowError(DataError):
    """A base date has no rows to train on."""

    code = "CT-ROWS-1"


class UnusableRowsError(DataError):
    """The rows of a base date are too few or too much alike to train on."""

    code = "CT-ROWS-2"


class RowTypesError(DataError):
    """Columns of the merged rows are missing or of another type."""

    code = "CT-ROWS-3"


# The feature store


class FeatureStoreError(CreditCtError):
    """The feature store cannot be used as it is."""


class FeatureStoreUnavailableError(FeatureStoreError, UnavailableError):
    """The feature store did not answer."""

    code = "CT-STORE-1"


class FeatureStoreRefusedError(FeatureStoreError):
    """The feature store refused a statement, or cannot be opened."""

    code = "CT-STORE-2"


class MissingTableError(FeatureStoreError):
    """A table is missing."""

    code = "CT-STORE-3"


class MissingColumnError(FeatureStoreError):
    """A table lacks a column."""

    code = "CT-STORE-4"


class MissingRightsError(FeatureStoreError):
    """The user lacks a right."""

    code = "CT-STORE-5"


class LenientServerError(FeatureStoreError):
    """The server changes values that do not fit instead of refusing them."""

    code = "CT-STORE-6"


class NoLabelsError(FeatureStoreError):
    """There are no labels to train on."""

    code = "CT-STORE-7"


class MergeBusyError(FeatureStoreError, UnavailableError):
    """Another merge has held the table for too long."""

    code = "CT-STORE-8"


class LockUnavailableError(UnavailableError):
    """The database that keeps a lock did not answer."""

    code = "CT-LOCK-1"


# Artifacts and records


class MissingArtifactError(CreditCtError):
    """A file of an earlier step does not exist."""

    code = "CT-FILES-1"


class ArtifactsNotWritableError(CreditCtError):
    """Artifacts cannot be written."""

    code = "CT-FILES-2"


class UnreadableRecordError(CreditCtError):
    """A record does not validate."""

    code = "CT-FILES-3"


class NewerRecordError(CreditCtError):
    """A later release wrote a record."""

    code = "CT-FILES-4"


class MixedArtifactsError(DataError):
    """Files that belong together were written by different runs."""

    code = "CT-FILES-5"


class LowDiskSpaceError(CreditCtError):
    """Little room is left on a disk."""

    code = "CT-FILES-6"


# The search


class StudyStorageUnavailableError(UnavailableError):
    """Optuna's storage did not answer."""

    code = "CT-SEARCH-1"


class ForeignStudyError(CreditCtError):
    """A worker's environment leads to another Optuna storage than the run's."""

    code = "CT-SEARCH-2"


class SearchFailedError(CreditCtError):
    """A search ended without a model."""

    code = "CT-SEARCH-3"


class DaskUnavailableError(UnavailableError):
    """The Dask scheduler did not answer, or has no workers."""

    code = "CT-DASK-1"


# MLflow, packages, and the champion


class MlflowUnavailableError(UnavailableError):
    """MLflow did not answer."""

    code = "CT-MLFLOW-1"


class MlflowRefusedError(CreditCtError):
    """MLflow refused a request, and would again."""

    code = "CT-MLFLOW-2"


class MissingModelError(CreditCtError):
    """The model of an MLflow run was deleted."""

    code = "CT-MLFLOW-3"


class MissingPackageError(CreditCtError):
    """A model is not packaged, or its package was deleted."""

    code = "CT-PACKAGE-1"


class UnusablePackageError(CreditCtError):
    """A package was made by a release that packaged less."""

    code = "CT-PACKAGE-2"


class PackagesNotWritableError(CreditCtError):
    """The BentoML store cannot be written."""

    code = "CT-PACKAGE-3"


class ChampionDisagreementError(CreditCtError):
    """MLflow, BentoML and the newest decision do not name the same champion."""

    code = "CT-CHAMPION-1"


class UnrecordedChampionError(CreditCtError):
    """The champion was not promoted by any decision on record."""

    code = "CT-CHAMPION-2"


class NothingToDecideError(CreditCtError):
    """A person asked for a decision that would change nothing."""

    code = "CT-CHAMPION-3"


# Alerts, runs and Dagster


class AlertNotDeliveredError(UnavailableError):
    """A mail server or a webhook did not accept an alert."""

    code = "CT-ALERT-1"


class RunFailedError(CreditCtError):
    """A run failed; the sentence is its own reason, with the reference that belongs to it."""

    code = "CT-RUN-1"

    def __str__(self) -> str:
        return self.sentence


class ProcessKilledError(CreditCtError):
    """The process that executed a run was killed."""

    code = "CT-RUN-2"


class InstanceBusyError(CreditCtError):
    """Another command is opening Dagster's history."""

    code = "CT-DAGSTER-1"


class DaemonSilentError(CreditCtError):
    """Dagster's daemon gives no sign of life."""

    code = "CT-DAGSTER-2"


class AutomationOffError(CreditCtError):
    """Schedules or sensors are switched off."""

    code = "CT-DAGSTER-3"


class UnexpectedError(CreditCtError):
    """A failure that the platform does not know."""

    code = "CT-UNEXPECTED-1"


class LibraryChangedError(CreditCtError):
    """A library that was upgraded lacks what the platform uses of it."""

    code = "CT-UNEXPECTED-2"
