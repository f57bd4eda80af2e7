"""Runs of packets in bulk transfer.

Packets that arrive together and hold one STREAM frame each, under numbers that follow one another, share
everything but their decryption: address, keys, acknowledgement, timers, and mostly the stream. The first packet
of another kind ends the run and goes the ordinary way. RFC 9000 §17.3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from qwire.frames import parse_sole_stream, parse_stream_run

from ..batch import Datagram
from ..observer import Observer
from ..packing.builder import ONE_RTT, SAMPLE_SIZE
from ..spaces import APPLICATION
from .parts import Parts
from .receiving import OpenedPacket

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
        size: bytes of the datagrams of the last run.
    """

    __slots__ = ("_ahead", "_number", "_observer", "_parts", "opened", "size")

    def __init__(self, parts: Parts, observer: Observer | None) -> None:
        self.opened: OpenedPacket | None = None
        self.size = 0
        # Payloads of the packets behind the one that ended the last run, and the number of the first.
        self._ahead: list[bytes] = []
        self._number = 0
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
        number = space.largest_received + 1
        payloads = self._ahead
        if not payloads or not start or number != self._number:
            payloads = self._open(datagrams, start, number)
        if not payloads:
            return 0
        frames, count = parse_stream_run(payloads)
        if count < len(payloads):
            data = datagrams[start + count].data
            self.opened = OpenedPacket(
                ONE_RTT, APPLICATION, number + count, payloads[count], None, len(data), data[0]
            )
        self._ahead = payloads[count + 1 :]
        self._number = number + count + 1
        if count:
            run = datagrams[start : start + count]
            if self._observer is not None:
                self._tell(self._observer, run, payloads, number, now)
            self.size = sum([len(datagram.data) for datagram in run])
            parts.paths.active.on_received(self.size)
            space.largest_received = number + count - 1
            space.received.on_run_received(count, now, run[0].ecn)
            parts.idle.on_received(now)
            # RFC 9000 §17.4: the client turns the spin bit, the server reflects it.
            spin = run[-1].data[0] & SPIN_BIT != 0
            parts.packer.headers.spin = spin != parts.is_client
            parts.packer.headers.destination_cid = parts.remote_ids.current_cid
            for frame in frames:
                parts.streams.receive_stream(frame)
        return count

    def _open(self, datagrams: Sequence[Datagram], start: int, number: int) -> list[bytes]:
        """Payloads of the packets from `start` on, whatever is in them, as far as they share what a run does."""
        parts = self._parts
        space = parts.spaces[APPLICATION]
        phases = space.phases
        receiver = parts.receiver
        masks = receiver.run_masks
        if phases is None or not masks or not space.can_open_application or receiver.waiting:
            return []
        first = datagrams[start]
        path = parts.paths.active
        if first.address != path.address or first.local != path.local:
            return []
        packets: list[bytes] = []
        for index in range(start, len(datagrams)):
            datagram = datagrams[index]
            # What was read at once has the same address object.
            if datagram.address is not first.address and datagram.address != first.address:
                break
            if datagram.ecn != first.ecn or datagram.local != first.local:
                break
            packets.append(datagram.data)
        fixed_bit = FIXED_BIT if receiver.requires_fixed_bit else 0
        return phases.opener.open_run(
            packets,
            number,
            1 + receiver.cid_size,
            masks[start * SAMPLE_SIZE :] if start else masks,
            fixed_bit | RESERVED_BITS | KEY_PHASE,
            fixed_bit | (KEY_PHASE if phases.peer_generation & 1 else 0),
        )

    def _tell(
        self, observer: Observer, run: Sequence[Datagram], payloads: Sequence[bytes], number: int, now: float
    ) -> None:
        """Show an observer the packets of a run."""
        number_at = 1 + self._parts.receiver.cid_size
        for datagram, payload in zip(run, payloads, strict=False):
            frame = parse_sole_stream(payload)
            if frame is not None:
                cid = datagram.data[1:number_at]
                observer.packet_received(now, ONE_RTT, number, len(datagram.data), [frame], cid, b"")
            number += 1
