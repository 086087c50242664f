"""A promotion that waits for a person."""

from enum import StrEnum

from pydantic import AwareDatetime

from credit_ct_dagster.contracts.record import Part


class ApprovalPolicy(StrEnum):
    """Whether a person has to approve a promotion."""

    off = "off"
    """The gate promotes by itself."""
    required = "required"
    """A model that the gate would promote waits until a person approves it."""


class Approval(Part):
    """What a decision has to do with an approval.

    Attributes:
        expires: Until when a person may approve what this decision asks for; None if it asks for
            nothing.
        supersedes: The number of the request whose place this one took; None if none waited.
        request: The number of the request that this decision ended; None if it ended none.
        found: What the gate found, in its sentence; None if this decision asks for nothing.
    """

    expires: AwareDatetime | None = None
    supersedes: int | None = None
    request: int | None = None
    found: str | None = None
