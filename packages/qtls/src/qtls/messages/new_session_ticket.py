"""NewSessionTicket.

RFC 8446 §4.6.1; in QUIC, early_data is all or nothing (RFC 9001 §4.6.1).
"""

from __future__ import annotations

from typing import Final, final

from .. import extensions
from ..codec import Reader, message, vector8, vector16
from ..constants import EXT_EARLY_DATA, ILLEGAL_PARAMETER, NEW_SESSION_TICKET
from ..errors import DecodeError

MAX_LIFETIME: Final = 604_800
EARLY_DATA: Final = 0xFFFFFFFF


@final
class NewSessionTicket:
    """One ticket; ``lifetime`` in seconds, ``max_early_data`` 0 when 0-RTT is not allowed."""

    __slots__ = ("age_add", "lifetime", "max_early_data", "nonce", "ticket")

    def __init__(
        self, lifetime: int, age_add: int, nonce: bytes, ticket: bytes, max_early_data: int = 0
    ) -> None:
        self.lifetime = lifetime
        self.age_add = age_add
        self.nonce = nonce
        self.ticket = ticket
        self.max_early_data = max_early_data

    @classmethod
    def parse(cls, raw: bytes) -> NewSessionTicket:
        """Read the message ``raw``, header included.

        Raises:
            DecodeError: malformed.
        """
        reader = Reader(raw, 4)
        lifetime = reader.read_uint32()
        age_add = reader.read_uint32()
        nonce = reader.read_vector8()
        ticket = reader.read_vector16()
        listed = extensions.parse(reader.read_vector16())
        reader.expect_end("NewSessionTicket")
        if not ticket:
            raise DecodeError("empty ticket")
        if lifetime > MAX_LIFETIME:
            raise DecodeError(f"ticket lifetime of {lifetime} seconds", ILLEGAL_PARAMETER)
        max_early_data = 0
        for number, body in listed:
            if number == EXT_EARLY_DATA:
                if len(body) != 4:
                    raise DecodeError(f"early_data of {len(body)} bytes in a ticket")
                max_early_data = int.from_bytes(body, "big")
        return cls(lifetime, age_add, nonce, ticket, max_early_data)

    def encode(self) -> bytes:
        """The message with its header."""
        listed = []
        if self.max_early_data:
            listed.append((EXT_EARLY_DATA, self.max_early_data.to_bytes(4, "big")))
        body = self.lifetime.to_bytes(4, "big") + self.age_add.to_bytes(4, "big") + vector8(self.nonce)
        return message(NEW_SESSION_TICKET, body + vector16(self.ticket) + extensions.encode(listed))
