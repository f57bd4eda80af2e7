"""The decoding half of QPACK: field sections to fields, with the peer's dynamic table.

Sizes are counted while decoding, so a small section that stands for a large one is refused before it is built.
A section whose entries have not arrived is kept until they have; how many is limited by our own setting.
RFC 9204 §2.2, §4.5.
"""

from __future__ import annotations

from typing import Final

from qhttp3.qpack import huffman, instructions, prefix_int
from qhttp3.qpack.dynamic_table import ENTRY_OVERHEAD, DynamicTable
from qhttp3.qpack.errors import DecompressionFailed, EncoderStreamError, SectionTooLarge
from qhttp3.qpack.static_table import FIELDS as STATIC_FIELDS

Field = tuple[bytes, bytes]

# Whole sections are remembered while the table does not change: requests of one client repeat.
CACHED_SECTIONS: Final = 64
CACHED_SECTION_SIZE: Final = 512


class Decoder(instructions.EncoderInstructionSink):
    """Decodes field sections of one connection.

    ``max_capacity`` and ``max_blocked`` are the values of our SETTINGS, ``max_section_size`` what
    SETTINGS_MAX_FIELD_SECTION_SIZE says, counted as RFC 9114 §4.2.2 does: 32 bytes more for each field. ``initial_capacity`` is 0 in HTTP/3; recordings
    for offline interoperability start with the whole table. So many Section Acknowledgments as
    ``acknowledgments_together`` wait for one another where they tell the encoder only that entries are not in use.
    """

    __slots__ = (
        "_acknowledged",
        "_acknowledgments",
        "_blocked",
        "_cache",
        "_max_entries",
        "_needed",
        "_output",
        "_partial",
        "acknowledgments_together",
        "is_due",
        "max_blocked",
        "max_capacity",
        "max_fields",
        "max_section_size",
        "table",
    )

    def __init__(
        self,
        max_capacity: int = 0,
        max_blocked: int = 0,
        max_section_size: int = 65536,
        max_fields: int = 200,
        *,
        initial_capacity: int = 0,
        acknowledgments_together: int = 1,
    ) -> None:
        self.max_capacity = max_capacity
        self.max_blocked = max_blocked
        self.max_section_size = max_section_size
        self.max_fields = max_fields
        self.acknowledgments_together = acknowledgments_together
        self._acknowledgments = 0  # in the output
        self.is_due = False  # the output should go
        self.table = DynamicTable(initial_capacity)
        self._max_entries = max_capacity // ENTRY_OVERHEAD
        self._partial = bytearray()  # beginning of an instruction, tried again at _needed bytes
        self._needed = 0
        self._blocked: dict[int, tuple[int, bytes]] = {}  # stream id: Required Insert Count, section
        self._acknowledged = 0  # insert count the peer's encoder knows we have
        self._output = bytearray()
        # By section: the Required Insert Count, 0 for none, and the fields. Good until something is inserted.
        self._cache: dict[bytes, tuple[int, list[Field]]] = {}

    def receive(self, data: bytes) -> list[int]:
        """Take bytes of the peer's encoder stream; returns the streams that can be resumed.

        Raises:
            EncoderStreamError: an instruction cannot be obeyed.
        """
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return []
            data = bytes(self._partial)
        before = self.table.inserted
        done, self._needed = instructions.parse_encoder_stream(data, self, self.max_capacity)
        self._partial = bytearray(data[done:])
        inserted = self.table.inserted
        if inserted == before:
            return []
        self.is_due = True
        self._cache.clear()
        return [stream_id for stream_id, (required, _) in self._blocked.items() if required <= inserted]

    def decode(self, stream_id: int, section: bytes) -> list[Field] | None:
        """Decode a field section; None if it waits for the encoder stream.

        Raises:
            DecompressionFailed: malformed, or more streams blocked than we allow.
            SectionTooLarge: beyond our limits; the section counts as given up, see `cancel`.
        """
        found = self._cache.get(section)
        if found is not None:
            required, fields = found
            if required:
                self._acknowledge(stream_id, required)
            return fields.copy()
        try:
            encoded, position = prefix_int.parse(section, 0, 8)
            if position < 0:
                raise DecompressionFailed("section ends within its prefix")
            required = self._required_insert_count(encoded) if encoded else 0
            if required > self.table.inserted:
                if stream_id not in self._blocked and len(self._blocked) >= self.max_blocked:
                    raise DecompressionFailed(f"more than {self.max_blocked} streams blocked")
                self._blocked[stream_id] = (required, section)
                return None
            return self._decode(stream_id, section, position, required)
        except (prefix_int.PrefixIntError, huffman.HuffmanError) as error:
            raise DecompressionFailed(str(error)) from error

    def resume(self, stream_id: int) -> list[Field] | None:
        """Decode the kept section of a stream that `receive` named; errors as for `decode`."""
        _, section = self._blocked.pop(stream_id)
        return self.decode(stream_id, section)

    def cancel(self, stream_id: int) -> None:
        """Give up a stream: its sections will not be decoded (RFC 9204 §2.2.2.2)."""
        self._blocked.pop(stream_id, None)
        # RFC 9204 §2.2.2.2: may be left out when the dynamic table can hold nothing.
        if self.max_capacity:
            self._output += instructions.stream_cancellation(stream_id)
            self.is_due = True

    def is_blocked(self, stream_id: int) -> bool:
        """Tell whether a section of the stream is kept."""
        return stream_id in self._blocked

    def take_instructions(self) -> bytes:
        """Give what there is for our decoder stream, and forget it; `is_due` tells when somebody waits for it."""
        self.is_due = False
        self._acknowledgments = 0
        if self._acknowledged < self.table.inserted:
            # RFC 9204 §2.2.2.3: entries that no Section Acknowledgment has covered are reported in one go.
            self._output += instructions.insert_count_increment(self.table.inserted - self._acknowledged)
            self._acknowledged = self.table.inserted
        if not self._output:
            return b""
        output = bytes(self._output)
        self._output.clear()
        return output

    # The peer's encoder stream, RFC 9204 §4.3

    def on_capacity(self, capacity: int) -> None:
        if capacity > self.max_capacity:
            raise EncoderStreamError(f"capacity {capacity} above the limit {self.max_capacity}")
        self._cache.clear()
        self.table.set_capacity(capacity)

    def on_insert_named(self, is_static: bool, index: int, value: bytes) -> None:
        if is_static:
            self._insert((STATIC_FIELDS[index][0], value))
        else:
            self._insert((self._relative(index)[0], value))

    def on_insert(self, name: bytes, value: bytes) -> None:
        self._insert((name, value))

    def on_duplicate(self, index: int) -> None:
        self._insert(self._relative(index))

    def _insert(self, field: Field) -> None:
        if self.table.insert(field) is None:
            size = len(field[0]) + len(field[1]) + ENTRY_OVERHEAD
            raise EncoderStreamError(f"entry of {size} bytes exceeds the capacity {self.table.capacity}")

    def _relative(self, index: int) -> Field:
        entry = self.table.get(self.table.inserted - index - 1)
        if entry is None:
            raise EncoderStreamError(f"no entry at relative index {index}")
        return entry.field

    # Field sections, RFC 9204 §4.5

    def _required_insert_count(self, encoded: int) -> int:
        # RFC 9204 §4.5.1.1
        full_range = 2 * self._max_entries
        if encoded > full_range:
            raise DecompressionFailed(f"encoded Required Insert Count {encoded} above {full_range}")
        highest = self.table.inserted + self._max_entries
        required = highest // full_range * full_range + encoded - 1
        if required > highest:
            if required <= full_range:
                raise DecompressionFailed(f"Required Insert Count {required} cannot be")
            required -= full_range
        if required == 0:
            raise DecompressionFailed("Required Insert Count 0 not encoded as 0")
        return required

    def _decode(self, stream_id: int, section: bytes, position: int, required: int) -> list[Field]:
        end = len(section)
        is_negative = position < end and section[position] >= 0x80
        delta, position = prefix_int.parse(section, position, 7)
        if position < 0:
            raise DecompressionFailed("section ends within its prefix")
        base = required - delta - 1 if is_negative else required + delta
        if base < 0:
            raise DecompressionFailed(f"Base {base} below 0")
        fields: list[Field] = []
        room = self.max_section_size
        used = 0  # largest absolute index referred to, plus one
        while position < end:
            first = section[position]
            if first >= 0xC0:  # 11 index(6+)
                if first < 0xFF:
                    index = first & 0x3F
                    position += 1
                else:
                    index, position = prefix_int.parse(section, position, 6)
                    if position < 0 or index >= instructions.STATIC_COUNT:
                        raise _bad_reference("static index", index, position)
                field = STATIC_FIELDS[index]
            elif first >= 0x80 or 0x10 <= first < 0x20:  # 10 index(6+), 0001 index(4+)
                is_post_base = first < 0x80
                index, position = prefix_int.parse(section, position, 4 if is_post_base else 6)
                absolute = base + index if is_post_base else base - index - 1
                entry = self.table.get(absolute) if absolute < required and position >= 0 else None
                if entry is None:
                    raise _bad_reference("entry", absolute, position)
                if absolute >= used:
                    used = absolute + 1
                field = entry.field
            else:
                if first >= 0x40:  # 01 N T index(4+)
                    index, position = prefix_int.parse(section, position, 4)
                    if first & 0x10:
                        if position < 0 or index >= instructions.STATIC_COUNT:
                            raise _bad_reference("static index", index, position)
                        name = STATIC_FIELDS[index][0]
                    else:
                        absolute = base - index - 1
                        entry = self.table.get(absolute) if absolute < required and position >= 0 else None
                        if entry is None:
                            raise _bad_reference("entry", absolute, position)
                        if absolute >= used:
                            used = absolute + 1
                        name = entry.field[0]
                elif first >= 0x20:  # 001 N H name(3+)
                    name, position = _parse_string(section, position, 3)
                else:  # 0000 N index(3+)
                    index, position = prefix_int.parse(section, position, 3)
                    absolute = base + index
                    entry = self.table.get(absolute) if absolute < required and position >= 0 else None
                    if entry is None:
                        raise _bad_reference("entry", absolute, position)
                    if absolute >= used:
                        used = absolute + 1
                    name = entry.field[0]
                value, position = _parse_string(section, position, 7)
                field = (name, value)
            room -= len(field[0]) + len(field[1]) + ENTRY_OVERHEAD
            if room < 0:
                raise SectionTooLarge(f"field section larger than {self.max_section_size} bytes")
            fields.append(field)
            if len(fields) > self.max_fields:
                raise SectionTooLarge(f"more than {self.max_fields} fields")
        # RFC 9204 §2.2.1: one that claims more than it uses may be refused; it only serves to block streams.
        if used != required:
            raise DecompressionFailed(f"Required Insert Count {required}, but {used} is needed")
        if required:
            self._acknowledge(stream_id, required)
        if end <= CACHED_SECTION_SIZE:
            if len(self._cache) >= CACHED_SECTIONS:
                self._cache.clear()
            self._cache[section] = (required, fields.copy())
        return fields

    def _acknowledge(self, stream_id: int, required: int) -> None:
        self._output += instructions.section_acknowledgment(stream_id)
        self._acknowledgments += 1
        if required > self._acknowledged:
            # RFC 9204 §2.1.2: only now may the encoder use these entries without the risk that we must wait.
            self._acknowledged = required
            self.is_due = True
        elif self._acknowledgments >= self.acknowledgments_together:
            self.is_due = True


def _parse_string(section: bytes, position: int, prefix_bits: int) -> tuple[bytes, int]:
    if position >= len(section):
        raise DecompressionFailed("section ends within a field line")
    is_huffman = section[position] >> prefix_bits & 1
    size, position = prefix_int.parse(section, position, prefix_bits)
    end = position + size
    if position < 0 or end > len(section):
        raise DecompressionFailed("section ends within a field line")
    content = section[position:end]
    return (huffman.decode(content) if is_huffman else content), end


def _bad_reference(what: str, index: int, position: int) -> DecompressionFailed:
    if position < 0:
        return DecompressionFailed("section ends within a field line")
    return DecompressionFailed(f"no {what} {index}")
