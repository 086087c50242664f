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
