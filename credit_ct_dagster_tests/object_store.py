"""An S3 server for tests, in this process."""

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import s3fs
from moto.server import ThreadedMotoServer


@dataclass(frozen=True)
class S3:
    """A running server, with a bucket.

    Attributes:
        endpoint: Its address.
        bucket: The one bucket that exists.
    """

    endpoint: str
    bucket: str = "bucket"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["S3"]:
        """Start a server; stop it at the end."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        try:
            yield cls(f"http://{host}:{port}")
        finally:
            server.stop()

    def emptied(self, environment: pytest.MonkeyPatch) -> None:
        """Forget all objects, make the bucket, and let this process find the server."""
        reset = urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "s3cret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }.items():
            environment.setenv(name, value)
        self.forget_clients()
        s3fs.S3FileSystem().mkdir(self.bucket)
        self.forget_clients()

    @staticmethod
    def forget_clients() -> None:
        """Let the next access read the environment again, as a new process does."""
        s3fs.S3FileSystem.clear_instance_cache()

    def buckets(self) -> list[str]:
        """The buckets that exist."""
        return [str(name) for name in s3fs.S3FileSystem(use_listings_cache=False).ls("")]
