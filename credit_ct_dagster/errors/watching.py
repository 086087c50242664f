"""The champion in service, as its health record tells."""

from credit_ct_dagster.errors.base import CreditCtError


class NoHealthRecordError(CreditCtError):
    """There is no record of how the champion did on a day."""

    code = "CT-HEALTH-1"


class OutdatedHealthRecordError(CreditCtError):
    """The newest record is of a day long ago: nobody watches the champion."""

    code = "CT-HEALTH-2"


class MissingMeasurementError(CreditCtError):
    """What a health record is made from is missing, or cannot be read."""

    code = "CT-HEALTH-3"


class SlowAnswersError(CreditCtError):
    """Answers over HTTP take too long."""

    code = "CT-HEALTH-4"


class ChangedClassesError(CreditCtError):
    """The same model answers other classes than on the days before."""

    code = "CT-HEALTH-5"
