"""Certificate compression.

zlib comes with Python; brotli and zstd work if their module is installed. RFC 8879.
"""

from __future__ import annotations

import importlib
from functools import cache, lru_cache
from typing import Any, Final

from .constants import (
    BAD_CERTIFICATE,
    COMPRESSION_BROTLI,
    COMPRESSION_ZLIB,
    COMPRESSION_ZSTD,
    ILLEGAL_PARAMETER,
)
from .errors import LocalAlert

__all__ = ["available", "compress", "decompress"]

# A decompressed chain is bounded before it is made, RFC 8879 §6.
MAX_SIZE: Final = 65_536


@cache
def available() -> tuple[int, ...]:
    """Algorithms that can be offered here, best first."""
    found = []
    if _module("brotli") is not None:
        found.append(COMPRESSION_BROTLI)
    if _module("zstandard") is not None:
        found.append(COMPRESSION_ZSTD)
    return (*found, COMPRESSION_ZLIB)


def decompress(algorithm: int, size: int, data: bytes) -> bytes:
    """The body of the Certificate message; ``size`` is what the sender announced.

    Raises:
        LocalAlert: bad_certificate, the data is broken or of another size; illegal_parameter, an algorithm that is not
            available here.
    """
    if not 0 < size <= MAX_SIZE:
        raise LocalAlert(BAD_CERTIFICATE, f"compressed certificate announces {size} bytes")
    if algorithm not in available():
        raise LocalAlert(ILLEGAL_PARAMETER, f"certificate compression {algorithm} is not available")
    plain: bytes | None = None
    if algorithm == COMPRESSION_ZLIB:
        plain = _decompress_zlib(size, data)
    elif algorithm == COMPRESSION_BROTLI:
        plain = _decompress_brotli(size, data)
    elif algorithm == COMPRESSION_ZSTD:
        plain = _decompress_zstd(size, data)
    if plain is None or len(plain) != size:
        raise LocalAlert(
            BAD_CERTIFICATE, f"compressed certificate does not give the {size} bytes it announces"
        )
    return plain


@lru_cache(maxsize=64)
def compress(algorithm: int, data: bytes) -> bytes | None:
    """Compressed ``data``, or None when the algorithm is not available or gains nothing. Kept per content."""
    if algorithm not in available():
        return None
    if algorithm == COMPRESSION_ZLIB:
        result = bytes(_module("zlib").compress(data, 9))
    elif algorithm == COMPRESSION_BROTLI:
        result = bytes(_module("brotli").compress(data))
    else:
        result = bytes(_module("zstandard").ZstdCompressor(level=19).compress(data))
    return result if len(result) < len(data) else None


def _decompress_zlib(size: int, data: bytes) -> bytes | None:
    zlib = _module("zlib")
    stream = zlib.decompressobj()
    try:
        plain = bytes(stream.decompress(data, size + 1))
    except zlib.error:
        return None
    return plain if stream.eof and not stream.unused_data else None


def _decompress_brotli(size: int, data: bytes) -> bytes | None:
    brotli = _module("brotli")
    stream = brotli.Decompressor()
    try:
        # One call may give less than it could: ask until there is no more, or too much.
        plain = bytes(stream.process(data, output_buffer_limit=size + 1))
        while not stream.is_finished() and not stream.can_accept_more_data() and len(plain) <= size:
            plain += stream.process(b"", output_buffer_limit=size + 1 - len(plain))
    except brotli.error:
        return None
    return plain if stream.is_finished() else None


def _decompress_zstd(size: int, data: bytes) -> bytes | None:
    zstandard = _module("zstandard")
    # A window beyond the size bound would only cost memory.
    stream = zstandard.ZstdDecompressor(max_window_size=1 << 23).stream_reader(data)
    try:
        plain = bytes(stream.read(size + 1))
    except zstandard.ZstdError:
        return None
    return plain


@cache
def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None
