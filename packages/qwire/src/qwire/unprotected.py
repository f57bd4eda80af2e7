"""What can be read of any version, and the packets that have no protection: Version Negotiation, Retry, resets.

RFC 8999, RFC 9000 §17.2.1, §17.2.5 and §10.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, final

from qwire.buffer import Reader, Writer
from qwire.constants import (
    MAX_CID_SIZE,
    MAX_CID_SIZE_INVARIANT,
    MIN_RESET_SIZE,
    RESET_TOKEN_SIZE,
    RETRY_TAG_SIZE,
    VERSION_2,
    VERSION_NEGOTIATION,
    PacketType,
)
from qwire.errors import DecodeError, Truncated
from qwire.headers import FIXED_BIT, LONG_HEADER, long_packet_type
from qwire.values import Value


@final
class Invariants(Value):
    """The fields that no version changes.

    RFC 8999 §5. ``version`` is 0 and ``source_cid`` empty for a short header.
    """

    __slots__ = ("destination_cid", "is_long", "source_cid", "version")
    FIELDS: ClassVar[tuple[str, ...]] = ("is_long", "version", "destination_cid", "source_cid")

    def __init__(self, is_long: bool, version: int, destination_cid: bytes, source_cid: bytes) -> None:
        self.is_long: Final = is_long
        self.version: Final = version
        self.destination_cid: Final = destination_cid
        self.source_cid: Final = source_cid


@final
class VersionNegotiation(Value):
    """Version Negotiation packet.

    RFC 8999 §6. ``first_byte`` has 7 unused bits; the default looks like a QUIC packet (RFC 9000 §17.2.1).
    """

    __slots__ = ("destination_cid", "first_byte", "source_cid", "versions")
    FIELDS: ClassVar[tuple[str, ...]] = ("destination_cid", "source_cid", "versions", "first_byte")

    def __init__(
        self,
        destination_cid: bytes,
        source_cid: bytes,
        versions: tuple[int, ...],
        first_byte: int = LONG_HEADER | FIXED_BIT,
    ) -> None:
        self.destination_cid: Final = destination_cid
        self.source_cid: Final = source_cid
        self.versions: Final = versions
        self.first_byte: Final = first_byte

    @classmethod
    def parse(cls, datagram: bytes) -> VersionNegotiation:
        """Read the packet, which fills its datagram.

        Raises:
            DecodeError: another kind of packet, truncated, or no version in it.
        """
        first, version, reader = _open_long(datagram)
        if version != VERSION_NEGOTIATION:
            raise DecodeError(f"version 0x{version:08x} is not that of Version Negotiation")
        destination_cid = reader.read_bytes(reader.read_uint8())
        source_cid = reader.read_bytes(reader.read_uint8())
        # RFC 8999 §6: without a version, or with a part of one, the packet is to be ignored.
        if reader.at_end() or reader.remaining() % 4:
            raise Truncated(f"truncated: {reader.remaining()} bytes of versions")
        versions = []
        while not reader.at_end():
            versions.append(reader.read_uint32())
        return cls(destination_cid, source_cid, tuple(versions), first)

    def encode(self) -> bytes:
        """The datagram.

        Raises:
            ValueError: a connection ID over 255 bytes or a version that is no 32-bit number.
        """
        writer = Writer()
        writer.write_uint8(self.first_byte | LONG_HEADER)
        writer.write_uint32(VERSION_NEGOTIATION)
        _write_cids(writer, self.destination_cid, self.source_cid, MAX_CID_SIZE_INVARIANT)
        for version in self.versions:
            writer.write_uint32(version)
        return writer.getvalue()


@final
class Retry(Value):
    """Retry packet of version 1 or 2.

    RFC 9000 §17.2.5. ``unused`` is the low half of the first byte. The tag is computed with the keys of RFC 9001
    §5.8 over the original destination connection ID and ``without_tag()``.
    """

    __slots__ = ("destination_cid", "integrity_tag", "source_cid", "token", "unused", "version")
    FIELDS: ClassVar[tuple[str, ...]] = (
        "version",
        "destination_cid",
        "source_cid",
        "token",
        "integrity_tag",
        "unused",
    )

    def __init__(
        self,
        version: int,
        destination_cid: bytes,
        source_cid: bytes,
        token: bytes,
        integrity_tag: bytes = b"",
        unused: int = 0,
    ) -> None:
        self.version: Final = version
        self.destination_cid: Final = destination_cid
        self.source_cid: Final = source_cid
        self.token: Final = token
        self.integrity_tag: Final = integrity_tag
        self.unused: Final = unused

    @classmethod
    def parse(cls, datagram: bytes) -> Retry:
        """Read the packet, which fills its datagram.

        Raises:
            DecodeError: another kind of packet, truncated, a connection ID over 20 bytes, or an empty token.
        """
        first, version, reader = _open_long(datagram)
        if long_packet_type(first, version) is not PacketType.RETRY:
            raise DecodeError(f"first byte 0x{first:02x} is not that of Retry")
        destination_cid = _read_cid(reader)
        source_cid = _read_cid(reader)
        size = reader.remaining() - RETRY_TAG_SIZE
        if size <= 0:  # RFC 9000 §17.2.5.2: an empty token is to be discarded
            raise Truncated(f"truncated: {reader.remaining()} bytes for token and tag")
        token = reader.read_bytes(size)
        return cls(version, destination_cid, source_cid, token, reader.read_rest(), first & 0x0F)

    def without_tag(self) -> bytes:
        """Everything before the integrity tag.

        Raises:
            ValueError: a connection ID over 20 bytes.
        """
        kind = 0 if self.version == VERSION_2 else 3  # RFC 9369 §3.2
        writer = Writer()
        writer.write_uint8(LONG_HEADER | FIXED_BIT | kind << 4 | self.unused & 0x0F)
        writer.write_uint32(self.version)
        _write_cids(writer, self.destination_cid, self.source_cid, MAX_CID_SIZE)
        writer.write_bytes(self.token)
        return writer.getvalue()

    def encode(self) -> bytes:
        """The datagram.

        Raises:
            ValueError: a tag that is not of 16 bytes, or a connection ID over 20.
        """
        if len(self.integrity_tag) != RETRY_TAG_SIZE:
            raise ValueError(f"integrity tag of {len(self.integrity_tag)} bytes")
        return self.without_tag() + self.integrity_tag


def parse_invariants(datagram: bytes, cid_length: int) -> Invariants:
    """Read what RFC 8999 §5 promises for every version.

    Args:
        cid_length: of the connection IDs this side gave out, which a short header does not tell.

    Raises:
        DecodeError: truncated.
    """
    if not datagram:
        raise Truncated("truncated: an empty datagram")
    if not datagram[0] & LONG_HEADER:
        return Invariants(False, 0, Reader(datagram, 1).read_bytes(cid_length), b"")
    _, version, reader = _open_long(datagram)
    destination_cid = reader.read_bytes(reader.read_uint8())
    source_cid = reader.read_bytes(reader.read_uint8())
    return Invariants(True, version, destination_cid, source_cid)


def stateless_reset(token: bytes, size: int, random: Callable[[int], bytes]) -> bytes:
    """A stateless reset of ``size`` bytes: a short header of noise, then the token.

    RFC 9000 §10.3.

    Raises:
        ValueError: a token not of 16 bytes, or a size below 21.
    """
    if len(token) != RESET_TOKEN_SIZE:
        raise ValueError(f"reset token of {len(token)} bytes")
    if size < MIN_RESET_SIZE:
        raise ValueError(f"a stateless reset of {size} bytes")
    noise = random(size - RESET_TOKEN_SIZE)
    return bytes([noise[0] & 0x3F | FIXED_BIT]) + noise[1:] + token


def reset_token_of(datagram: bytes) -> bytes:
    """The bytes that would be the token if ``datagram`` were a stateless reset.

    RFC 9000 §10.3.1. Compare them in constant time.

    Raises:
        DecodeError: shorter than a stateless reset can be.
    """
    size = len(datagram)
    if size < MIN_RESET_SIZE:
        raise Truncated(f"truncated: a stateless reset of {size} bytes")
    return datagram[size - RESET_TOKEN_SIZE :]


def _open_long(datagram: bytes) -> tuple[int, int, Reader]:
    """First byte, version, and a reader at the destination connection ID's length."""
    reader = Reader(datagram)
    first = reader.read_uint8()
    if not first & LONG_HEADER:
        raise DecodeError(f"first byte 0x{first:02x} is not that of a long header")
    return first, reader.read_uint32(), reader


def _read_cid(reader: Reader) -> bytes:
    size = reader.read_uint8()
    if size > MAX_CID_SIZE:
        raise DecodeError(f"connection ID of {size} bytes")
    return reader.read_bytes(size)


def _write_cids(writer: Writer, destination_cid: bytes, source_cid: bytes, limit: int) -> None:
    for cid in (destination_cid, source_cid):
        if len(cid) > limit:
            raise ValueError(f"connection ID of {len(cid)} bytes")
        writer.write_uint8(len(cid))
        writer.write_bytes(cid)
