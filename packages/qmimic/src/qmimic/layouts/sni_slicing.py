"""Firefox's layout: the ClientHello is cut in the middle of the host name, and the later part sent first.

No PING and no PADDING frames; cuts follow from the size and the place of the host name alone, so a flight
that is laid out again looks the same. Rules and their check against real flights: mozilla/neqo, "SNI slicing".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from qcore.packing.initial_flight import Crypto, FlightContext, Placement
from qwire.buffer import Reader
from qwire.errors import DecodeError

from .ranges import is_whole, portions

FIXED_SIZE: Final = 4 + 2 + 32  # handshake header, legacy_version, random
SERVER_NAME: Final = 0
NAME_HEADER: Final = 2 + 1 + 2  # length of the list, kind of name, length of the name


@dataclass(frozen=True, kw_only=True)
class SniSlicing:
    """Slices at the host name; a ClientHello without one is sent in order."""

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """The first datagram holds both sides of the cut, later bytes first; the gaps follow in order."""
        name = flight.server_name_range or host_name_range(flight.crypto)
        if name is None or not is_whole(flight):
            return None
        total = len(flight.crypto)
        middle = (name[0] + name[1]) // 2
        if not 0 < middle < total:
            return None
        packets = -(-total // flight.room(0))
        left, right = slices(total, middle, total // packets)
        while flight.crypto_size(*left) + flight.crypto_size(*right) > flight.room(0):
            # The headers of two frames did not fit beside bytes that alone would.
            packets += 1
            left, right = slices(total, middle, total // packets)
        # One side alone may fill the first datagram.
        first: list[Placement] = [Crypto(start, stop) for start, stop in (right, left) if start < stop]
        gaps = [(start, stop) for start, stop in ((left[1], right[0]), (right[1], total)) if start < stop]
        rest = portions(flight, gaps, first=1)
        return [first, *([Crypto(start, stop) for start, stop in part] for part in rest)]


def host_name_range(client_hello: bytes) -> tuple[int, int] | None:
    """Where the host name of server_name lies in a ClientHello with its handshake header; None without one."""
    try:
        reader = Reader(client_hello, FIXED_SIZE)
        reader.read_bytes(reader.read_uint8())  # legacy_session_id
        reader.read_bytes(reader.read_uint16())  # cipher_suites
        reader.read_bytes(reader.read_uint8())  # legacy_compression_methods
        reader.read_uint16()
        while not reader.at_end():
            extension, size = reader.read_uint16(), reader.read_uint16()
            if extension == SERVER_NAME and size > NAME_HEADER:
                start = reader.position + NAME_HEADER
                return start, reader.position + size
            reader.read_bytes(size)
    except DecodeError:
        return None
    return None


def slices(total: int, middle: int, limit: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The bytes before and behind the cut that the first datagram carries, `limit` of them together."""
    left_size, right_size = middle, total - middle
    if left_size + right_size <= limit:
        return (0, middle), (middle, total)
    if left_size <= limit:
        return (0, middle), (total - (limit - left_size), total)
    if right_size <= limit:
        return (0, limit - right_size), (middle, total)
    return (0, limit // 2), (middle, middle + limit // 2)
