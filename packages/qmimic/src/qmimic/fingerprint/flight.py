"""First flights put together again: Initial packets grouped by connection until the ClientHello is whole.

Input may be hostile, so everything is bounded: connections under way, packets for each, fragments and bytes
of a ClientHello. A packet that repeats bytes already there adds nothing: retransmissions are not first flights.
"""

from collections import OrderedDict
from typing import Final, final

from qtls.initial import InitialKeys
from qwire.constants import VERSION_1
from qwire.headers import LongHeader

from .initials import ClientInitial, initial_header, keys_of, open_initial

#: The observers whose hashes these are take no packet numbered higher: a first flight starts low.
MAX_PACKET_NUMBER: Final = 32
#: No client sends its ClientHello in more packets at first; what exceeds it is a retransmission.
MAX_PACKETS: Final = 4
#: Four packets of Chromium's layout have at most 48.
MAX_FRAGMENTS: Final = 64
MAX_HELLO: Final = 65_536
#: Connections remembered at a time, in any state; the oldest goes first. About 3 KB each.
MAX_CONNECTIONS: Final = 4_096
HANDSHAKE_HEADER: Final = 4
CLIENT_HELLO: Final = 1


@final
class Flight:
    """The first flight of one connection: its packets by packet number, and the ClientHello in them."""

    __slots__ = ("client_hello", "packets")

    def __init__(self, packets: list[ClientInitial], client_hello: bytes) -> None:
        self.packets = packets
        self.client_hello = client_hello

    @property
    def header(self) -> LongHeader:
        """Header of the packet with the lowest number."""
        return self.packets[0].header

    @property
    def first(self) -> ClientInitial:
        return self.packets[0]


@final
class HelloReassembler:
    """CRYPTO fragments in any order → a ClientHello. Nothing may be sent twice."""

    __slots__ = ("_fragments", "_size")

    def __init__(self) -> None:
        self._fragments: dict[int, bytes] = {}
        self._size = 0

    def add(self, offset: int, data: bytes) -> bool:
        """Take one fragment; False when it overlaps another or exceeds a bound."""
        if not data:
            return True
        end = offset + len(data)
        if end > MAX_HELLO or len(self._fragments) >= MAX_FRAGMENTS:
            return False
        for start, other in self._fragments.items():
            if offset < start + len(other) and start < end:
                return False
        self._fragments[offset] = data
        self._size += len(data)
        return True

    def client_hello(self) -> bytes | None:
        """The whole handshake message, once its bytes are there."""
        first = self._fragments.get(0)
        if first is None:
            return None
        parts: list[bytes] = []
        position = 0
        while (part := self._fragments.get(position)) is not None:
            parts.append(part)
            position += len(part)
        if position < HANDSHAKE_HEADER:
            return None
        data = b"".join(parts)
        size = HANDSHAKE_HEADER + int.from_bytes(data[1:4], "big")
        if data[0] != CLIENT_HELLO or size > MAX_HELLO or position < size:
            return None
        return data[:size]


@final
class FlightCounts:
    """What became of the datagrams that a collector was given; each is counted once, but for `evicted`.

    Attributes:
        foreign: not an Initial packet of a version that is opened: later packets, the server's side, noise.
        unopened: an Initial that does not authenticate with the client's keys, or holds what no first flight holds.
        late: of a connection that is done, or has been given up.
        numbered_too_high: packet number above what the published hashes accept.
        repeated: a packet number seen before.
        overlapping: CRYPTO bytes sent twice, or beyond the bounds.
        gathered: taken, and the ClientHello is not whole yet.
        flights: the one that completed a flight.
        evicted: connections forgotten to make room for new ones.
    """

    __slots__ = (
        "evicted",
        "flights",
        "foreign",
        "gathered",
        "late",
        "numbered_too_high",
        "overlapping",
        "repeated",
        "unopened",
    )

    def __init__(self) -> None:
        self.evicted = 0
        self.flights = 0
        self.foreign = 0
        self.gathered = 0
        self.late = 0
        self.numbered_too_high = 0
        self.overlapping = 0
        self.repeated = 0
        self.unopened = 0

    def as_dict(self) -> dict[str, int]:
        """All counters by name."""
        return {name: getattr(self, name) for name in self.__slots__}


@final
class Gathering:
    """What has arrived of one connection."""

    __slots__ = ("hello", "is_closed", "keys", "packets")

    def __init__(self, keys: InitialKeys) -> None:
        self.keys = keys
        self.packets: dict[int, ClientInitial] = {}
        self.hello = HelloReassembler()
        self.is_closed = False

    def add(self, packet: ClientInitial, counts: FlightCounts) -> Flight | None:
        """Take a packet; the flight, when it completes one."""
        if packet.packet_number in self.packets:
            counts.repeated += 1
            return None
        if len(self.packets) >= MAX_PACKETS:
            self.is_closed = True
            counts.late += 1
            return None
        self.packets[packet.packet_number] = packet
        for offset, data in packet.crypto:
            if not self.hello.add(offset, data):
                counts.overlapping += 1
                return None
        client_hello = self.hello.client_hello()
        if client_hello is None:
            counts.gathered += 1
            return None
        self.is_closed = True
        counts.flights += 1
        packets = [self.packets[number] for number in sorted(self.packets)]
        return Flight(packets, client_hello)


@final
class FlightCollector:
    """Datagrams in, first flights out, for any number of connections at once.

    Args:
        any_packet_number: take first flights that start above packet number 32, as Firefox's may.
        versions: the QUIC versions that are opened.

    Attributes:
        counts: what became of the datagrams so far.
    """

    __slots__ = ("_any_packet_number", "_gatherings", "_versions", "counts")

    def __init__(self, *, any_packet_number: bool = False, versions: tuple[int, ...] = (VERSION_1,)) -> None:
        self._any_packet_number = any_packet_number
        self._versions = versions
        self.counts = FlightCounts()
        self._gatherings: OrderedDict[tuple[int, bytes], Gathering] = OrderedDict()

    @property
    def connection_count(self) -> int:
        """Connections remembered, whatever their state."""
        return len(self._gatherings)

    def receive(self, datagram: bytes) -> Flight | None:
        """Take one UDP payload of either direction; the flight that it completes, if it does."""
        counts = self.counts
        header = initial_header(datagram, self._versions)
        if header is None:
            counts.foreign += 1
            return None
        key = (header.version, header.destination_cid)
        gathering = self._gatherings.get(key)
        if gathering is None:
            gathering = Gathering(keys_of(header))
            if len(self._gatherings) >= MAX_CONNECTIONS:
                self._gatherings.popitem(last=False)
                counts.evicted += 1
            self._gatherings[key] = gathering
        if gathering.is_closed:
            counts.late += 1
            return None
        packet = open_initial(datagram, header, gathering.keys)
        if packet is None:
            counts.unopened += 1
            return None
        if packet.packet_number > MAX_PACKET_NUMBER and not self._any_packet_number:
            counts.numbered_too_high += 1
            return None
        return gathering.add(packet, counts)
