"""CompressedCertificate.

RFC 8879 §4.
"""

from __future__ import annotations

from ..codec import Reader, message, vector24
from ..constants import COMPRESSED_CERTIFICATE


def parse(raw: bytes) -> tuple[int, int, bytes]:
    """Algorithm, size when decompressed, and compressed bytes of the message ``raw``, header included.

    Raises:
        DecodeError: malformed.
    """
    reader = Reader(raw, 4)
    algorithm = reader.read_uint16()
    size = reader.read_uint24()
    data = reader.read_vector24()
    reader.expect_end("CompressedCertificate")
    return algorithm, size, data


def encode(algorithm: int, size: int, data: bytes) -> bytes:
    """The message with its header."""
    body = algorithm.to_bytes(2, "big") + size.to_bytes(3, "big") + vector24(data)
    return message(COMPRESSED_CERTIFICATE, body)
