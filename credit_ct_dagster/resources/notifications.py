"""Telling people how a run ended: in the log, and by e-mail where it is configured."""

import logging
import smtplib
from email.message import EmailMessage

import dagster as dg
from pydantic import Field

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 20


class Notifier(dg.ConfigurableResource):
    """Writes to the log; sends e-mail too when a server and a recipient are named."""

    smtp_host: str | None = Field(default=None, description="Mail server; none: log only")
    smtp_port: int = Field(default=587, description="Its port")
    smtp_starttls: bool = Field(default=True, description="Encrypt before logging in")
    smtp_user: str | None = Field(default=None, description="Log in as this user")
    smtp_password: str | None = Field(default=None, description="With this password")
    mail_from: str = Field(default="credit-ct@localhost", description="Sender")
    mail_to: list[str] = Field(default=[], description="Recipients")

    def send(self, subject: str, body: str, log: logging.Logger | None = None) -> None:
        """Tell people something.

        Args:
            subject: One line.
            body: The details.
            log: Where to write it.

        Raises:
            OSError: The mail server did not take the message (smtplib's errors are OSErrors).
        """
        (log or logger).info(f"{subject}\n{body}")
        if not self.smtp_host or not self.mail_to:
            return
        message = EmailMessage()
        message["Subject"] = subject
        message["From"] = self.mail_from
        message["To"] = ", ".join(self.mail_to)
        message.set_content(body)
        with smtplib.SMTP(self.smtp_host, self.smtp_port, timeout=_TIMEOUT_SECONDS) as server:
            if self.smtp_starttls:
                server.starttls()
            if self.smtp_user and self.smtp_password:
                server.login(self.smtp_user, self.smtp_password)
            server.send_message(message)
