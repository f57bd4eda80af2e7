"""Bodies as they were before the server compressed them.

Browsers ask for compressed bodies, and a client that looks like one has to take them. RFC 9110 §8.4; brotli is
RFC 7932, zstd RFC 8878.
"""

import zlib
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, Protocol

import brotli  # type: ignore[import-untyped] # it ships no types
import zstandard

from qhttp3.aio.client import Response

from .errors import MimicError

#: Codings applied on top of each other; more are a bomb rather than a body.
MAX_CODINGS: Final = 4
GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


class ContentError(MimicError):
    """A body is not in the coding that its header names."""


class Decoder(Protocol):
    """One coding undone, piece by piece."""

    def decode(self, data: bytes) -> bytes:
        """What the next bytes of the body amount to."""

    def finish(self) -> bytes:
        """What is left at the end of the body."""


class ZlibDecoder:
    """gzip, and deflate with or without the zlib header that some servers leave out."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(GZIP_OR_ZLIB)
        self._is_first = True

    def decode(self, data: bytes) -> bytes:
        """Decompress a piece."""
        try:
            decoded = self._object.decompress(data)
        except zlib.error as error:
            if not self._is_first:
                raise ContentError(f"broken gzip or deflate body ({error})") from None
            self._object = zlib.decompressobj(-zlib.MAX_WBITS)
            self._is_first = False
            return self.decode(data)
        self._is_first = False
        return decoded

    def finish(self) -> bytes:
        """Check that the body was complete."""
        if not self._is_first and not self._object.eof:
            raise ContentError("gzip or deflate body ends early")
        return self._object.flush()


class BrotliDecoder:
    """br."""

    def __init__(self) -> None:
        self._object: Any = brotli.Decompressor()
        self._is_used = False

    def decode(self, data: bytes) -> bytes:
        """Decompress a piece."""
        self._is_used = True
        try:
            return bytes(self._object.process(data))
        except brotli.error:
            raise ContentError("broken brotli body") from None

    def finish(self) -> bytes:
        """Check that the body was complete."""
        if self._is_used and not self._object.is_finished():
            raise ContentError("brotli body ends early")
        return b""


class ZstdDecoder:
    """zstd."""

    def __init__(self) -> None:
        self._object = zstandard.ZstdDecompressor().decompressobj()
        self._is_used = False

    def decode(self, data: bytes) -> bytes:
        """Decompress a piece."""
        self._is_used = True
        try:
            return self._object.decompress(data)
        except zstandard.ZstdError as error:
            raise ContentError(f"broken zstd body ({error})") from None

    def finish(self) -> bytes:
        """Check that the body was complete."""
        if self._is_used and not self._object.eof:
            raise ContentError("zstd body ends early")
        return b""


DECODERS: Final[dict[str, type[ZlibDecoder] | type[BrotliDecoder] | type[ZstdDecoder]]] = {
    "gzip": ZlibDecoder,
    "x-gzip": ZlibDecoder,
    "deflate": ZlibDecoder,
    "br": BrotliDecoder,
    "zstd": ZstdDecoder,
}


def decoders_for(codings: Iterable[str]) -> list[Decoder]:
    """Decoders in the order in which they undo the codings of content-encoding headers.

    Raises:
        ContentError: a coding that is not known, or too many.
    """
    names = [name.strip().lower() for value in codings for name in value.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > MAX_CODINGS:
        raise ContentError(f"{len(names)} content codings on top of each other")
    unknown = [name for name in names if name not in DECODERS]
    if unknown:
        raise ContentError(f"unknown content coding {unknown[0]!r}")
    return [DECODERS[name]() for name in reversed(names)]


async def decoded(response: Response) -> AsyncIterator[bytes]:
    """The body of a response in pieces, content codings undone.

    Raises:
        ContentError: the body is not in the coding that its header names.
        QuicError, TimeoutError: as reading the response does.
    """
    decoders = decoders_for(response.headers.get_all("content-encoding"))
    async for piece in response:
        data = run(decoders, piece)
        if data:
            yield data
    data = finish(decoders)
    if data:
        yield data


def run(decoders: list[Decoder], data: bytes) -> bytes:
    """One piece through all decoders."""
    for decoder in decoders:
        data = decoder.decode(data)
    return data


def finish(decoders: list[Decoder]) -> bytes:
    """What the decoders still hold at the end of the body."""
    data = b""
    for decoder in decoders:
        if data:
            data = decoder.decode(data)
        data += decoder.finish()
    return data
