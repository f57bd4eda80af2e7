"""Whether, where to and how much to send.

Asks the recovery for the send mode and the path for its budget, lets the packer build datagram after datagram,
and has all of them protected at the end. RFC 9000 §8.1, RFC 9002 §7.
"""

from __future__ import annotations

import math
from typing import Final, final

from qwire.frames import Frame

from ..ackhandler.ecn import NOT_ECT
from ..ackhandler.send_mode import SendMode
from ..batch import SendBatch
from ..packing.builder import MIN_INITIAL_SIZE
from ..packing.datagram import PackedDatagram, protect
from ..paths.mtu import BASE_SIZE
from ..paths.path import MAX_RESPONSES, UNLIMITED, Path
from ..spaces import APPLICATION, HANDSHAKE, INITIAL
from .acknowledgements import Acknowledgements
from .parts import Parts

# Bytes of probes of paths, and of answers to them, beyond the congestion window: what one path may be owed. Somebody
# who asks without end and acknowledges nothing would have us remember an answer for each question.
PAST_WINDOW: Final = MAX_RESPONSES * BASE_SIZE
# Fewer datagrams are not worth a way of their own.
SHORTEST_RUN: Final = 2
# What stands before a run, an ACK for one, goes in the first packet of a pass; what is no run then is none at all.
RUN_ATTEMPTS: Final = 2


