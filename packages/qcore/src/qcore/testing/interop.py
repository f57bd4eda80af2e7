"""The link of the quic-interop-runner, and a look at what was put on it.

15 ms one way, 10 Mbit/s and a queue of 25 packets; loss and corruption strike at most three datagrams in a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.headers import LongHeader, long_packet_type, parse_long_header

from ..batch import Datagram
from .network import LinkConfig
from .seeded import Seeded

# 15 ms one way, 10 Mbit/s, 25 packets of 1,500 bytes.
LINK: Final = LinkConfig(delay=0.015, rate=1_250_000, queue=37_500)
# The longest time a case may take.
LIMIT: Final = 60.0


def lossy(loss: float) -> LinkConfig:
    """The link with random loss, at most three datagrams in a row."""
    return replace(LINK, loss=loss, max_loss_run=3)


def damage(seed: str, share: float) -> Callable[[Datagram], bool]:
    """A filter that corrupts a byte within the first 50 of a payload, of at most three datagrams in a row.

    Version Negotiation packets are left as they are: nothing protects them.
    """
    chance = Seeded(seed)
    run = 0

    def pass_on(datagram: Datagram) -> bool:
        nonlocal run
        data = datagram.data
        is_negotiation = data[0] & 0x80 and data[1:5] == bytes(4)
        if is_negotiation or run >= 3 or chance.uniform() >= share:
            run = 0
            return True
        run += 1
        at = chance.below(min(50, len(data)))
        datagram.data = data[:at] + bytes((data[at] ^ (1 + chance.below(255)),)) + data[at + 1 :]
        return True

    return pass_on


@dataclass(frozen=True)
class Sent:
    """A datagram that was put on a link."""

    time: float
    datagram: Datagram

    @property
    def kind(self) -> PacketType | None:
        """The type of its first packet; None for a short header or Version Negotiation."""
        data = self.datagram.data
        if not data[0] & 0x80 or self.version not in (VERSION_1, VERSION_2):
            return None
        return long_packet_type(data[0], self.version)

    @property
    def headers(self) -> list[LongHeader]:
        """The long headers of its packets."""
        data = self.datagram.data
        headers: list[LongHeader] = []
        at = 0
        while at < len(data) and data[at] & 0x80 and self.version in (VERSION_1, VERSION_2):
            if long_packet_type(data[at], self.version) is PacketType.RETRY:
                break
            headers.append(parse_long_header(data, at, fixed_bit=False))
            at = headers[-1].end
        return headers

    @property
    def version(self) -> int:
        return int.from_bytes(self.datagram.data[1:5], "big") if self.datagram.data[0] & 0x80 else -1
