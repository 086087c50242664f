"""Ways to reach people: e-mail, and a webhook. Where each is configured."""

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from email.message import EmailMessage
from enum import StrEnum
from urllib.parse import urlsplit

import dagster as dg
import requests
from pydantic import Field
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from credit_ct_dagster.errors import NotToldError

_MAIL_TIMEOUT_SECONDS = 10
_WEBHOOK_TIMEOUT_SECONDS = 5
_WEBHOOK_RETRIES = Retry(
    total=2,
    backoff_factor=0.2,
    allowed_methods={"POST"},
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
    # A server may ask to wait for hours; the next tick of the sensor is the long pause.
    respect_retry_after_header=False,
)


class Kind(StrEnum):
    """What happened, for machines that sort alerts."""

    run_failed = "run_failed"
    check_failed = "check_failed"
    base_date_missing = "base_date_missing"
    run_succeeded = "run_succeeded"


@dataclass(frozen=True)
class Alert:
    """What people are told.

    Attributes:
        kind: What happened.
        base_dt: To which base date; None for a run without one.
        subject: One line.
        text: What, and what to do.
        links: Pages to open, by name: `run`, `asset`.
        run_id: The run it is about, if any.
    """

    kind: Kind
    base_dt: str | None
    subject: str
    text: str
    links: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None

    @property
    def body(self) -> str:
        """The text and the links, for people."""
        links = (f"{name.capitalize()}: {url}" for name, url in self.links.items())
        return "\n".join(filter(None, [self.text, *links]))


class Mail(dg.ConfigurableResource):
    """Sends e-mail when a server and a recipient are named."""

    smtp_host: str | None = Field(default=None, description="Mail server; none: no e-mail")
    smtp_port: int = Field(default=587, description="Its port")
    smtp_starttls: bool = Field(default=True, description="Encrypt, to a trusted certificate")
    smtp_user: str | None = Field(default=None, description="Log in as this user")
    smtp_password: str | None = Field(default=None, description="With this password")
    mail_from: str = Field(default="credit-ct@localhost", description="Sender")
    mail_to: list[str] = Field(default=[], description="Recipients")

    @property
    def is_configured(self) -> bool:
        """Whether there is somebody to tell."""
        return bool(self.smtp_host and self.mail_to)

    def send(self, alert: Alert) -> None:
        """Send one message to all recipients.

        Raises:
            NotToldError: The mail server did not take the message.
        """
        assert self.smtp_host is not None
        message = EmailMessage()
        message["Subject"] = alert.subject
        message["From"] = self.mail_from
        message["To"] = ", ".join(self.mail_to)
        message.set_content(alert.body)
        try:
            with smtplib.SMTP(
                self.smtp_host, self.smtp_port, timeout=_MAIL_TIMEOUT_SECONDS
            ) as server:
                if self.smtp_starttls:
                    # By itself, smtplib trusts whoever answers.
                    server.starttls(context=ssl.create_default_context())
                if self.smtp_user and self.smtp_password:
                    server.login(self.smtp_user, self.smtp_password)
                server.send_message(message)
        except OSError as error:  # smtplib's errors are OSErrors
            raise NotToldError(
                f"The mail server {self.smtp_host}:{self.smtp_port} did not take the alert"
                f" '{alert.subject}' ({_reason(error)}). It is sent again at the next tick; see"
                " SMTP_HOST and what belongs to it."
            ) from None


class Webhook(dg.ConfigurableResource):
    """Posts alerts as JSON to a URL, which may itself be the secret."""

    url: str | None = Field(default=None, description="Where to post; none: nowhere")

    @property
    def is_configured(self) -> bool:
        """Whether there is somebody to tell."""
        return bool(self.url)

    def send(self, alert: Alert) -> None:
        """Post `kind`, `base_dt`, `subject`, `text`, `links` and `run_id`; try three times.

        Raises:
            NotToldError: The server did not answer, or not with a 2xx. The URL is not repeated.
        """
        assert self.url is not None
        retrying = HTTPAdapter(max_retries=_WEBHOOK_RETRIES)
        with requests.Session() as session:
            session.mount("http://", retrying)
            session.mount("https://", retrying)
            try:
                response = session.post(
                    self.url,
                    json=asdict(alert),
                    timeout=_WEBHOOK_TIMEOUT_SECONDS,
                    # A redirect of a POST becomes a GET: the alert would be lost.
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise self._not_told(alert, type(error).__name__) from None
        if response.status_code // 100 != 2:
            raise self._not_told(alert, f"HTTP {response.status_code}")

    def _not_told(self, alert: Alert, reason: str) -> NotToldError:
        return NotToldError(
            f"The webhook at {urlsplit(self.url or '').hostname} did not take the alert"
            f" '{alert.subject}' ({reason}). It is sent again at the next tick; see"
            " ALERT_WEBHOOK_URL."
        )


def _reason(error: OSError) -> str:
    """What a mail server or the network said, without the addresses that it may repeat."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__}, SMTP {error.smtp_code}"
    return error.strerror or type(error).__name__
