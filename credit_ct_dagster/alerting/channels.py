"""Where alerts are sent: e-mail and a webhook."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from credit_ct_dagster.errors.operation import AlertNotDeliveredError, AlertRefusedError

# requests and smtplib are imported where an alert is sent: loading the definitions does not need
# them.

_MAIL_TIMEOUT_SECONDS = 10
_WEBHOOK_TIMEOUT_SECONDS = 5
_WEBHOOK_RETRIES = 2
_RETRIED_STATUSES = (429, 500, 502, 503, 504)
_LATER_STATUSES = {408, 425, 429}
_STATUSES_OF_THE_CHANNEL = {401, 402, 403, 404, 405, 407, 410, 426}
"""Of an address or a permission; other 4xx are about what was sent."""
_MESSAGE_TOO_LARGE = 552

logger = logging.getLogger(__name__)


class Kind(StrEnum):
    """What happened, for machines that sort alerts."""

    run_failed = "run_failed"
    check_failed = "check_failed"
    base_date_missing = "base_date_missing"
    run_succeeded = "run_succeeded"
    champion_not_served = "champion_not_served"
    champion_unhealthy = "champion_unhealthy"
    champion_rolled_back = "champion_rolled_back"
    champion_promoted = "champion_promoted"
    health_missing = "health_missing"
    backfill_failed = "backfill_failed"
    approval_requested = "approval_requested"


@dataclass(frozen=True)
class Alert:
    """A message about a run, a base date, or a day on which answers were given.

    Attributes:
        kind: What happened.
        base_dt: The base date that it happened to, or the day of the answers; None for a run
            without one.
        subject: One line.
        text: What happened in full, and what to do.
        links: Pages to open, by name: `run`, `asset`, `health`.
        run_id: The run that it is about; None if there was no run.
        code: The code of the error or of the failed check; None when nothing failed.
    """

    kind: Kind
    base_dt: str | None
    subject: str
    text: str
    links: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    code: str | None = None

    @property
    def body(self) -> str:
        """The text and the links, for people."""
        links = (f"{name.capitalize()}: {url}" for name, url in self.links.items())
        return "\n".join(filter(None, [self.text, *links]))


class Mail(dg.ConfigurableResource):
    """Sends e-mail when a server and a recipient are configured."""

    smtp_host: str | None = Field(
        default=None, description="Host name of the mail server; none sends no e-mail"
    )
    smtp_port: int = Field(default=587, description="Port of the mail server")
    smtp_starttls: bool = Field(
        default=True, description="Encrypts the connection, and requires a trusted certificate"
    )
    smtp_user: str | None = Field(default=None, description="User to log in as; none does not")
    smtp_password: str | None = Field(default=None, description="Password of that user")
    mail_from: str = Field(default="credit-ct@localhost", description="Address of the sender")
    mail_to: list[str] = Field(default=[], description="Addresses of the recipients")

    @property
    def is_configured(self) -> bool:
        """Whether there is a server and a recipient."""
        return bool(self.smtp_host and self.mail_to)

    def send(self, alert: Alert) -> None:
        """Send one message to all recipients.

        Raises:
            AlertNotDeliveredError: The mail server did not accept the message.
        """
        import smtplib
        import ssl
        from email.message import EmailMessage

        assert self.smtp_host is not None
        message = EmailMessage()
        # A tag of a run may have several lines, and an error half a character.
        message["Subject"] = _encodable(" ".join(alert.subject.split()))
        message["From"] = self.mail_from
        message["To"] = ", ".join(self.mail_to)
        message.set_content(_encodable(alert.body))
        try:
            with smtplib.SMTP(
                self.smtp_host, self.smtp_port, timeout=_MAIL_TIMEOUT_SECONDS
            ) as server:
                if self.smtp_starttls:
                    # By itself, smtplib trusts any certificate.
                    server.starttls(context=ssl.create_default_context())
                if self.smtp_user and self.smtp_password:
                    server.login(self.smtp_user, self.smtp_password)
                refused = server.send_message(message)
        except OSError as error:  # smtplib's errors are OSErrors
            sentence = (
                f"The mail server {self.smtp_host}:{self.smtp_port} did not accept the alert"
                f" '{alert.subject}' ({_cause(error)}). Check SMTP_HOST and the other SMTP_"
                " variables."
            )
            refuses = _refuses_mail(error)
            if refuses is None:
                raise AlertNotDeliveredError(sentence) from None
            raise AlertRefusedError(sentence, concerns_alert=refuses) from None
        if refused:
            logger.warning(
                f"The mail server {self.smtp_host}:{self.smtp_port} refused {len(refused)} of"
                f" {len(self.mail_to)} recipients of the alert '{alert.subject}'. Check MAIL_TO."
            )


class Webhook(dg.ConfigurableResource):
    """Posts alerts as JSON to a URL, which may itself be a secret."""

    url: str | None = Field(default=None, description="URL to post to; none posts nothing")

    @property
    def is_configured(self) -> bool:
        """Whether there is a URL."""
        return bool(self.url)

    def send(self, alert: Alert) -> None:
        """Post the fields of the alert; try three times.

        Raises:
            AlertNotDeliveredError: The server did not answer, or not with a 2xx. The URL is not
                repeated.
        """
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        assert self.url is not None
        retry = Retry(
            total=_WEBHOOK_RETRIES,
            backoff_factor=0.2,
            allowed_methods={"POST"},
            status_forcelist=_RETRIED_STATUSES,
            raise_on_status=False,
            # A server may ask to wait for hours; the next tick of the sensor is the long pause.
            respect_retry_after_header=False,
        )
        retrying = HTTPAdapter(max_retries=retry)
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
                raise AlertNotDeliveredError(self._sentence(alert, type(error).__name__)) from None
        status = response.status_code
        if status // 100 == 2:
            return
        sentence = self._sentence(alert, f"HTTP {status}")
        if status // 100 != 4 or status in _LATER_STATUSES:
            raise AlertNotDeliveredError(sentence)
        raise AlertRefusedError(sentence, concerns_alert=status not in _STATUSES_OF_THE_CHANNEL)

    def _sentence(self, alert: Alert, cause: str) -> str:
        return (
            f"The webhook at {urlsplit(self.url or '').hostname} did not accept the alert"
            f" '{alert.subject}' ({cause}). Check ALERT_WEBHOOK_URL."
        )


def _refuses_mail(error: OSError) -> bool | None:
    """Whether a mail server would refuse the same again, and then whether it is about the mail.

    Returns:
        None if it may accept it later.
    """
    import smtplib

    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return False if all(code // 100 == 5 for code in codes) else None
    if isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused):
        if error.smtp_code // 100 != 5:
            return None
        about_data = isinstance(error, smtplib.SMTPDataError)
        return about_data or error.smtp_code == _MESSAGE_TOO_LARGE
    return None


def _encodable(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode()


def _cause(error: OSError) -> str:
    """The cause of a failure, without the addresses that a mail server's answer may repeat."""
    import smtplib

    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__}, SMTP {error.smtp_code}"
    return error.strerror or type(error).__name__
