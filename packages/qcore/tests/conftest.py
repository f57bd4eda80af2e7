"""Packets to write frames into."""

from collections.abc import Callable

import pytest

from qcore import spaces
from qcore.packing.builder import PacketBuilder
from qcore.packing.source import FrameSource
from qtls.constants import AES_128_GCM_SHA256
from qtls.protection import sealer_from_secret
from qwire.constants import VERSION_1, PacketType
from qwire.frames import Frame


@pytest.fixture
def written() -> Callable[..., list[Frame]]:
    """Gives the frames that a source puts into one packet: ``written(source, room=1200)``."""
    sealer = sealer_from_secret(AES_128_GCM_SHA256, bytes(32), VERSION_1)

    def write(source: FrameSource, room: int = 1200, space: int = spaces.APPLICATION) -> list[Frame]:
        packet = PacketBuilder(
            space=space,
            packet_type=PacketType.ONE_RTT,
            packet_number=0,
            packet_number_size=1,
            limit=room,
            now=0.0,
            sealer=sealer,
            destination_cid=b"",
        )
        if source.has_frames(space):
            source.write_frames(packet)
        return [frame for frame, _ in packet.frames]

    return write
