"""EncryptedExtensions.

RFC 8446 §4.3.1. A client sends one too when application settings (ALPS) were negotiated.
"""

from __future__ import annotations

from collections.abc import Iterable

from .. import extensions
from ..codec import Reader, message
from ..constants import ENCRYPTED_EXTENSIONS
from ..extensions import Extension


def parse(raw: bytes) -> tuple[Extension, ...]:
    """The extensions of the message ``raw``, header included.

    Raises:
        DecodeError: malformed.
    """
    reader = Reader(raw, 4)
    block = reader.read_vector16()
    reader.expect_end("EncryptedExtensions")
    return extensions.parse(block)


def encode(entries: Iterable[Extension]) -> bytes:
    """The message with its header."""
    return message(ENCRYPTED_EXTENSIONS, extensions.encode(entries))
