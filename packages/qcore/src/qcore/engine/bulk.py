"""Runs of packets in bulk transfer.

Packets that arrive together and hold one STREAM frame each, under numbers that follow one another, share
everything but their decryption: address, keys, acknowledgement, timers, and mostly the stream. The first packet
of another kind ends the run and goes the ordinary way. RFC 9000 §17.3.1.
"""

from collections.abc import Sequence
from typing import Final, final

from qwire.frames import StreamFrame, parse_sole_stream

from ..batch import Datagram
from ..observer import Observer
from ..packing.builder import ONE_RTT, SAMPLE_SIZE
from ..spaces import APPLICATION
from .parts import Parts
from .receiving import LOW_BYTES, OpenedPacket, low_bytes

# First byte of a short header without protection: fixed bit, reserved bits, and what tells apart.
RESERVED_BITS: Final = 0x18
FIXED_BIT: Final = 0x40
KEY_PHASE: Final = 0x04
SPIN_BIT: Final = 0x20


@final
class RunReceiver:
    """Takes runs of packets into one connection.

    Attributes:
        opened: the packet that ended the last run, if its protection is off already.
    """

    __slots__ = ("_observer", "_parts", "opened")

    def __init__(self, parts: Parts, observer: Observer | None) -> None:
        self.opened: OpenedPacket | None = None
        self._parts = parts
        self._observer = observer

    def receive(self, datagrams: Sequence[Datagram], start: int, now: float) -> int:
        """Take the run that begins at datagram number `start`; returns how many datagrams it had.

        Raises:
            TransportError: a frame violates a rule of its stream.
        """
        parts = self._parts
        self.opened = None
        space = parts.spaces[APPLICATION]
        phases = space.phases
        masks = parts.receiver.run_masks
        if phases is None or not masks or not space.can_open_application or parts.receiver.waiting:
            return 0
        path = parts.paths.active
        address = path.address
        ecn = datagrams[start].ecn
        opener = phases.opener
        number_at = 1 + parts.receiver.cid_size
        fixed_bit = FIXED_BIT if parts.receiver.requires_fixed_bit else 0
        checked_bits = fixed_bit | RESERVED_BITS | KEY_PHASE
        expected_bits = fixed_bit | (KEY_PHASE if phases.peer_generation & 1 else 0)
        number = space.largest_received + 1
        frames: list[StreamFrame] = []
        size = 0
        for index in range(start, len(datagrams)):
            datagram = datagrams[index]
            data = datagram.data
            if datagram.ecn != ecn or datagram.address != address or datagram.local != path.local:
                break
            at = index * SAMPLE_SIZE
            header = opener.unprotect(data, 0, number_at, masks[at : at + SAMPLE_SIZE])
            first = header[0]
            if first & checked_bits != expected_bits:
                break
            number_size = (first & 3) + 1
            if low_bytes(header, number_size) != number & LOW_BYTES[number_size]:
                break
            payload = opener.open(number, header, data[number_at + number_size :])
            if payload is None:
                break
            frame = parse_sole_stream(payload)
            if frame is None:
                self.opened = OpenedPacket(ONE_RTT, APPLICATION, number, payload, None, len(data), first)
                break
            if self._observer is not None:
                self._observer.packet_received(
                    now, ONE_RTT, number, len(data), [frame], data[1:number_at], b""
                )
            frames.append(frame)
            size += len(data)
            number += 1
        count = len(frames)
        if count:
            path.on_received(size)
            space.largest_received = number - 1
            space.received.on_run_received(count, now, ecn)
            parts.idle.on_received(now)
            # RFC 9000 §17.4: the client turns the spin bit, the server reflects it.
            spin = datagrams[start + count - 1].data[0] & SPIN_BIT != 0
            parts.packer.headers.spin = spin != parts.is_client
            parts.packer.headers.destination_cid = parts.remote_ids.current_cid
            parts.streams.receive_run(frames)
        return count
