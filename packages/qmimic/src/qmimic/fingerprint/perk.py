"""The text fingerprint of HTTP/3: SETTINGS and the order of pseudo-headers, as `1:65536;6:262144;GREASE|m,a,s,p`.

Needs what a client sends inside its streams, hence the keys of a connection. Reserved settings become "GREASE".
RFC 9114 §7.2.4, RFC 9204.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

import quicvarint
from qhttp3.errors import ConnectionViolation
from qhttp3.frames import parse_frame_header
from qhttp3.qpack import Decoder, QpackError, SectionTooLarge
from qhttp3.settings import H3Settings
from qwire.frames import StreamFrame

from ..grease import is_http3

CONTROL: Final = 0x00
ENCODER: Final = 0x02
HEADERS: Final = 0x01
SETTINGS: Final = 0x04
UNIDIRECTIONAL: Final = 0x02
#: Bytes kept of one stream, and streams kept of one side: a fingerprint is in the first few.
MAX_STREAM: Final = 65_536
MAX_STREAMS: Final = 64
MAX_TABLE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Perk:
    """`settings` in wire order, `pseudo` the initials of the first request's pseudo-headers, "" if unreadable."""

    settings: str
    pseudo: str

    @property
    def value(self) -> str:
        """The whole text."""
        return f"{self.settings}|{self.pseudo}"


@final
class StreamBytes:
    """The beginnings of the streams of one side, put together from STREAM frames in any order."""

    __slots__ = ("_fragments",)

    def __init__(self) -> None:
        self._fragments: dict[int, dict[int, bytes]] = {}

    def add(self, frame: StreamFrame) -> None:
        """Take one frame; what lies beyond the bounds is dropped."""
        if frame.offset + len(frame.data) > MAX_STREAM:
            return
        if frame.stream_id not in self._fragments and len(self._fragments) >= MAX_STREAMS:
            return
        fragments = self._fragments.setdefault(frame.stream_id, {})
        if len(frame.data) >= len(fragments.get(frame.offset, b"")):
            fragments[frame.offset] = frame.data

    def streams(self) -> dict[int, bytes]:
        """Each stream as far as it is there without a gap, by its number."""
        found: dict[int, bytes] = {}
        for stream_id, fragments in sorted(self._fragments.items()):
            data = bytearray()
            for offset, part in sorted(fragments.items()):
                if offset > len(data):
                    break
                data[offset : offset + len(part)] = part
            found[stream_id] = bytes(data)
        return found


def perk(client: Iterable[StreamFrame], server: Iterable[StreamFrame] = ()) -> Perk | None:
    """The fingerprint from the STREAM frames of a connection; None without the client's SETTINGS.

    Args:
        client: frames that the client sent, in any order, repeated or not.
        server: those of the server, whose SETTINGS say how large the client's dynamic table may be.
    """
    sent, answered = collected(client), collected(server)
    settings = settings_of(sent)
    if settings is None:
        return None
    theirs = settings_of(answered)
    capacity = 0 if theirs is None else min(theirs.qpack_max_table_capacity, MAX_TABLE)
    return Perk(settings_text(settings), pseudo_text(sent, capacity))


def collected(frames: Iterable[StreamFrame]) -> dict[int, bytes]:
    """Streams by number."""
    streams = StreamBytes()
    for frame in frames:
        streams.add(frame)
    return streams.streams()


def stream_of_type(streams: dict[int, bytes], kind: int) -> bytes | None:
    """What follows the type of the first unidirectional stream of this kind."""
    for stream_id, data in streams.items():
        if stream_id & UNIDIRECTIONAL and data:
            try:
                found, position = quicvarint.parse(data)
            except quicvarint.VarintError:
                continue
            if found == kind:
                return data[position:]
    return None


def frame_of_type(data: bytes, kind: int) -> bytes | None:
    """The payload of the first whole frame of this type."""
    position = 0
    while position < len(data):
        found, size, start = parse_frame_header(data, position)
        if start < 0 or start + size > len(data):
            return None
        if found == kind:
            return data[start : start + size]
        position = start + size
    return None


def settings_of(streams: dict[int, bytes]) -> H3Settings | None:
    """SETTINGS on the control stream."""
    control = stream_of_type(streams, CONTROL)
    payload = frame_of_type(control, SETTINGS) if control is not None else None
    if payload is None:
        return None
    try:
        return H3Settings.parse(payload)
    except ConnectionViolation:
        return None


def settings_text(settings: H3Settings) -> str:
    return ";".join(
        "GREASE" if is_http3(number) else f"{number}:{value}" for number, value in settings.pairs()
    )


def pseudo_text(streams: dict[int, bytes], capacity: int) -> str:
    """Initials of the pseudo-headers of the first request that can be decoded."""
    decoder = Decoder(capacity, MAX_STREAMS, MAX_STREAM)
    try:
        decoder.receive(stream_of_type(streams, ENCODER) or b"")
        for stream_id, data in streams.items():
            section = frame_of_type(data, HEADERS) if stream_id & 3 == 0 else None
            fields = decoder.decode(stream_id, section) if section is not None else None
            if fields:
                names = [name for name, _ in fields if name.startswith(b":")]
                return ",".join(name[1:2].decode("latin-1") for name in names)
    except (QpackError, SectionTooLarge):
        return ""
    return ""
