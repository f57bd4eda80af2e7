"""CertificateVerify.

RFC 8446 §4.4.3.
"""

from __future__ import annotations

from ..codec import Reader, message, vector16
from ..constants import CERTIFICATE_VERIFY


def parse(raw: bytes) -> tuple[int, bytes]:
    """Scheme and signature of the message ``raw``, header included.

    Raises:
        DecodeError: malformed.
    """
    reader = Reader(raw, 4)
    scheme = reader.read_uint16()
    signature = reader.read_vector16()
    reader.expect_end("CertificateVerify")
    return scheme, signature


def encode(scheme: int, signature: bytes) -> bytes:
    """The message with its header."""
    return message(CERTIFICATE_VERIFY, scheme.to_bytes(2, "big") + vector16(signature))
