"""What the service that answers over HTTP says of itself."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import gaierror
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from credit_ct_dagster.contracts.health import ServiceInstance, ServiceState
from credit_ct_dagster.errors.serving import ServiceDegradedError, ServiceSilentError

if TYPE_CHECKING:  # it needs Dagster, which the supervisor of the service does not
    from credit_ct_dagster.resources.bentoml_store import BentoMLStore

_TIMEOUT_SECONDS = 2


@dataclass(frozen=True)
class Service:
    """The service, as SERVICE_URL names it.

    Attributes:
        url: Its address.
        key: One of its API keys; without one, it tells only whether it is ready.
        is_expected: Whether somebody configured it; otherwise it need not run.
        packages: Those of this installation; a service that serves another one is not its own.
            [default: any is]
    """

    url: str
    key: str | None = field(default=None, repr=False)
    is_expected: bool = False
    packages: "BentoMLStore | None" = field(default=None, repr=False)

    def summary(self) -> str:
        """The service in one sentence, whatever its state.

        Raises:
            ServiceSilentError: Something listens there, and does not answer as the service does,
                or is the service of another installation.
        """
        found = self._ask()
        if found is None:
            return f"not running at {self.url} (credit-ct serve)"
        return ". ".join([_serving(found), *_problems(found)])

    def as_dict(self) -> dict[str, Any]:
        """The service for other programs, whatever its state: what /readyz says, and the address.

        `status` is `not running` where nothing listens, and `silent` where something does that is
        not the service of this installation.
        """
        try:
            found = self._ask() or {"status": "not running"}
        except ServiceSilentError as error:
            found = {"status": "silent", "problem": str(error), "code": error.code}
        return {"url": self.url, **found}

    @property
    def url_without_password(self) -> str:
        """Its address, as it may be shown."""
        return re.sub(r"//[^@/\s]*@", "//", self.url)

    def state(self, asked_at: datetime) -> ServiceState:
        """The service for a record, whatever its state: that it does not answer is no failure.

        Args:
            asked_at: Now, with a time zone.
        """
        url = self.url_without_password
        asked: dict[str, Any] = {
            "url": url, "asked_at": asked_at, "is_expected": self.is_expected,
        }  # fmt: skip
        try:
            found = self.as_dict()
            return ServiceState(
                **asked,
                status=found["status"],
                is_known="workers" in found,
                tag=(found.get("model") or {}).get("tag"),
                since=found.get("since"),
                champion=(found.get("champion") or {}).get("tag"),
                instances=tuple(
                    ServiceInstance(
                        tag=(each.get("serving") or {}).get("tag"),
                        since=each.get("since"),
                        problem=each.get("problem"),
                    )
                    for each in found.get("workers", [])
                ),
                problems=tuple(_problems(found)),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # No address, or the answer of another server.
            problem = ServiceSilentError(
                f"{url} cannot be asked how the service is ({type(error).__name__}):"
                " correct SERVICE_URL."
            )
            return ServiceState(**asked, status="silent", problems=(str(problem),))

    def require_healthy(self) -> str:
        """Make sure that it serves the champion, and that its log is in the database.

        Returns:
            What it serves, in a sentence.

        Raises:
            ServiceSilentError: It is expected to run, and does not answer; or another installation
                answers there.
            ServiceDegradedError: It does not serve the champion, or its log is elsewhere.
        """
        found = self._ask()
        if found is None:
            if self.is_expected:
                raise ServiceSilentError(
                    f"Nothing listens at {self.url}: start the service (credit-ct serve), or"
                    " correct SERVICE_URL."
                )
            return f"none runs at {self.url}"
        problems = _problems(found)
        if problems or found.get("status") != "ready":
            raise ServiceDegradedError(
                f"The service at {self.url} is {found.get('status')}: {_serving(found)}. "
                + (" ".join(problems) or "Its log says why.")
            )
        return _serving(found)

    def _ask(self) -> dict[str, Any] | None:
        """What it answers; None if nothing listens."""
        answer = self._answer()
        model = answer.get("model") if answer else None
        if isinstance(model, dict) and "tag" in model:
            self._require_own(str(model["tag"]))
        return answer

    def _require_own(self, tag: str) -> None:
        if self.packages is None or self.packages.tagged([tag]):
            return
        expected = self.packages.model_name
        why = (
            "which is none of the packages of this installation"
            if tag.startswith(f"{expected}:")
            else f"and the model of this installation is {expected}"
        )
        raise ServiceSilentError(
            f"The service at {self.url_without_password} is that of another installation: it serves"
            f" {tag}, {why}. Is SERVICE_URL right? Set it to where credit-ct serve of this"
            " installation listens."
        )

    def _answer(self) -> dict[str, Any] | None:
        address = urlsplit(self.url)
        kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
        try:
            headers = {"X-API-Key": self.key} if self.key else {}
            connection.request("GET", f"{address.path.rstrip('/')}/readyz", headers=headers)
            answer = json.loads(connection.getresponse().read())
            if not isinstance(answer, dict) or "status" not in answer:
                raise ValueError("another server")
        except (ConnectionRefusedError, gaierror):  # a container that is stopped has no name
            return None
        except (OSError, HTTPException, ValueError) as error:
            raise ServiceSilentError(
                f"What listens at {self.url} does not answer as the service does"
                f" ({type(error).__name__}). If it has just been started, wait some seconds;"
                " otherwise look at its log, or correct SERVICE_URL."
            ) from None
        else:
            return answer
        finally:
            connection.close()


def _serving(found: Mapping[str, Any]) -> str:
    if "workers" not in found:
        return f"it is {found['status']}; with one of its SERVING_API_KEYS it tells its model"
    model = found.get("model")
    workers = f"{len(found['workers']):,} workers"
    if not model:
        return f"it has no model, {workers}"
    return f"serving {model['tag']} of base date {model['base_dt']}, {workers}"


def _problems(found: Mapping[str, Any]) -> list[str]:
    """What any worker reports, once."""
    return list(dict.fromkeys(_of_workers(found)))


def _of_workers(found: Mapping[str, Any]) -> Iterator[str]:
    if found.get("status") == "silent":
        yield found["problem"]
        return
    champion = (found.get("champion") or {}).get("tag")
    for each in [found, *found.get("workers", [])]:
        serving = (each.get("serving") or {}).get("tag")
        if each.get("problem"):
            yield f"Behind the champion: {each['problem']}"
        elif serving and champion and serving != champion:
            yield f"Worker {each['pid']} serves {serving}, and the champion is {champion}"
        log = each.get("log") or {}
        if log.get("status", "ready") != "ready":
            yield f"The log of predictions is degraded: {log.get('problem')}"
