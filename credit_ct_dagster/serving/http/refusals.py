"""Answers to requests that are not fulfilled: one shape, and no value of a row."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from credit_ct_dagster.serving.contract import Problem


class RefusedError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: Of HTTP.
        code: Names the kind for programs: a word for what the caller can correct, a code of the
            runbook for what the operator can.
        message: One sentence for a person. It quotes nothing of the request.
        problems: Field by field.
        headers: That belong to the answer, such as `Allow`.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        problems: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.problems, self.headers = problems, headers or {}

    def as_dict(self) -> dict[str, Any]:
        """The error, without the object around it."""
        return {
            "code": self.code,
            "message": self.message,
            "problems": [problem.as_dict() for problem in self.problems],
        }

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(
            {"error": self.as_dict()}, status_code=self.status, headers=dict(self.headers)
        )


def malformed(message: str) -> RefusedError:
    """A body that is no JSON."""
    return RefusedError(HTTPStatus.BAD_REQUEST, "malformed_json", message)


def invalid(message: str, problems: Sequence[Problem] = ()) -> RefusedError:
    """A body, row or key that breaks a rule."""
    return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", message, problems)


def invalid_customer(problems: Sequence[Problem]) -> RefusedError:
    """A row that breaks the contract."""
    return RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_customer",
        f"The customer cannot be scored: {len(problems)} of its fields"
        f" {'breaks a rule' if len(problems) == 1 else 'break a rule'}.",
        problems,
    )


def unavailable(code: str, message: str) -> RefusedError:
    """Something that the service needs is away; a later request may succeed."""
    return RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, code, message, headers={"Retry-After": "1"})
