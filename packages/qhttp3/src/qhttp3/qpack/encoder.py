"""The encoding half of QPACK: fields to field sections, and what to insert into the dynamic table.

An entry is evicted only when no unacknowledged section uses it and the peer is known to have it, so the peer's
table never loses what is under way. RFC 9204 §2.1, §4.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qhttp3.qpack import field_lines, instructions
from qhttp3.qpack.dynamic_table import ENTRY_OVERHEAD, DynamicTable, Entry
from qhttp3.qpack.errors import DecoderStreamError
from qhttp3.qpack.policy import EncoderPolicy, Insert
from qhttp3.qpack.static_table import INDEX_BY_FIELD, INDEX_BY_NAME

Field = tuple[bytes, bytes]

# A peer that acknowledges nothing makes us remember every section that used the table; beyond this we stop using it.
MAX_OUTSTANDING: Final = 1024
# Fields seen once, waiting for their second time.
MAX_SEEN: Final = 256
# Encoded lines that use no dynamic entry are kept for all connections, if short; likewise whole sections per encoder.
CACHED_LINES: Final = 1024
CACHED_LINE_SIZE: Final = 128
CACHED_SECTIONS: Final = 16


class Encoder(instructions.DecoderInstructionSink):
    """Encodes the field sections of one connection.

    Without `set_limits` it uses the static table alone.
    """

    __slots__ = (
        "_blocked",
        "_by_field",
        "_by_name",
        "_capacity_due",
        "_drain_index",
        "_drain_size",
        "_inserts_at_once",
        "_known_received",
        "_lines",
        "_max_blocked",
        "_max_entries",
        "_output",
        "_outstanding",
        "_outstanding_count",
        "_partial",
        "_sections",
        "_seen",
        "_sensitive",
        "instructions_last",
        "policy",
        "table",
    )

    def __init__(self, policy: EncoderPolicy | None = None) -> None:
        self.policy = policy = policy if policy is not None else EncoderPolicy()
        # What is asked for with every section is kept here.
        self.instructions_last = policy.instructions_last
        self._sensitive = policy.sensitive
        self._inserts_at_once = policy.insert is Insert.EVERYTHING
        self.table = DynamicTable()
        self._max_entries = 0
        self._max_blocked = 0
        self._known_received = 0
        self._capacity_due = False
        self._by_field: dict[Field, Entry] = {}
        self._by_name: dict[bytes, Entry] = {}
        # Sections not yet acknowledged, oldest first: Required Insert Count, entries used.
        self._outstanding: dict[int, list[tuple[int, list[Entry]]]] = {}
        self._outstanding_count = 0
        self._blocked: dict[int, int] = {}  # stream id: insert count it may be waiting for
        self._drain_index = 0  # entries before this are draining,
        self._drain_size = 0  # and so many bytes are not
        self._seen: dict[Field | bytes, None] = {}
        self._sections: dict[tuple[Field, ...], tuple[bytes, int, list[Entry]]] = {}
        # The shared lines carry no N bit and no secret; an encoder with ideas of its own keeps its own.
        self._lines = _LINES if self._sensitive <= _SECRETS else {}
        self._output = bytearray()
        self._partial = b""

    def set_limits(self, max_capacity: int, max_blocked: int) -> None:
        """Take the peer's SETTINGS: table capacity in bytes, and streams that may be blocked.

        Raises:
            DecoderStreamError: the capacity differs from one we have already built upon (RFC 9204 §3.2.3).
        """
        self._max_blocked = max_blocked if self.policy.may_block else 0
        max_entries = max_capacity // ENTRY_OVERHEAD
        if self._max_entries and max_entries != self._max_entries:
            raise DecoderStreamError(f"capacity limit {max_capacity} is not the one remembered")
        self._max_entries = max_entries
        capacity = 0 if self.policy.insert is Insert.NOTHING else min(max_capacity, self.policy.capacity)
        if capacity and not self.table.capacity:
            self.table.set_capacity(capacity)
            self._capacity_due = True
            if self.policy.eager_capacity:
                self._announce_capacity()

    def encode(self, stream_id: int, fields: Sequence[Field], *, can_insert: bool = True) -> bytes:
        """Encode a field section.

        Encoder instructions that it needs are in `take_instructions`, and must be sent no later.
        ``can_insert`` is False while the encoder stream lacks room (RFC 9204 §2.1.3).
        """
        again = self.encode_again(stream_id, fields)
        if again is not None:
            return again
        if not self.table.capacity or self._outstanding_count >= MAX_OUTSTANDING:
            lines = self._lines
            return field_lines.EMPTY_PREFIX + b"".join(
                [lines.get(field) or self._line(field) for field in fields]
            )
        return self._encode(stream_id, tuple(fields), self._may_block(stream_id), can_insert)

    def encode_again(self, stream_id: int, fields: Sequence[Field]) -> bytes | None:
        """Encode a section as an earlier one with the same fields was; None where there was none, or it would not do.

        Needs no instructions.
        """
        if self._outstanding_count >= MAX_OUTSTANDING:
            return None
        found = self._sections.get(tuple(fields))
        if found is None:
            return None
        section, required, entries = found
        if required > self._known_received and not self._may_block(stream_id):
            return None
        for entry in entries:
            entry.references += 1
        self._remember(stream_id, required, entries)
        return section

    def _may_block(self, stream_id: int) -> bool:
        return stream_id in self._blocked or len(self._blocked) < self._max_blocked

    def receive(self, data: bytes) -> None:
        """Take bytes of the peer's decoder stream.

        Raises:
            DecoderStreamError: an instruction does not fit what we sent.
        """
        if self._partial:
            data = self._partial + data
        self._partial = data[instructions.parse_decoder_stream(data, self) :]

    @property
    def has_instructions(self) -> bool:
        """Whether `take_instructions` would give any."""
        return len(self._output) > 0

    def take_instructions(self) -> bytes:
        """Give what is due on our encoder stream, and forget it."""
        if not self._output:
            return b""
        output = bytes(self._output)
        self._output.clear()
        return output

    # The peer's decoder stream, RFC 9204 §4.4

    def on_section_acknowledgment(self, stream_id: int) -> None:
        sections = self._outstanding.get(stream_id)
        if sections is None:
            raise DecoderStreamError(
                f"acknowledgment for stream {stream_id}, which has no section outstanding"
            )
        required, entries = sections.pop(0)
        self._outstanding_count -= 1
        if not sections:
            del self._outstanding[stream_id]
        for entry in entries:
            entry.references -= 1
        if required > self._known_received:
            self._advance(required)

    def on_stream_cancellation(self, stream_id: int) -> None:
        self._blocked.pop(stream_id, None)
        # RFC 9204 §4.4.2: it comes also for streams whose sections used no entry.
        for _, entries in self._outstanding.pop(stream_id, ()):
            self._outstanding_count -= 1
            for entry in entries:
                entry.references -= 1

    def on_insert_count_increment(self, increment: int) -> None:
        # RFC 9204 §4.4.3
        if increment == 0 or self._known_received + increment > self.table.inserted:
            raise DecoderStreamError(
                f"increment {increment} at {self._known_received} known of {self.table.inserted} entries"
            )
        self._advance(self._known_received + increment)

    def _advance(self, known_received: int) -> None:
        self._known_received = known_received
        if self._blocked:
            self._blocked = {key: count for key, count in self._blocked.items() if count > known_received}

    # Sections

    def _encode(self, stream_id: int, fields: tuple[Field, ...], may_block: bool, can_insert: bool) -> bytes:
        lines = self._lines
        parts: list[bytes] = []
        # Lines with dynamic references need Base, which is known in the end: position, entry, field of the line.
        references: list[tuple[int, Entry, Field | None]] = []
        usable = 1 << 62 if may_block else self._known_received
        inserted_before = self.table.inserted
        is_stable = True  # the same fields would come out the same
        required = 0
        for field in fields:
            entry = self._by_field.get(field)
            if entry is not None:
                if entry.index < self._drain_index and can_insert:
                    entry = self._duplicate(entry)
                    is_stable = False
            elif field in INDEX_BY_FIELD:
                parts.append(lines.get(field) or self._line(field))
                continue
            elif can_insert and self._is_worth_inserting(field):
                entry = self._insert(field)
            else:
                is_stable = False
            name_only = None
            if entry is None or entry.index >= usable:
                entry = self._by_name.get(field[0]) if field[0] not in INDEX_BY_NAME else None
                if entry is None or entry.index >= usable:
                    parts.append(lines.get(field) or self._line(field))
                    continue
                name_only = field
            entry.references += 1
            references.append((len(parts), entry, name_only))
            parts.append(b"")
            if entry.index >= required:
                required = entry.index + 1
        sensitive = self._sensitive
        for position, entry, named in references:
            relative = required - entry.index - 1
            parts[position] = (
                field_lines.indexed_dynamic(relative)
                if named is None
                else field_lines.literal_dynamic_name(relative, named[1], named[0] in sensitive)
            )
        section = field_lines.section_prefix(required, required, self._max_entries) + b"".join(parts)
        if references:
            entries = [entry for _, entry, _ in references]
            self._remember(stream_id, required, entries)
            if is_stable and inserted_before == self.table.inserted:
                if len(self._sections) >= CACHED_SECTIONS:
                    self._sections.clear()
                self._sections[fields] = (section, required, entries)
        return section

    def _remember(self, stream_id: int, required: int, entries: list[Entry]) -> None:
        self._outstanding.setdefault(stream_id, []).append((required, entries))
        self._outstanding_count += 1
        if required > self._known_received and required > self._blocked.get(stream_id, 0):
            self._blocked[stream_id] = required

    def _line(self, field: Field) -> bytes:
        # A line without dynamic references.
        name, value = field
        index = INDEX_BY_FIELD.get(field)
        is_sensitive = name in self._sensitive
        if index is not None:
            line = field_lines.indexed_static(index)
        else:
            index = INDEX_BY_NAME.get(name)
            line = (
                field_lines.literal_static_name(index, value, is_sensitive)
                if index is not None
                else field_lines.literal(name, value, is_sensitive)
            )
        if name not in _SECRETS and len(name) + len(value) <= CACHED_LINE_SIZE:
            if len(self._lines) >= CACHED_LINES:
                self._lines.clear()
            self._lines[field] = line
        return line

    # Insertion

    def _is_worth_inserting(self, field: Field) -> bool:
        policy = self.policy
        name = field[0]
        if name in self._sensitive or name in policy.never:
            return False
        if policy.only is not None and name not in policy.only:
            return False
        if self._inserts_at_once:
            return True
        seen = self._seen
        if field in seen:
            del seen[field]
            return True
        # A name that neither table has is worth an entry even if its values differ.
        is_name_wanted = name in seen and name not in self._by_name
        seen[field] = None
        if name not in INDEX_BY_NAME:
            seen[name] = None
        while len(seen) > MAX_SEEN:
            del seen[next(iter(seen))]
        return is_name_wanted

    def _insert(self, field: Field) -> Entry | None:
        if not self._make_room(len(field[0]) + len(field[1]) + ENTRY_OVERHEAD):
            return None
        self._announce_capacity()
        name, value = field
        index = INDEX_BY_NAME.get(name)
        if index is not None:
            self._output += instructions.insert_static_name(index, value)
        else:
            named = self._by_name.get(name)
            if named is not None:
                self._output += instructions.insert_dynamic_name(self.table.inserted - named.index - 1, value)
            else:
                self._output += instructions.insert_literal(name, value)
        return self._add(field)

    def _duplicate(self, entry: Entry) -> Entry | None:
        entry.references += 1  # it must not be evicted for its own copy
        has_room = self._make_room(entry.size)
        entry.references -= 1
        if not has_room:
            return None
        self._output += instructions.duplicate(self.table.inserted - entry.index - 1)
        return self._add(entry.field)

    def _add(self, field: Field) -> Entry | None:
        entry = self.table.insert(field)
        if entry is None:
            return None
        self._by_field[field] = entry
        self._by_name[field[0]] = entry
        self._sections.clear()
        self._drain_size += entry.size
        keep = self.table.capacity * (1.0 - self.policy.draining)
        while self._drain_size > keep:
            draining = self.table.get(self._drain_index)
            if draining is None:
                break
            self._drain_size -= draining.size
            self._drain_index += 1
        return entry

    def _make_room(self, size: int) -> bool:
        table = self.table
        if size > table.capacity:
            return False
        missing = table.size + size - table.capacity
        index = table.oldest()
        while missing > 0:
            # RFC 9204 §2.1.1: not while references to it, or its own insertion, are unacknowledged.
            entry = table.get(index)
            if entry is None or entry.references or index >= self._known_received:
                return False
            missing -= entry.size
            index += 1
        while table.size + size > table.capacity:
            entry = table.evict()
            if entry.index >= self._drain_index:
                self._drain_size -= entry.size
                self._drain_index = entry.index + 1
            if self._by_field.get(entry.field) is entry:
                del self._by_field[entry.field]
            if self._by_name.get(entry.field[0]) is entry:
                del self._by_name[entry.field[0]]
            self._sections.clear()
        return True

    def _announce_capacity(self) -> None:
        if self._capacity_due:
            self._capacity_due = False
            self._output += instructions.set_capacity(self.table.capacity)


_SECRETS: Final = EncoderPolicy().sensitive
_LINES: Final[dict[Field, bytes]] = {}
