"""ServerHello and HelloRetryRequest.

RFC 8446 §4.1.3 and §4.1.4.
"""

from __future__ import annotations

from typing import Final, final

from .. import extensions
from ..codec import Reader, message, vector8
from ..constants import SERVER_HELLO, TLS_1_2
from ..extensions import Extension

# SHA-256 of "HelloRetryRequest".
RETRY_RANDOM: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@final
class ServerHello:
    """One ServerHello; ``is_retry`` tells a HelloRetryRequest."""

    __slots__ = ("compression", "extensions", "legacy_version", "random", "session_id", "suite")

    def __init__(
        self,
        random: bytes,
        session_id: bytes,
        suite: int,
        entries: tuple[Extension, ...],
        compression: int = 0,
        legacy_version: int = TLS_1_2,
    ) -> None:
        self.legacy_version = legacy_version
        self.random = random
        self.session_id = session_id
        self.suite = suite
        self.compression = compression
        self.extensions = entries

    @property
    def is_retry(self) -> bool:
        """Whether this is a HelloRetryRequest."""
        return self.random == RETRY_RANDOM

    @classmethod
    def parse(cls, raw: bytes) -> ServerHello:
        """Read the message ``raw``, header included.

        Raises:
            DecodeError: malformed.
        """
        reader = Reader(raw, 4)
        legacy_version = reader.read_uint16()
        random = reader.read_bytes(32)
        session_id = reader.read_vector8()
        suite = reader.read_uint16()
        compression = reader.read_uint8()
        block = reader.read_vector16() if reader.remaining() else b""
        reader.expect_end("ServerHello")
        return cls(random, session_id, suite, extensions.parse(block), compression, legacy_version)

    def encode(self) -> bytes:
        """The message with its header."""
        body = self.legacy_version.to_bytes(2, "big") + self.random + vector8(self.session_id)
        body += (
            self.suite.to_bytes(2, "big") + bytes((self.compression,)) + extensions.encode(self.extensions)
        )
        return message(SERVER_HELLO, body)
