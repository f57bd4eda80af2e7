"""SETTINGS as an ordered list that round-trips, with a typed view.

Order, reserved entries and sizes of integers are kept, because they are part of how an implementation looks from
outside. RFC 9114 §7.2.4, RFC 9204 §5, RFC 9220, RFC 9297 §2.1.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

import quicvarint
from qhttp3.errors import H3_FRAME_ERROR, H3_SETTINGS_ERROR, ConnectionViolation
from qhttp3.light_dataclass import dataclass, field
from qhttp3.values import Value

QPACK_MAX_TABLE_CAPACITY: Final = 0x01
MAX_FIELD_SECTION_SIZE: Final = 0x06
QPACK_BLOCKED_STREAMS: Final = 0x07
ENABLE_CONNECT_PROTOCOL: Final = 0x08
H3_DATAGRAM: Final = 0x33

# RFC 9114 §7.2.4.1, §11.2.2: settings of HTTP/2 without a counterpart.
_HTTP2_SETTINGS: Final = frozenset((0x00, 0x02, 0x03, 0x04, 0x05))
_BOOLEANS: Final = frozenset((ENABLE_CONNECT_PROTOCOL, H3_DATAGRAM))


@final
class Setting(Value):
    """One entry; the sizes are those on the wire in bytes, 0 for the shortest."""

    __slots__ = ("identifier", "identifier_size", "value", "value_size")

    def __init__(self, identifier: int, value: int, identifier_size: int = 0, value_size: int = 0) -> None:
        self.identifier: Final = identifier
        self.value: Final = value
        self.identifier_size: Final = identifier_size
        self.value_size: Final = value_size


@dataclass(frozen=True, init=False)
class H3Settings:
    """The entries of a SETTINGS frame in wire order.

    Attributes:
        qpack_max_table_capacity: bytes of dynamic table the sender's decoder offers (RFC 9204 §5).
        qpack_blocked_streams: streams that may wait for the encoder stream (RFC 9204 §5).
        max_field_section_size: largest field section the sender accepts, 32 bytes counted for each field; None for
            any size.
        enable_connect_protocol: whether extended CONNECT is understood (RFC 9220).
        h3_datagram: whether HTTP datagrams are understood (RFC 9297).
    """

    entries: tuple[Setting, ...]
    # Read off the entries once: they are looked at with every request.
    qpack_max_table_capacity: int = field(init=False, repr=False, compare=False)
    qpack_blocked_streams: int = field(init=False, repr=False, compare=False)
    max_field_section_size: int | None = field(init=False, repr=False, compare=False)
    enable_connect_protocol: bool = field(init=False, repr=False, compare=False)
    h3_datagram: bool = field(init=False, repr=False, compare=False)

    def __init__(self, entries: Iterable[Setting | tuple[int, int]] = ()) -> None:
        put = object.__setattr__
        put(
            self,
            "entries",
            tuple(entry if isinstance(entry, Setting) else Setting(*entry) for entry in entries),
        )
        size = self.get(MAX_FIELD_SECTION_SIZE, -1)
        put(self, "qpack_max_table_capacity", self.get(QPACK_MAX_TABLE_CAPACITY))
        put(self, "qpack_blocked_streams", self.get(QPACK_BLOCKED_STREAMS))
        put(self, "max_field_section_size", None if size < 0 else size)
        put(self, "enable_connect_protocol", self.get(ENABLE_CONNECT_PROTOCOL) == 1)
        put(self, "h3_datagram", self.get(H3_DATAGRAM) == 1)

    @classmethod
    def build(
        cls,
        *,
        qpack_max_table_capacity: int = 0,
        qpack_blocked_streams: int = 0,
        max_field_section_size: int | None = None,
        enable_connect_protocol: bool = False,
        h3_datagram: bool = False,
    ) -> H3Settings:
        """Make settings in ascending order, leaving out what has its default value."""
        values = (
            (QPACK_MAX_TABLE_CAPACITY, qpack_max_table_capacity),
            (MAX_FIELD_SECTION_SIZE, -1 if max_field_section_size is None else max_field_section_size),
            (QPACK_BLOCKED_STREAMS, qpack_blocked_streams),
            (ENABLE_CONNECT_PROTOCOL, int(enable_connect_protocol)),
            (H3_DATAGRAM, int(h3_datagram)),
        )
        return cls(
            (key, value)
            for key, value in values
            if value > 0 or (value == 0 and key == MAX_FIELD_SECTION_SIZE)
        )

    @classmethod
    def parse(cls, payload: bytes) -> H3Settings:
        """Read the payload of a SETTINGS frame.

        Raises:
            ConnectionViolation: truncated, an entry twice, an entry of HTTP/2, or a switch that is neither 0 nor 1.
        """
        entries: list[Setting] = []
        seen: set[int] = set()
        position = 0
        try:
            while position < len(payload):
                identifier, middle = quicvarint.parse(payload, position)
                value, end = quicvarint.parse(payload, middle)
                if identifier in seen:
                    raise ConnectionViolation(H3_SETTINGS_ERROR, f"setting 0x{identifier:x} twice")
                if identifier in _HTTP2_SETTINGS:
                    raise ConnectionViolation(H3_SETTINGS_ERROR, f"setting 0x{identifier:x} of HTTP/2")
                if identifier in _BOOLEANS and value > 1:
                    raise ConnectionViolation(H3_SETTINGS_ERROR, f"setting 0x{identifier:x} is {value}")
                seen.add(identifier)
                entries.append(
                    Setting(
                        identifier,
                        value,
                        _unusual_size(identifier, middle - position),
                        _unusual_size(value, end - middle),
                    )
                )
                position = end
        except quicvarint.VarintError as error:
            raise ConnectionViolation(H3_FRAME_ERROR, "SETTINGS end within an entry") from error
        return cls(entries)

    def encode(self) -> bytes:
        """Give the payload of a SETTINGS frame."""
        out = bytearray()
        for entry in self.entries:
            for number, size in ((entry.identifier, entry.identifier_size), (entry.value, entry.value_size)):
                if size:
                    quicvarint.append_sized(out, number, size)
                else:
                    quicvarint.append(out, number)
        return bytes(out)

    def get(self, identifier: int, default: int = 0) -> int:
        """Give the value of a setting."""
        for entry in self.entries:
            if entry.identifier == identifier:
                return entry.value
        return default

    def pairs(self) -> list[tuple[int, int]]:
        """Give identifiers and values in wire order."""
        return [(entry.identifier, entry.value) for entry in self.entries]


def check_resumed(remembered: H3Settings, actual: H3Settings) -> None:
    """Check the settings of a server that accepted early data against those the client had remembered.

    RFC 9114 §7.2.4.2: no limit may shrink, and nothing may be left to its default that had a value.
    RFC 9204 §3.2.3: the table capacity must be the same, unless it was 0.

    Raises:
        ConnectionViolation: they do not agree.
    """
    capacity = remembered.qpack_max_table_capacity
    for identifier in (QPACK_MAX_TABLE_CAPACITY, QPACK_BLOCKED_STREAMS, ENABLE_CONNECT_PROTOCOL, H3_DATAGRAM):
        before = remembered.get(identifier)
        now = actual.get(identifier)
        if now < before or (identifier == QPACK_MAX_TABLE_CAPACITY and capacity and now != before):
            raise ConnectionViolation(H3_SETTINGS_ERROR, f"setting 0x{identifier:x} was {before}, now {now}")
    before_size = remembered.max_field_section_size
    now_size = actual.max_field_section_size
    if now_size is not None and (before_size is None or now_size < before_size):
        raise ConnectionViolation(H3_SETTINGS_ERROR, f"field section limit was {before_size}, now {now_size}")


def _unusual_size(number: int, size: int) -> int:
    return 0 if size == quicvarint.size(number) else size
