"""The rows of a base date as they were merged, before they were prepared."""

from credit_ct_dagster.io_managers.raw_rows import raw_holdouts, raw_rows

__all__ = ["raw_holdouts", "raw_rows"]
