"""Datagrams into a connection.

Takes packet after packet from the receiver, checks what a packet as a whole has to satisfy, has its frames
dispatched, and obeys what follows for keys, connection IDs, paths and the end of the connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from qwire.constants import FRAME_ENCODING_ERROR, PROTOCOL_VIOLATION, PacketType
from qwire.errors import DecodeError, ForbiddenFrame
from qwire.frames import Frame, parse_frames
from qwire.headers import LongHeader, long_packet_type
from qwire.unprotected import reset_token_of

from ..batch import Datagram
from ..errors import StatelessReset, TransportError, VersionMismatch
from ..events import TokenReceived
from ..observer import Observer
from ..packing.builder import MIN_INITIAL_SIZE
from ..paths.path import Path
from ..spaces import APPLICATION, HANDSHAKE
from .acknowledgements import Acknowledgements
from .bulk import RunReceiver
from .dispatch import NO_TLS_EVENTS, NO_TOKENS, FrameDispatcher
from .ending import Ending
from .lifecycle import Lifecycle
from .mobility import Mobility
from .negotiation import Negotiation
from .parts import Parts
from .progress import Progress
from .receiving import OpenedPacket, WaitingPacket
from .restart import Outcome, Restart

# RFC 9000 §10.3: no stateless reset is shorter.
SMALLEST_RESET: Final = 21


@final
class Intake:
    """Processes what arrives.

    Attributes:
        has_heard: a packet of the peer has been opened.
        count, size: datagrams and bytes that arrived.
    """

    __slots__ = (
        "_acknowledgements",
        "_dispatcher",
        "_ending",
        "_lifecycle",
        "_mobility",
        "_negotiation",
        "_observer",
        "_parts",
        "_progress",
        "_restart",
        "_runs",
        "count",
        "has_heard",
        "size",
    )

    def __init__(
        self,
        parts: Parts,
        acknowledgements: Acknowledgements,
        *,
        negotiation: Negotiation,
        lifecycle: Lifecycle,
        progress: Progress,
        mobility: Mobility,
        restart: Restart,
        ending: Ending,
        observer: Observer | None,
    ) -> None:
        self.has_heard = False
        self.count = 0
        self.size = 0
        self._parts = parts
        self._acknowledgements = acknowledgements
        self._negotiation = negotiation
        self._lifecycle = lifecycle
        self._progress = progress
        self._mobility = mobility
        self._restart = restart
        self._ending = ending
        self._observer = observer
        self._dispatcher = FrameDispatcher(parts, acknowledgements, parts.is_client)
        self._runs = RunReceiver(parts, observer)

    def receive(self, datagrams: Sequence[Datagram], now: float, settles: bool) -> None:
        """Take datagrams that arrived together; a violation in one ends the connection."""
        if self._acknowledgements.is_waiting:
            self.settle(now)
        self._acknowledgements.may_wait = settles
        parts = self._parts
        phases = parts.spaces[APPLICATION].phases
        if phases is not None:
            recovery = parts.recovery
            phases.pto = recovery.rtt.period + recovery.peer_max_ack_delay
            phases.next_packet_number = recovery.next_packet_number(APPLICATION)
        is_batch = len(datagrams) > 1
        if is_batch:
            parts.receiver.prepare(datagrams)
        size = 0
        index = 0
        while index < len(datagrams):
            opened: OpenedPacket | None = None
            if is_batch and self._lifecycle.is_open:
                count = self._receive_run(datagrams, index, now)
                if count:
                    size += self._runs.size
                    index += count
                    if index == len(datagrams):
                        break
                opened, self._runs.opened = self._runs.opened, None
            datagram = datagrams[index]
            data = datagram.data
            size += len(data)
            path = parts.paths.on_datagram(datagram.address, len(data), datagram.local)
            if path is None:
                self._drop(now, "unknown address", len(data))
            elif data:
                self._receive_datagram(datagram, index, path, now, opened)
            index += 1
        if is_batch:
            parts.receiver.forget_masks()
        self.count += len(datagrams)
        self.size += size
        if self._observer is not None:
            self._observer.datagrams_received(now, len(datagrams), size)

    def settle(self, now: float) -> bool:
        """Take the ACK that was put off; whether there is something to send because of it."""
        acknowledgements = self._acknowledgements
        try:
            acknowledgements.catch_up()
        except TransportError as error:
            self._ending.fail(error, now)
            return True
        return acknowledgements.has_answer(now)

    def _receive_run(self, datagrams: Sequence[Datagram], start: int, now: float) -> int:
        """The packets of bulk transfer from `start` on."""
        try:
            return self._runs.receive(datagrams, start, now)
        except TransportError as error:
            self._ending.fail(error, now)
            return 0

    def _receive_datagram(
        self, datagram: Datagram, index: int, path: Path, now: float, opened: OpenedPacket | None
    ) -> None:
        if not self._lifecycle.is_open:
            self._ending.on_received()
            return
        try:
            if self._parts.is_client and not self.has_heard and self._is_restarted(datagram, now):
                return
            if opened is not None:
                self._receive_packet(opened, datagram, path, now)
            else:
                self._receive_packets(datagram, index, path, now)
            receiver = self._parts.receiver
            # What one packet brings may open another that came before it.
            while receiver.waiting and any(map(self._can_open_waiting, receiver.waiting)):
                for waiting in receiver.take_waiting():
                    receiver.held_for = now - waiting.arrived
                    self._receive_packets(waiting.datagram, -1, path, now)
                receiver.held_for = 0.0
        except TransportError as error:
            self._ending.fail(error, now)

    def _is_restarted(self, datagram: Datagram, now: float) -> bool:
        """Client: whether a datagram that came first was a Retry or Version Negotiation packet."""
        outcome = self._restart.receive(datagram.data, now)
        if outcome is Outcome.HOPELESS:
            offered = ", ".join(f"0x{version:x}" for version in self._restart.offered)
            reason = f"the server speaks none of our versions, only {offered}"
            if self._negotiation.version in self._restart.offered:
                reason = f"the server asked for another version, of {offered}"
            self._ending.abandon(VersionMismatch(reason), now)
        if outcome is Outcome.RESTARTED and self._negotiation.after_negotiation:
            self._progress.reject_early_data()  # the new ClientHello does not offer it
        return outcome is not None

    def _receive_packets(self, datagram: Datagram, index: int, path: Path, now: float) -> None:
        parts = self._parts
        receiver = parts.receiver
        size = len(datagram.data)
        position = 0
        while position < size and self._lifecycle.is_open:
            start = position
            if start and not _has_same_destination(datagram.data, start):
                self._drop(now, "coalesced with a packet to another connection ID", size - start)
                return
            packet, position = receiver.open_next(datagram, start, index, now)
            if receiver.changed_version is not None:
                packet, position = self._open_in_version(
                    receiver.changed_version, datagram, start, index, now
                )
            if packet is not None:
                self._receive_packet(packet, datagram, path, now)
            elif receiver.drop_reason:
                if self._is_stateless_reset(datagram.data):
                    self._ending.abandon(
                        StatelessReset("the peer has lost the state of this connection"), now
                    )
                    return
                self._drop(now, receiver.drop_reason, position - start)
            else:
                if parts.is_client and parts.spaces[HANDSHAKE].opener is None:
                    parts.recovery.hurry_for_keys(now)
                if self._observer is not None:
                    self._observer.packet_buffered(now, position - start)

    def _receive_packet(self, packet: OpenedPacket, datagram: Datagram, path: Path, now: float) -> None:
        parts = self._parts
        space = parts.spaces[packet.space]
        number = packet.packet_number
        if space.received.is_duplicate(number):
            self._drop(now, "duplicate", packet.size)
            return
        header = packet.header
        if header is not None:
            reason = self._why_unwanted(header, len(datagram.data))
            if reason:
                self._drop(now, reason, packet.size)
                return
        frames = _parse(packet)
        destination_cid = (
            datagram.data[1 : 1 + parts.receiver.cid_size] if header is None else header.destination_cid
        )
        if self._observer is not None:
            self._observer.packet_received(
                now,
                packet.packet_type,
                number,
                packet.size,
                frames,
                destination_cid,
                header.source_cid if header is not None else b"",
            )
        is_newest = number > space.largest_received
        if is_newest:
            space.largest_received = number
        if header is not None:
            if is_newest and path is not parts.paths.active and not parts.is_client:
                self._mobility.follow(path, now)
            self._on_long_header(packet, path, now)
        dispatcher = self._dispatcher
        dispatcher.dispatch(packet, frames, path, destination_cid, now)
        space.received.on_received(number, dispatcher.ack_eliciting, now, datagram.ecn)
        parts.idle.on_received(now)
        if dispatcher.tls_events:
            events, dispatcher.tls_events = dispatcher.tls_events, NO_TLS_EVENTS
            self._progress.obey(events, now)
        if header is None:
            self._on_short_header(packet, path, destination_cid, is_newest, now)
        if dispatcher.close is not None:
            self._ending.on_peer_close(dispatcher.close, now)

    def _why_unwanted(self, header: LongHeader, datagram_size: int) -> str:
        """Why a genuine packet with a long header has to be dropped all the same; empty if it is welcome."""
        if self._parts.is_client:
            if not self.has_heard:
                return ""
        elif header.packet_type is PacketType.INITIAL and datagram_size < MIN_INITIAL_SIZE:
            return "Initial packet in a small datagram"  # RFC 9000 §14.1
        # RFC 9000 §7.2: only the first packet chooses the connection ID.
        return "" if header.source_cid == self._negotiation.peer_cid else "another source connection ID"

    def _on_long_header(self, packet: OpenedPacket, path: Path, now: float) -> None:
        """The first packet of a server gives the client its connection ID; a Handshake packet proves the client."""
        parts = self._parts
        header = packet.header
        if header is None:
            return
        if self._parts.is_client:
            if not self.has_heard:
                self.has_heard = True
                self._restart.settle()
                self._negotiation.peer_cid = header.source_cid
                parts.remote_ids.replace_first(header.source_cid)
                parts.packer.headers.destination_cid = header.source_cid
        elif packet.packet_type is PacketType.HANDSHAKE:
            self._progress.on_handshake_packet(path, now)

    def _on_short_header(
        self, packet: OpenedPacket, path: Path, destination_cid: bytes, is_newest: bool, now: float
    ) -> None:
        parts = self._parts
        dispatcher = self._dispatcher
        if is_newest:
            # RFC 9000 §17.4: the client turns the spin bit, the server reflects it.
            parts.packer.headers.spin = packet.spin != self._parts.is_client
        if dispatcher.handshake_done:
            dispatcher.handshake_done = False
            self._progress.confirm(now)
        if dispatcher.validated is not None:
            self._mobility.on_validated(dispatcher.validated, now)
            dispatcher.validated = None
        if dispatcher.tokens:
            self._progress.events += [TokenReceived(token) for token in dispatcher.tokens]
            dispatcher.tokens = NO_TOKENS
        if path is parts.paths.active:
            path.local_cid = destination_cid
        else:
            self._mobility.on_packet(
                path, destination_cid, is_probing=dispatcher.is_probing, is_newest=is_newest, now=now
            )
        parts.packer.headers.destination_cid = parts.remote_ids.current_cid

    def _open_in_version(
        self, version: int, datagram: Datagram, start: int, index: int, now: float
    ) -> tuple[OpenedPacket | None, int]:
        """Client: the server may answer in a compatible version, which its first genuine packet proves."""
        parts = self._parts
        receiver = parts.receiver
        before = self._negotiation.version
        receiver.changed_version = None
        self._restart.use_version(version)
        packet, position = receiver.open_next(datagram, start, index, now)
        if packet is None:
            self._restart.use_version(before)
        else:
            self._restart.change_version(version, now)
        return packet, position

    def _can_open_waiting(self, waiting: WaitingPacket) -> bool:
        """Whether the keys that a kept packet waits for have come."""
        parts = self._parts
        data = waiting.data
        if not data[0] & 0x80:
            return parts.spaces[APPLICATION].can_open_application
        version = int.from_bytes(data[1:5], "big")
        if long_packet_type(data[0], version) is PacketType.HANDSHAKE:
            space = parts.spaces[HANDSHAKE]
            return space.opener is not None or space.is_discarded
        return parts.spaces[APPLICATION].early_opener is not None

    def _is_stateless_reset(self, data: bytes) -> bool:
        return (
            len(data) >= SMALLEST_RESET
            and not data[0] & 0x80
            and self._parts.remote_ids.is_reset_token(reset_token_of(data))
        )

    def _drop(self, now: float, reason: str, size: int) -> None:
        if self._observer is not None:
            self._observer.packet_dropped(now, reason, size)


def _has_same_destination(data: bytes, position: int) -> bool:
    """Whether a coalesced packet goes to the connection ID of the first one in its datagram. RFC 9000 §12.2."""
    size = data[5]
    at = position + 1
    if data[position] & 0x80:
        at = position + 6
        if at > len(data) or data[at - 1] != size:
            return False
    return data[at : at + size] == data[6 : 6 + size]


def _parse(packet: OpenedPacket) -> list[Frame]:
    """The frames of a packet.

    Raises:
        TransportError: FRAME_ENCODING_ERROR, PROTOCOL_VIOLATION.
    """
    try:
        frames = parse_frames(packet.payload, packet.packet_type)
    except ForbiddenFrame as error:
        raise TransportError(PROTOCOL_VIOLATION, error.frame_type, error.reason) from error
    except DecodeError as error:
        raise TransportError(FRAME_ENCODING_ERROR, error.frame_type, error.reason) from error
    if not frames:  # RFC 9000 §12.4
        raise TransportError(PROTOCOL_VIOLATION, None, "a packet without frames")
    return frames
