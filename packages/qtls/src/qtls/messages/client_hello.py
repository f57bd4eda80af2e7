"""ClientHello as parsed: what it offers.

RFC 8446 §4.1.2. Extensions stay raw and in order; bodies are parsed when asked for.
"""

from __future__ import annotations

from typing import final

from .. import extensions
from ..codec import Reader
from ..constants import (
    DECODE_ERROR,
    EXT_ALPN,
    EXT_COMPRESS_CERTIFICATE,
    EXT_COOKIE,
    EXT_EARLY_DATA,
    EXT_KEY_SHARE,
    EXT_PRE_SHARED_KEY,
    EXT_PSK_KEY_EXCHANGE_MODES,
    EXT_SERVER_NAME,
    EXT_SIGNATURE_ALGORITHMS,
    EXT_SUPPORTED_GROUPS,
    EXT_SUPPORTED_VERSIONS,
    ILLEGAL_PARAMETER,
)
from ..errors import DecodeError


@final
class ClientHello:
    """One ClientHello. Its methods raise ``DecodeError`` when the body of their extension is malformed."""

    __slots__ = (
        "_bodies",
        "_shares",
        "cipher_suites",
        "compression",
        "extensions",
        "legacy_version",
        "random",
        "raw",
        "session_id",
    )

    def __init__(self, raw: bytes) -> None:
        """Parse the message ``raw``, header included.

        Raises:
            DecodeError: malformed.
        """
        reader = Reader(raw, 4)
        self.raw = raw
        self.legacy_version = reader.read_uint16()
        self.random = reader.read_bytes(32)
        self.session_id = reader.read_vector8()
        if len(self.session_id) > 32:
            raise DecodeError(f"session ID of {len(self.session_id)} bytes")
        self.cipher_suites = reader.read_uint16_list()
        self.compression = reader.read_vector8()
        if not self.cipher_suites or not self.compression:
            raise DecodeError("no cipher suites or no compression methods", DECODE_ERROR)
        # TLS 1.2 allowed a hello without extensions; that is an old version, not a malformed message.
        block = reader.read_vector16() if reader.remaining() else b""
        reader.expect_end("ClientHello")
        self.extensions = extensions.parse(block)
        self._bodies = dict(self.extensions)
        self._shares: tuple[tuple[int, bytes], ...] | None = None
        # RFC 8446 §4.2.11: what comes after the binders would not be bound.
        if EXT_PRE_SHARED_KEY in self._bodies and self.extensions[-1][0] != EXT_PRE_SHARED_KEY:
            raise DecodeError("pre_shared_key is not the last extension", ILLEGAL_PARAMETER)

    def get(self, extension: int) -> bytes | None:
        """Body of an extension, or None."""
        return self._bodies.get(extension)

    def offers(self, extension: int) -> bool:
        """Whether an extension is present."""
        return extension in self._bodies

    def server_name(self) -> str | None:
        """Host name of server_name."""
        body = self._bodies.get(EXT_SERVER_NAME)
        return None if body is None else extensions.parse_server_name(body)

    def alpn(self) -> tuple[str, ...]:
        """Protocol names offered; empty without the extension."""
        body = self._bodies.get(EXT_ALPN)
        return () if body is None else extensions.parse_alpn(body)

    def versions(self) -> tuple[int, ...]:
        """TLS versions offered; empty without the extension."""
        body = self._bodies.get(EXT_SUPPORTED_VERSIONS)
        return () if body is None else extensions.parse_client_versions(body)

    def groups(self) -> tuple[int, ...]:
        """supported_groups; empty without the extension."""
        body = self._bodies.get(EXT_SUPPORTED_GROUPS)
        return () if body is None else extensions.parse_uint16_list(body, "supported_groups")

    def signatures(self) -> tuple[int, ...]:
        """signature_algorithms; empty without the extension."""
        body = self._bodies.get(EXT_SIGNATURE_ALGORITHMS)
        return () if body is None else extensions.parse_uint16_list(body, "signature_algorithms")

    def key_shares(self) -> tuple[tuple[int, bytes], ...]:
        """key_share entries, in order; empty without the extension."""
        if self._shares is None:
            body = self._bodies.get(EXT_KEY_SHARE)
            self._shares = () if body is None else extensions.parse_client_shares(body)
        return self._shares

    def psk_modes(self) -> bytes:
        """psk_key_exchange_modes; empty without the extension."""
        body = self._bodies.get(EXT_PSK_KEY_EXCHANGE_MODES)
        return b"" if body is None else extensions.parse_modes(body)

    def certificate_compression(self) -> tuple[int, ...]:
        """compress_certificate algorithms; empty without the extension."""
        body = self._bodies.get(EXT_COMPRESS_CERTIFICATE)
        return () if body is None else extensions.parse_compression(body)

    def cookie(self) -> bytes | None:
        """The cookie of a second hello."""
        body = self._bodies.get(EXT_COOKIE)
        return None if body is None else extensions.parse_cookie(body)

    def early_data(self) -> bool:
        """Whether 0-RTT is offered."""
        body = self._bodies.get(EXT_EARLY_DATA)
        if body is None:
            return False
        extensions.expect_empty(body, "early_data")
        return True

    def offered_psks(self) -> tuple[tuple[tuple[bytes, int], ...], tuple[bytes, ...]]:
        """(identity, obfuscated age) pairs and binders; empty without the extension."""
        body = self._bodies.get(EXT_PRE_SHARED_KEY)
        return ((), ()) if body is None else extensions.parse_offered_psks(body)

    def without_binders(self) -> bytes:
        """The message up to, not including, the list of binders: what they are computed over.

        RFC 8446 §4.2.11.2.

        Raises:
            DecodeError: no pre_shared_key, or malformed.
        """
        body = self._bodies.get(EXT_PRE_SHARED_KEY)
        if body is None:
            raise DecodeError("no pre_shared_key")
        reader = Reader(body)
        reader.read_vector16()
        return self.raw[: len(self.raw) - reader.remaining()]
