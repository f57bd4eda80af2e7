"""CertificateRequest.

RFC 8446 §4.3.2.
"""

from __future__ import annotations

from collections.abc import Iterable

from .. import extensions
from ..codec import Reader, message, vector8
from ..constants import CERTIFICATE_REQUEST
from ..extensions import Extension


def parse(raw: bytes) -> tuple[bytes, tuple[Extension, ...]]:
    """Context and extensions of the message ``raw``, header included.

    Raises:
        DecodeError: malformed.
    """
    reader = Reader(raw, 4)
    context = reader.read_vector8()
    block = reader.read_vector16()
    reader.expect_end("CertificateRequest")
    return context, extensions.parse(block)


def encode(entries: Iterable[Extension], context: bytes = b"") -> bytes:
    """The message with its header."""
    return message(CERTIFICATE_REQUEST, vector8(context) + extensions.encode(entries))
