"""What is read and written: the feature store, artifacts and records."""

from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.inputs import DataError

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
    """Another merge or load has held the tables for too long."""

    code = "CT-STORE-8"


class UnsuitableTableError(FeatureStoreError):
    """A table of an existing database has a key, a type or a column that does not fit."""

    code = "CT-STORE-9"


class RepeatedKeysError(FeatureStoreError):
    """Rows of a source table have one key, or keys that the database takes for equal."""

    code = "CT-STORE-10"


class LockUnavailableError(UnavailableError):
    """The database that keeps a lock did not answer."""

    code = "CT-LOCK-1"


# The prediction log


class PredictionNotLoggedError(UnavailableError):
    """Neither the database nor the spool took a prediction, so it must not be answered."""

    code = "CT-LOG-1"


class DuplicateRequestError(CreditCtError):
    """The log has a prediction with this request id already."""

    code = "CT-LOG-2"


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


class ArtifactsUnavailableError(UnavailableError):
    """The object store with the artifacts did not answer."""

    code = "CT-FILES-7"


class DamagedFileError(CreditCtError):
    """A file of an earlier step is not what was written."""

    code = "CT-FILES-8"


class ReadableByOthersError(CreditCtError):
    """Other users of this machine can read rows of customers."""

    code = "CT-FILES-9"
