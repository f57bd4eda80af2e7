"""Certificate.

RFC 8446 §4.4.2. Certificates stay DER.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from .. import extensions
from ..codec import Reader, message, vector8, vector24
from ..constants import CERTIFICATE
from ..errors import DecodeError
from ..extensions import Extension

# Chains in use are below 10 KiB; post-quantum ones would stay below this.
MAX_CHAIN_SIZE: Final = 65_536


@final
class Certificate:
    """A chain, leaf first, with the extensions of each entry."""

    __slots__ = ("chain", "context", "entry_extensions")

    def __init__(
        self,
        chain: Iterable[bytes],
        entry_extensions: Iterable[tuple[Extension, ...]] = (),
        context: bytes = b"",
    ) -> None:
        self.context = context
        self.chain = tuple(chain)
        given = tuple(entry_extensions)
        self.entry_extensions = given + ((),) * (len(self.chain) - len(given))

    @classmethod
    def parse(cls, body: bytes) -> Certificate:
        """Read the body of a Certificate message, without header: it may come out of a compressed one.

        Raises:
            DecodeError: malformed.
        """
        reader = Reader(body)
        context = reader.read_vector8()
        entries = Reader(reader.read_vector24())
        reader.expect_end("Certificate")
        if entries.end > MAX_CHAIN_SIZE:
            raise DecodeError(f"certificate chain of {entries.end} bytes")
        chain: list[bytes] = []
        listed: list[tuple[Extension, ...]] = []
        while entries.remaining():
            certificate = entries.read_vector24()
            if not certificate:
                raise DecodeError("empty certificate")
            chain.append(certificate)
            listed.append(extensions.parse(entries.read_vector16()))
        return cls(chain, listed, context)

    def encode_body(self) -> bytes:
        """The body, without header."""
        entries = [
            vector24(certificate) + extensions.encode(listed)
            for certificate, listed in zip(self.chain, self.entry_extensions, strict=True)
        ]
        return vector8(self.context) + vector24(b"".join(entries))

    def encode(self) -> bytes:
        """The message with its header."""
        return message(CERTIFICATE, self.encode_body())
