"""The list of transport parameters as bytes: ids, lengths and values, whatever they mean. RFC 9000 §18."""

from collections.abc import Iterable
from typing import ClassVar, Final, final

import quicvarint
from qwire.constants import TP_STATELESS_RESET_TOKEN
from qwire.errors import Truncated
from qwire.values import Value


@final
class Parameter(Value):
    """One entry as it is on the wire.

    RFC 9000 §18. ``id_size`` and ``length_size`` are the bytes of those two integers; 0 is the shortest form.
    """

    __slots__ = ("id", "id_size", "length_size", "value")
    FIELDS: ClassVar[tuple[str, ...]] = ("id", "value", "id_size", "length_size")

    def __init__(self, id: int, value: bytes, id_size: int = 0, length_size: int = 0) -> None:
        self.id: Final = id
        self.value: Final = value
        self.id_size: Final = id_size
        self.length_size: Final = length_size

    def __reduce__(self) -> "tuple[type[Parameter], tuple[int, bytes, int, int]]":
        return Parameter, (self.id, self.value, self.id_size, self.length_size)


# Entries that many connections have alike are one object. Those with identifiers or random bytes are not kept.
SHARED_IDS: Final = frozenset((*range(0x01, 0x0D), 0x0E, 0x20)) - {TP_STATELESS_RESET_TOKEN}
SHARED_COUNT: Final = 256
_shared: Final[dict[tuple[int, bytes], Parameter]] = {}


def shared(id: int, value: bytes) -> Parameter:
    """An entry in the shortest form."""
    if id not in SHARED_IDS or len(value) > 8:
        return Parameter(id, value)
    found = _shared.get((id, value))
    if found is None:
        if len(_shared) >= SHARED_COUNT:
            _shared.clear()
        found = _shared[(id, value)] = Parameter(id, value)
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
                value = data[start:stop]
                entries.append(_shared.get((id, value)) or shared(id, value))
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
    data = bytearray()
    for entry in entries:
        size = len(entry.value)
        if 0 <= entry.id < 0x40 and size < 0x40 and not entry.id_size and not entry.length_size:
            data.append(entry.id)
            data.append(size)
            data += entry.value
            continue
        if entry.id_size:
            quicvarint.append_sized(data, entry.id, entry.id_size)
        else:
            quicvarint.append(data, entry.id)
        if entry.length_size:
            quicvarint.append_sized(data, len(entry.value), entry.length_size)
        else:
            quicvarint.append(data, len(entry.value))
        data += entry.value
    return bytes(data)
