"""CRYPTO and NEW_TOKEN. RFC 9000 §19.6, §19.7."""

from __future__ import annotations

from typing import ClassVar, final

from qwire.buffer import BYTES, MAX_VARINT, Reader, Writer, append_varint, encode_varint, varint_size
from qwire.compiling import mypyc_attr
from qwire.constants import FRAME_CRYPTO, FRAME_NEW_TOKEN
from qwire.errors import DecodeError
from qwire.frames.base import Frame


@final
@mypyc_attr(acyclic=True)
class CryptoFrame(Frame):
    """CRYPTO, RFC 9000 §19.6."""

    __slots__ = ("data", "offset")
    TYPE: ClassVar[int] = FRAME_CRYPTO
    FIELDS: ClassVar[tuple[str, ...]] = ("offset", "data")

    def __init__(self, offset: int, data: bytes) -> None:
        self.offset = offset
        self.data = data

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        writer.data += self.encode()

    def encode(self) -> bytes:
        """What ``append`` writes, as a string of its own."""
        data = self.data
        return BYTES[FRAME_CRYPTO] + encode_varint(self.offset) + encode_varint(len(data)) + data

    def size(self) -> int:
        """Bytes that ``append`` writes."""
        size = len(self.data)
        return 1 + varint_size(self.offset) + varint_size(size) + size


@final
@mypyc_attr(acyclic=True)
class NewTokenFrame(Frame):
    """NEW_TOKEN, RFC 9000 §19.7."""

    __slots__ = ("token",)
    TYPE: ClassVar[int] = FRAME_NEW_TOKEN
    FIELDS: ClassVar[tuple[str, ...]] = ("token",)

    def __init__(self, token: bytes) -> None:
        self.token = token

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        data = writer.data
        data.append(FRAME_NEW_TOKEN)
        append_varint(data, len(self.token))
        data += self.token


def parse_crypto(reader: Reader) -> CryptoFrame:
    """Read the body of a CRYPTO frame.

    RFC 9000 §19.6.

    Raises:
        DecodeError: truncated, or data beyond offset 2^62 - 1.
    """
    offset = reader.read_varint()
    data = reader.read_bytes(reader.read_varint())
    if offset + len(data) > MAX_VARINT:
        raise DecodeError(f"{len(data)} bytes at offset {offset} go beyond 2^62 - 1")
    return CryptoFrame(offset, data)


def parse_new_token(reader: Reader) -> NewTokenFrame:
    """Read the body of a NEW_TOKEN frame.

    RFC 9000 §19.7.

    Raises:
        DecodeError: truncated, or an empty token.
    """
    token = reader.read_bytes(reader.read_varint())
    if not token:
        raise DecodeError("an empty token")
    return NewTokenFrame(token)