@final
class Transmitter:
    """Fills send batches for one connection.

    Attributes:
        pacing_deadline: when the pacer lets the next datagram go; `math.inf` when nothing waits for it.
        last_pass: when `transmit` was called last.
        sent_handshake: a Handshake packet has been sent.
        sent_ack_eliciting: the last pass sent something that the peer has to acknowledge.
    """

    __slots__ = (
        "_acknowledgements",
        "_is_blocked",
        "_parts",
        "_pending",
        "last_pass",
        "pacing_deadline",
        "sent_ack_eliciting",
        "sent_handshake",
    )

    def __init__(self, parts: Parts, acknowledgements: Acknowledgements) -> None:
        self.pacing_deadline = math.inf
        self.last_pass = -math.inf
        self.sent_handshake = False
        self.sent_ack_eliciting = False
        self._is_blocked = False  # until more has come from an address that is not validated
        self._parts = parts
        self._acknowledgements = acknowledgements
        self._pending: list[PackedDatagram] = []

    def transmit(self, now: float, batch: SendBatch) -> int:
        """Add what may be sent now to the batch; returns the number of datagrams.

        Raises:
            TransportError: AEAD_LIMIT_REACHED, before anything is packed; an ACK that was put off is wrong.
            FlightError: the layout of the first flight does not fit.
        """
        parts = self._parts
        recovery = parts.recovery
        application = parts.spaces[APPLICATION]
        phases = application.phases
        if phases is not None and phases.is_update_due:
            phases.check_seal_limit()
        self.pacing_deadline = math.inf
        self.last_pass = now
        self.sent_ack_eliciting = False
        before = batch.count
        failures = 0
        room = batch.limit - before
        packer = parts.packer
        one_rtt = packer.one_rtt
        one_rtt.begin_pass()
        if parts.paths.others:
            self._send_probes_of_paths(now, room)
        while batch.count + len(self._pending) < batch.limit:
            path = parts.paths.active
            budget = UNLIMITED if path.validated else path.budget()
            # RFC 9000 §14.1: a server that may not fill a datagram may not send an Initial packet that asks for an
            # acknowledgement, so it waits for more credit.
            least = 1 if packer.is_settled or parts.is_client else MIN_INITIAL_SIZE
            if (budget < least) is not self._is_blocked:
                self._is_blocked = not self._is_blocked
                recovery.set_amplification_blocked(self._is_blocked)
            mode = recovery.send_mode(now)
            if mode is not SendMode.ANY and self._acknowledgements.is_waiting:
                self._acknowledgements.catch_up()  # it may make room in the window, or answer for what is to be probed
                continue
            if mode is SendMode.NONE:
                break
            if mode is SendMode.ANY:
                if path.mtu is not None and path.mtu.deadline <= now:
                    self._send_mtu_probe(now, path)
                # Not where an ACK has to go first.
                may_run = packer.is_settled and not application.received.ack_pending
                if may_run and path.validated and failures < RUN_ATTEMPTS:
                    if self._send_run(now, path, batch):
                        continue
                    failures += 1
            datagram = None
            if (
                (mode is SendMode.ACK_ONLY or mode is SendMode.PACED)
                and path.has_frames(APPLICATION)
                and self._may_pass_window()
            ):
                # Past the window: a peer that waits for an answer may not even acknowledge what fills it.
                cid = parts.remote_ids.current_cid
                datagram = one_rtt.pack_path(now, path, min(BASE_SIZE, budget), cid)
            if datagram is None:
                mtu = path.mtu
                limit = mtu.current if packer.is_settled and mtu is not None else self._size_limit(path)
                datagram = packer.pack(now, mode, limit if limit < budget else budget)  # noqa: FURB136 - a call
            if datagram is None:
                if mode is SendMode.PACED and self._has_data():
                    self.pacing_deadline = recovery.pacing_deadline()
                break
            ecn = recovery.ecn
            self._record(datagram, path, now, NOT_ECT if ecn is None else ecn.codepoint)
            # Where delivery is sampled, the congestion controller hears that more could have been sent.
            if one_rtt.is_done and packer.is_settled and not recovery.congestion.samples_delivery:
                break
        self._flush(batch)
        return batch.count - before

    def _send_run(self, now: float, path: Path, batch: SendBatch) -> bool:
        """Send as many datagrams as may go, if the next ones are filled by one frame each."""
        parts = self._parts
        recovery = parts.recovery
        size = self._size_limit(path)
        count = recovery.run_length(size, batch.limit - batch.count - len(self._pending))
        if count < SHORTEST_RUN:
            return False
        ecn = recovery.ecn_codepoint()
        run = parts.packer.pack_run(now, size, count, ecn)
        if run is None:
            return False
        self._flush(batch)
        count = len(run.datagrams)
        recovery.on_run_sent(run.sent, run.size, now)
        path.on_sent(run.size)
        self._count_sealed(count)
        batch.add_all(path.address, ecn, run.datagrams, path.local)
        self.sent_ack_eliciting = True
        return True

    def transmit_close(self, now: float, batch: SendBatch, frames: list[Frame | None]) -> int:
        """Add a datagram with CONNECTION_CLOSE frames."""
        parts = self._parts
        path = parts.paths.active
        limit = min(self._size_limit(path), path.budget())
        datagram = parts.packer.pack_close(now, frames, limit)
        if datagram is None or datagram.size > path.budget():
            return 0
        self._queue(datagram, path, parts.recovery.ecn_codepoint())
        return self._flush(batch)

    def _may_pass_window(self) -> bool:
        """Whether probes of paths may go where the congestion window would hold other packets back."""
        recovery = self._parts.recovery
        return recovery.bytes_in_flight < recovery.congestion.window + PAST_WINDOW

    def _size_limit(self, path: Path) -> int:
        parts = self._parts
        size = path.mtu.current if path.mtu is not None else parts.base_size
        if parts.is_client and not parts.spaces[INITIAL].is_discarded:
            return max(size, parts.base_size)
        return size

    def _has_data(self) -> bool:
        packer = self._parts.packer
        for space in self._parts.spaces:
            if space.is_discarded:
                continue
            for source in packer.sources[space.index]:
                if source.has_frames(space.index):
                    return True
        return False

    def _record(self, datagram: PackedDatagram, path: Path, now: float, ecn: int) -> None:
        parts = self._parts
        for packet in datagram.sent:
            packet.ecn = ecn
            parts.recovery.on_packet_sent(packet, now)
            if packet.ack_eliciting:
                self.sent_ack_eliciting = True
            if packet.space == HANDSHAKE:
                self.sent_handshake = True
        self._queue(datagram, path, ecn)

    def _queue(self, datagram: PackedDatagram, path: Path, ecn: int) -> None:
        path.on_sent(datagram.size)
        datagram.address = path.address
        datagram.local = path.local
        datagram.ecn = ecn
        self._pending.append(datagram)

    def _send_mtu_probe(self, now: float, path: Path) -> None:
        parts = self._parts
        mtu = path.mtu
        if mtu is None or not path.validated:
            return
        size = mtu.probe_size(now)
        if not size:
            return
        datagram = parts.packer.one_rtt.pack_mtu_probe(now, size, mtu)
        if datagram is not None:
            mtu.on_probe_sent(size, now, parts.recovery.rtt.smoothed)
            self._record(datagram, path, now, parts.recovery.ecn_codepoint())

    def _send_probes_of_paths(self, now: float, room: int) -> None:
        """Challenges and responses of paths other than the active one, each on its own path."""
        parts = self._parts
        for path in parts.paths.paths():
            if path is parts.paths.active or not path.has_frames(APPLICATION) or len(self._pending) >= room:
                continue
            if not self._may_pass_window():
                return
            limit = min(BASE_SIZE, path.budget())
            datagram = (
                parts.packer.one_rtt.pack_path(now, path, limit, self._cid_of(path)) if limit > 0 else None
            )
            if datagram is not None:
                for packet in datagram.sent:
                    packet.is_off_path = True
                    packet.ack_eliciting = packet.in_flight = False  # the path has timers of its own
                self._record(datagram, path, now, NOT_ECT)

    def _cid_of(self, path: Path) -> bytes:
        """The connection ID to use on a path; another one if the peer has taken back the first."""
        ids = self._parts.remote_ids
        if path.remote_id is not None and path.remote_id.is_retired:
            path.remote_id = ids.take()
        return path.remote_id.cid if path.remote_id is not None else ids.current_cid

    def _flush(self, batch: SendBatch) -> int:
        """Protect everything packed and hand it over."""
        pending = self._pending
        count = len(pending)
        if not count:
            return 0
        self._count_sealed(count)
        self._pending = []
        if count == 1:
            datagram = pending[0]
            batch.add(datagram.address, datagram.ecn, datagram.protect(), datagram.local)
            return 1
        for datagram, data in zip(pending, protect(pending), strict=True):
            batch.add(datagram.address, datagram.ecn, data, datagram.local)
        return count

    def _count_sealed(self, count: int) -> None:
        """RFC 9001 §6.6, RFC 9000 §5.1.2: change keys and connection ID in time.

        Every datagram counts, though some hold no 1-RTT packet.
        """
        parts = self._parts
        phases = parts.spaces[APPLICATION].phases
        if phases is None:
            return
        if phases.on_sealed(count) and phases.can_update:
            phases.update(parts.recovery.next_packet_number(APPLICATION))
        ids = parts.remote_ids
        if ids.on_sent(count):
            ids.rotate()
            parts.packer.headers.destination_cid = ids.current_cid
