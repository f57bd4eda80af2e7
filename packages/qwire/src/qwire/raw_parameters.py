"""The list of transport parameters as bytes: ids, lengths and values, whatever they mean. RFC 9000 §18."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final, final

import quicvarint
from qwire.constants import TP_STATELESS_RESET_TOKEN
from qwire.errors import Truncated
from qwire.values import Value

# Nobody has asked yet whether a value is an integer.
UNKNOWN: Final = -2


@final
class Parameter(Value):
    """One entry as it is on the wire.

    RFC 9000 §18. ``id_size`` and ``length_size`` are the bytes of those two integers; 0 is the shortest form.
    ``is_sound`` tells that the value was looked at by itself and found good: few entries are new with a connection.
    """

    __slots__ = ("_encoded", "_integer", "id", "id_size", "is_sound", "length_size", "value")
    FIELDS: ClassVar[tuple[str, ...]] = ("id", "value", "id_size", "length_size")

    def __init__(self, id: int, value: bytes, id_size: int = 0, length_size: int = 0) -> None:
        self.id: Final = id
        self.value: Final = value
        self.id_size: Final = id_size
        self.length_size: Final = length_size
        self._encoded = b""  # until somebody asks
        self._integer = UNKNOWN
        self.is_sound = False

    def encode(self) -> bytes:
        """Id, length and value.

        Raises:
            ValueError: an id or length that does not fit the size asked for.
        """
        if not self._encoded:
            self._encoded = _encode(self)
        return self._encoded

    def integer(self) -> int:
        """The value read as a varint; -1 when it is not exactly one."""
        if self._integer == UNKNOWN:
            value = self.value
            size = len(value)
            if size and size == 1 << (value[0] >> 6):
                self._integer = int.from_bytes(value, "big") & (1 << 8 * size - 2) - 1
            else:
                self._integer = -1
        return self._integer

    def __reduce__(self) -> tuple[type[Parameter], tuple[int, bytes, int, int]]:
        return Parameter, (self.id, self.value, self.id_size, self.length_size)


# Entries that many connections have alike are one object. Those with identifiers or random bytes are not kept.
SHARED_IDS: Final = frozenset((*range(0x01, 0x0D), 0x0E, 0x20)) - {TP_STATELESS_RESET_TOKEN}
SHARED_COUNT: Final = 256
_shared: Final[dict[bytes, Parameter]] = {}  # by their encoding


def shared(id: int, value: bytes) -> Parameter:
    """An entry in the shortest form."""
    entry = Parameter(id, value)
    if id not in SHARED_IDS or len(value) > 8:
        return entry
    encoded = entry.encode()
    found = _shared.get(encoded)
    if found is None:
        if len(_shared) >= SHARED_COUNT:
            _shared.clear()
        found = _shared[encoded] = entry
    return found


def parse_entries(data: bytes) -> list[Parameter]:
    """Read the entries in order, with the encoding of their ids and lengths.

    RFC 9000 §18.

    Raises:
        Truncated: the input ends inside an entry.
    """
    entries: list[Parameter] = []
    total = len(data)
    position = 0
    while position < total:
        id, after_id = data[position], position + 1
        if id < 0x40 and after_id < total and data[after_id] < 0x40:  # as most are: a byte each
            start = after_id + 1
            stop = start + data[after_id]
            if stop <= total:
                entries.append(_shared.get(data[position:stop]) or shared(id, data[start:stop]))
                position = stop
                continue
        try:
            id, after_id = quicvarint.parse(data, position)
            length, start = quicvarint.parse(data, after_id)
        except quicvarint.VarintError as error:
            raise Truncated(f"truncated: transport parameter {len(entries)}: {error}") from None
        stop = start + length
        if stop > total:
            raise Truncated(f"truncated: parameter 0x{id:x} of {length} bytes, {total - start} left")
        id_size, length_size = after_id - position, start - after_id
        if id_size == quicvarint.size(id) and length_size == quicvarint.size(length):
            entries.append(shared(id, data[start:stop]))
        else:
            entries.append(
                Parameter(
                    id,
                    data[start:stop],
                    0 if id_size == quicvarint.size(id) else id_size,
                    0 if length_size == quicvarint.size(length) else length_size,
                )
            )
        position = stop
    return entries


def encode_entries(entries: Iterable[Parameter]) -> bytes:
    """The bytes of the entries.

    RFC 9000 §18.

    Raises:
        ValueError: an id or length that does not fit the size asked for.
    """
    return b"".join([entry.encode() for entry in entries])


def _encode(entry: Parameter) -> bytes:
    size = len(entry.value)
    if 0 <= entry.id < 0x40 and size < 0x40 and not entry.id_size and not entry.length_size:
        return b"%c%c%b" % (entry.id, size, entry.value)
    data = bytearray()
    if entry.id_size:
        quicvarint.append_sized(data, entry.id, entry.id_size)
    else:
        quicvarint.append(data, entry.id)
    if entry.length_size:
        quicvarint.append_sized(data, size, entry.length_size)
    else:
        quicvarint.append(data, size)
    data += entry.value
    return bytes(data)
