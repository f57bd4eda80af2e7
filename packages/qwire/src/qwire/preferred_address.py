"""The value of the transport parameter preferred_address. RFC 9000 §9.6, §18.2."""

from __future__ import annotations

from typing import ClassVar, Final, final

from qwire.buffer import Reader, Writer
from qwire.constants import MAX_CID_SIZE, RESET_TOKEN_SIZE
from qwire.errors import DecodeError
from qwire.values import Value


@final
class PreferredAddress(Value):
    """The value of preferred_address, RFC 9000 §18.2; an address of zeros means none of that family."""

    __slots__ = (
        "connection_id",
        "ipv4_address",
        "ipv4_port",
        "ipv6_address",
        "ipv6_port",
        "stateless_reset_token",
    )
    FIELDS: ClassVar[tuple[str, ...]] = (
        "ipv4_address",
        "ipv4_port",
        "ipv6_address",
        "ipv6_port",
        "connection_id",
        "stateless_reset_token",
    )

    def __init__(
        self,
        ipv4_address: bytes,
        ipv4_port: int,
        ipv6_address: bytes,
        ipv6_port: int,
        connection_id: bytes,
        stateless_reset_token: bytes,
    ) -> None:
        self.ipv4_address: Final = ipv4_address
        self.ipv4_port: Final = ipv4_port
        self.ipv6_address: Final = ipv6_address
        self.ipv6_port: Final = ipv6_port
        self.connection_id: Final = connection_id
        self.stateless_reset_token: Final = stateless_reset_token

    def __reduce__(self) -> tuple[type[PreferredAddress], tuple[bytes, int, bytes, int, bytes, bytes]]:
        return PreferredAddress, (
            self.ipv4_address,
            self.ipv4_port,
            self.ipv6_address,
            self.ipv6_port,
            self.connection_id,
            self.stateless_reset_token,
        )

    @classmethod
    def parse(cls, data: bytes) -> PreferredAddress:
        """Read the value.

        Raises:
            DecodeError: truncated, bytes left over, or a connection ID not of 1 to 20 bytes.
        """
        reader = Reader(data)
        ipv4_address, ipv4_port = reader.read_bytes(4), reader.read_uint16()
        ipv6_address, ipv6_port = reader.read_bytes(16), reader.read_uint16()
        size = reader.read_uint8()
        if not 1 <= size <= MAX_CID_SIZE:
            raise DecodeError(f"preferred address with a connection ID of {size} bytes")
        connection_id = reader.read_bytes(size)
        token = reader.read_bytes(RESET_TOKEN_SIZE)
        if not reader.at_end():
            raise DecodeError(f"{reader.remaining()} bytes after the preferred address")
        return cls(ipv4_address, ipv4_port, ipv6_address, ipv6_port, connection_id, token)

    def encode(self) -> bytes:
        """The value.

        Raises:
            ValueError: a field that does not fit.
        """
        if (len(self.ipv4_address), len(self.ipv6_address)) != (4, 16):
            raise ValueError("addresses are of 4 and 16 bytes")
        if len(self.stateless_reset_token) != RESET_TOKEN_SIZE:
            raise ValueError(f"reset token of {len(self.stateless_reset_token)} bytes")
        writer = Writer()
        writer.write_bytes(self.ipv4_address)
        writer.write_uint16(self.ipv4_port)
        writer.write_bytes(self.ipv6_address)
        writer.write_uint16(self.ipv6_port)
        writer.write_uint8(len(self.connection_id))
        writer.write_bytes(self.connection_id)
        writer.write_bytes(self.stateless_reset_token)
        return writer.getvalue()
