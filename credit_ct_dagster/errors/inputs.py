"""What people and other systems give: configuration, base dates, files and rows."""

from credit_ct_dagster.errors.base import CreditCtError

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
    """A run or a check was started without a base date, or with a range of them."""

    code = "CT-DATE-2"


class BaseDateMissingError(CreditCtError):
    """A base date that was due has no model card; only ever an alert."""

    code = "CT-DATE-3"


# Files that are loaded, and rows


class DataError(CreditCtError, ValueError):
    """Rows that cannot be loaded or trained on as they are."""


class FileError(DataError):
    """A file of rows cannot be loaded, or its customers cannot be scored."""

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


class TooManyRefusedRowsError(DataError):
    """Too many feature rows of a base date break a rule for its customers to be scored."""

    code = "CT-ROWS-4"


# Customers that are scored


class RefusedRowsError(DataError):
    """Customers of a file break a rule of the model's contract."""

    code = "CT-PREDICT-1"


class PredictionsNotWrittenError(CreditCtError):
    """Predictions cannot be written where they should be."""

    code = "CT-PREDICT-2"


class UnknownCustomerError(DataError):
    """The feature store has no features of a customer."""

    code = "CT-PREDICT-3"
