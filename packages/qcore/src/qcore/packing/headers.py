"""What the headers of a connection's packets carry.

Connection IDs, versions and the token, and the bits that a client may set as it likes: the spin bit and the fixed
bit. Begins each packet with them; fills none. RFC 9000 §17.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from qtls.protection import Sealer
from qwire.constants import VERSION_1, PacketType
from qwire.packet_number import encoded_size

from ..ackhandler.sent import SentPacketHandler
from ..key_phases import KeyPhases
from ..spaces import APPLICATION, INITIAL
from .builder import ONE_RTT, TAG_SIZE, ZERO_RTT, PacketBuilder
from .habits import PacketHabits

# Random bits are drawn for so many packets at a time, eight per byte.
RANDOM_BYTES: Final = 8


@final
class PacketHeaders:
    """The headers of one connection's packets.

    Attributes:
        destination_cid, source_cid, version, token: what they carry now.
        early_version: that of 0-RTT packets, which stay with the first version (RFC 9369 §4.1).
        spin: the spin bit as the peer's packets have it follow (RFC 9000 §17.4).
        greases_fixed_bit: the peer takes packets whose fixed bit is 0 (RFC 9287 §3.1).

    Args:
        initial_length_size: bytes of the length field of Initial packets.
    """

    __slots__ = (
        "_initial_length_size",
        "_random",
        "_random_bits",
        "_recovery",
        "_smallest_cut",
        "_spin_habit",
        "_spins",
        "destination_cid",
        "early_version",
        "greases_fixed_bit",
        "source_cid",
        "spin",
        "token",
        "version",
    )

    def __init__(
        self,
        recovery: SentPacketHandler,
        habits: PacketHabits,
        initial_length_size: int,
        random: Callable[[int], bytes],
    ) -> None:
        self.destination_cid = b""
        self.source_cid = b""
        self.version: int = VERSION_1
        self.early_version: int = VERSION_1
        self.token = b""
        self.spin = False
        self.greases_fixed_bit = False
        self._recovery = recovery
        self._initial_length_size = initial_length_size
        self._smallest_cut = habits.smallest_cut
        self._spin_habit = habits.spin
        self._spins = habits.spin == "live"
        self._random = random
        self._random_bits = 1

    def disable_spin(self) -> None:
        """Tell no round trips by the spin bit. RFC 9000 §17.4."""
        if self._spin_habit == "live":
            self._spins = False

    def next_spin(self) -> bool:
        """The spin bit of the next packet."""
        return self.spin if self._spins else self._spin_habit != "zero" and self._random_bit()

    def next_spins(self, count: int) -> list[bool]:
        """Those of the next packets."""
        return [self.spin] * count if self._spins else [self.next_spin() for _ in range(count)]

    def clears_fixed_bit(self) -> bool:
        """Whether the next packet's fixed bit is 0."""
        return self.greases_fixed_bit and self._random_bit()

    def begin_one_rtt(self, phases: KeyPhases, now: float, limit: int) -> PacketBuilder:
        """A 1-RTT packet of at most `limit` bytes."""
        recovery = self._recovery
        number = recovery.next_packet_number(APPLICATION)
        number_size = encoded_size(number, recovery.largest_acked(APPLICATION))
        builder = PacketBuilder(
            APPLICATION,
            ONE_RTT,
            number,
            number_size,
            limit - 1 - len(self.destination_cid) - number_size - TAG_SIZE,
            now,
            phases.sealer,
            self.destination_cid,
        )
        builder.key_phase = phases.send_phase
        builder.spin = self.spin if self._spins else self.next_spin()
        if self.greases_fixed_bit:
            builder.clears_fixed_bit = self._random_bit()
        builder.smallest_cut = self._smallest_cut
        return builder

    def begin(
        self,
        space: int,
        packet_type: PacketType,
        sealer: Sealer,
        now: float,
        limit: int,
        number_size: int = 0,
        key_phase: bool = False,
    ) -> PacketBuilder:
        """A packet of any kind, of at most `limit` bytes.

        Args:
            number_size: bytes of the packet number; 0 for as many as it takes.
        """
        recovery = self._recovery
        number = recovery.next_packet_number(space)
        builder = PacketBuilder(
            space=space,
            packet_type=packet_type,
            packet_number=number,
            packet_number_size=number_size or encoded_size(number, recovery.largest_acked(space)),
            limit=0,
            now=now,
            sealer=sealer,
            destination_cid=self.destination_cid,
            source_cid=self.source_cid,
            version=self.early_version if packet_type is ZERO_RTT else self.version,
            token=self.token if space == INITIAL else b"",
            length_size=self._initial_length_size if space == INITIAL else 2,
            key_phase=key_phase,
            spin=self.next_spin(),
        )
        builder.smallest_cut = self._smallest_cut
        builder.limit = limit - builder.header_size() - TAG_SIZE
        # Whoever sorts protocols by first bytes sees those of Initial packets.
        if space != INITIAL:
            builder.clears_fixed_bit = self.clears_fixed_bit()
        return builder

    def _random_bit(self) -> bool:
        if self._random_bits == 1:
            self._random_bits = int.from_bytes(b"\1" + self._random(RANDOM_BYTES), "big")
        bit = self._random_bits & 1
        self._random_bits >>= 1
        return bit == 1
