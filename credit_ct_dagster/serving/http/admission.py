"""Whether a request has one of the service's keys, or needs none."""

import hmac
import ipaddress
from base64 import b64decode
from collections.abc import Mapping, Sequence
from hashlib import sha256

API_KEY = b"x-api-key"


class Keys:
    """Knows a valid key, without keeping one, and in a time that tells nothing of it."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [sha256(key.encode()).digest() for key in keys]

    @property
    def required(self) -> bool:
        """Whether requests need one."""
        return bool(self._digests)

    def admit(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether one of the keys is in the headers, or none is required."""
        if not self._digests:
            return True
        given = sha256(_given(headers)).digest()
        # All are compared, wherever the match is.
        return sum(hmac.compare_digest(given, digest) for digest in self._digests) > 0


def is_own_address(host: bytes) -> bool:
    """Whether a request calls the service by an address, or as localhost, and not by a name.

    The page of a foreign site can have a name of its own lead to this machine (DNS rebinding), and
    would then read answers that need no key. Addresses cannot be made to lead elsewhere.

    Args:
        host: The header, with or without a port; empty if there is none, which no browser sends.
    """
    name = host.decode("latin-1").strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    if name in ("", "localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _given(headers: Mapping[bytes, bytes]) -> bytes:
    key = headers.get(API_KEY)
    if key is not None:
        return key
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return given.strip()
    if scheme.lower() == b"basic":
        try:
            return b64decode(given, validate=True).partition(b":")[2]
        except ValueError:
            return b""
    return b""
