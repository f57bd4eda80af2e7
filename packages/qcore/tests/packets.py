"""Packets to write frames into, with keys of their own."""

from typing import Final

from qcore.packing.builder import PacketBuilder
from qcore.packing.source import FrameSource
from qcore.spaces import APPLICATION, INITIAL
from qtls.constants import AES_128_GCM_SHA256
from qtls.protection import Sealer, sealer_from_secret
from qwire.constants import VERSION_1, PacketType
from qwire.frames import Frame

SEALER: Final[Sealer] = sealer_from_secret(AES_128_GCM_SHA256, bytes(32), VERSION_1)


def new_packet(
    room: int = 1200, *, now: float = 0.0, space: int = APPLICATION, number_size: int = 1
) -> PacketBuilder:
    """An Initial packet for that space, a 1-RTT packet for the others; without connection IDs."""
    return PacketBuilder(
        space=space,
        packet_type=PacketType.INITIAL if space == INITIAL else PacketType.ONE_RTT,
        packet_number=0,
        packet_number_size=number_size,
        limit=room,
        now=now,
        sealer=SEALER,
        destination_cid=b"",
    )


def written(
    source: FrameSource, room: int = 1200, *, now: float = 0.0, space: int = APPLICATION
) -> list[Frame]:
    """The frames that a source puts into one packet."""
    packet = new_packet(room, now=now, space=space)
    if source.has_frames(space):
        source.write_frames(packet)
    assert packet.room >= 0
    return [frame for frame, _ in packet.frames]
