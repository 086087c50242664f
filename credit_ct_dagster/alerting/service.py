"""Alerts of the service: the champion is not served."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import Protocol

from credit_ct_dagster.alerting.channels import Alert, Kind
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.operation import AlertNotDeliveredError, AlertRefusedError
from credit_ct_dagster.serving.follower import FollowerState

_PAUSES_SECONDS = (5, 15, 60, 300)

logger = logging.getLogger(__name__)


class Channel(Protocol):
    """Where alerts are sent."""

    @property
    def is_configured(self) -> bool:
        """Whether anybody receives them."""

    def send(self, alert: Alert) -> None:
        """Send one, or raise `AlertNotDeliveredError`."""


class Once(Protocol):
    """Lets one worker of a server alert for all."""

    def is_first(self, cause: str) -> bool:
        """Whether no other worker has reported a cause."""

    def solved(self) -> None:
        """From now on, every cause is reported again."""


class ServiceAlerts:
    """Alerts once per server and cause, in a thread of its own: a channel may be slow."""

    def __init__(
        self,
        once: Once,
        channels: Sequence[Channel],
        redacted: Callable[[str], str] = str,
        links: Mapping[str, str] | None = None,
    ) -> None:
        """Alert of nothing yet.

        Args:
            once: What the workers of this server share.
            channels: Where alerts are sent.
            redacted: Takes secrets out of a text.
            links: Pages to open, by name. [default: none]
        """
        self._once, self._redacted, self._links = once, redacted, links or {}
        self._channels = [each for each in channels if each.is_configured]
        self._over = Event()

    def failed(self, error: CreditCtError, state: FollowerState) -> None:
        """Alert that the champion is not served."""
        wanted = state.wanted.bentoml_tag if state.wanted else ""
        cause = hashlib.sha256(f"{error.code} {wanted}".encode()).hexdigest()[:16]
        if not self._once.is_first(cause):
            return
        base_dt = state.wanted.base_dt if state.wanted else None
        serving = state.serving
        alert = Alert(
            Kind.champion_not_served,
            base_dt,
            f"The service does not serve the champion: {base_dt or 'no base date'}",
            self._redacted(
                f"{error}\n"
                + (
                    f"It answers with {serving.bentoml_tag} of base date {serving.base_dt}."
                    if serving
                    else "It has no model, and answers 503."
                )
            ),
            self._links,
            code=error.code,
        )
        for channel in self._channels:
            Thread(target=self._send, args=(channel, alert, self._over), daemon=True).start()

    def solved(self) -> None:
        """Alert again if the same happens again; what could not be sent yet is out of date."""
        self._over.set()
        self._over = Event()
        self._once.solved()

    def _send(self, channel: Channel, alert: Alert, over: Event) -> None:
        for pause in (*_PAUSES_SECONDS, None):
            try:
                channel.send(alert)
            except AlertNotDeliveredError as error:
                logger.error(str(error), extra={"code": error.code})
                if isinstance(error, AlertRefusedError) or pause is None or over.wait(pause):
                    return
            else:
                return
