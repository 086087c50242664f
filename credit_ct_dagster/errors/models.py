"""Searches, MLflow, packages and the champion."""

from credit_ct_dagster.errors.base import CreditCtError, UnavailableError

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


class MovedStoreError(CreditCtError):
    """MLflow recorded that files lie in another folder than the one that is configured."""

    code = "CT-MLFLOW-4"


class DeletedInMlflowError(CreditCtError):
    """The experiment, or a run, is in MLflow's trash."""

    code = "CT-MLFLOW-5"


class MissingPackageError(CreditCtError):
    """A model is not packaged, or its package was deleted."""

    code = "CT-PACKAGE-1"


class UnusablePackageError(CreditCtError):
    """A package was made by a release that packaged less."""

    code = "CT-PACKAGE-2"


class PackagesNotWritableError(CreditCtError):
    """The BentoML store cannot be written."""

    code = "CT-PACKAGE-3"


class ChangedPackageError(CreditCtError):
    """A package is not the one that was recorded."""

    code = "CT-PACKAGE-4"


class BrokenPackageError(CreditCtError):
    """A package is damaged."""

    code = "CT-PACKAGE-5"


class PackageDoesNotServeError(CreditCtError):
    """A package, started as a server, does not answer golden rows as the pipeline does."""

    code = "CT-PACKAGE-6"


class WorsePackageError(CreditCtError):
    """The champion was packaged again, and the new package is worse than the one that serves."""

    code = "CT-PACKAGE-7"


class ChampionDisagreementError(CreditCtError):
    """MLflow, BentoML and the newest decision do not name the same champion."""

    code = "CT-CHAMPION-1"


class UnrecordedChampionError(CreditCtError):
    """The champion was not promoted by any decision on record."""

    code = "CT-CHAMPION-2"


class NothingToDecideError(CreditCtError):
    """A person asked for a decision that would change nothing."""

    code = "CT-CHAMPION-3"


class LostChampionError(CreditCtError):
    """The model that the newest decision names no longer exists in MLflow."""

    code = "CT-CHAMPION-4"


class ChangedDecisionsError(CreditCtError):
    """Records of decisions are missing, or were changed."""

    code = "CT-CHAMPION-5"


class OvertakenDecisionError(UnavailableError):
    """Another decision was recorded while one was taken."""

    code = "CT-CHAMPION-6"


class ExcludedFeaturesError(CreditCtError):
    """The champion uses features that the bank has excluded since it was trained."""

    code = "CT-CHAMPION-7"


class NotAwaitingApprovalError(CreditCtError):
    """A person answered a request for an approval that waits no more, or never did."""

    code = "CT-CHAMPION-8"


class ChangedSinceRequestError(CreditCtError):
    """A model, or the champion that it was compared with, is another one than when it was asked."""

    code = "CT-CHAMPION-9"


class OverruledFindingsError(CreditCtError):
    """Something speaks against what a person decided, who did not say that this is known."""

    code = "CT-CHAMPION-10"


class DecisionNotShownError(CreditCtError):
    """A decision stands, but Dagster's history or a model card does not show it yet."""

    code = "CT-CHAMPION-11"


class UnapprovedPackageError(CreditCtError):
    """The champion was packaged again, and a person has to approve the new package."""

    code = "CT-CHAMPION-12"
