"""How often acknowledgements are sent: what we ask of the peer, and what it asks of us.

Both by ACK_FREQUENCY and IMMEDIATE_ACK of draft-ietf-quic-ack-frequency-14, and of its second version where that is
what was offered: there the frame has the same fields with other meanings of two of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from qwire.constants import FRAME_ENCODING_ERROR, PROTOCOL_VIOLATION
from qwire.frames import AckFrequencyFrame, Frame, ImmediateAckFrame
from qwire.transport_parameters import TransportParameters

from .. import spaces
from ..errors import TransportError
from ..packing.source import FrameSource
from .received import ReceivedPacketHandler
from .sent import SentPacketHandler

if TYPE_CHECKING:
    from ..packing.builder import PacketBuilder

MICROSECONDS: Final = 1_000_000
# RFC 9000 §18.2: no max_ack_delay is 2^14 ms or more, so nobody waits longer on the wish of a peer.
LONGEST_DELAY: Final = 16.383


@final
class AckFrequencyControl(FrameSource):
    """Both directions of one connection.

    Args:
        received: obeys what the peer asks.
        recovery: reckons with what we asked.
        local: our transport parameters, which say what the peer may ask.

    Attributes:
        is_asking: the peer was asked for something else than usual.
    """

    __slots__ = (
        "_announced",
        "_is_due",
        "_is_old",
        "_largest",
        "_min_delay",
        "_newest",
        "_peer_is_old",
        "_peer_min_delay",
        "_received",
        "_recovery",
        "_wants_ack",
        "is_asking",
    )

    def __init__(
        self, received: ReceivedPacketHandler, recovery: SentPacketHandler, local: TransportParameters
    ) -> None:
        self.is_asking = False
        self._received = received
        self._recovery = recovery
        self._min_delay = local.min_ack_delay
        self._is_old = self._min_delay is None
        if self._is_old:
            self._min_delay = local.min_ack_delay_02
        self._largest = -1
        self._peer_min_delay: int | None = None
        self._peer_is_old = False
        self._announced = 0.0
        self._newest: AckFrequencyFrame | None = None
        self._is_due = False
        self._wants_ack = False

    # What the peer asks

    def receive(self, frame: AckFrequencyFrame) -> None:
        """ACK_FREQUENCY, §4.

        Raises:
            TransportError: FRAME_ENCODING_ERROR, we offered nothing of the kind; PROTOCOL_VIOLATION, a delay below
                the smallest we offered.
        """
        self._check_offered(frame)
        if self._min_delay is not None and frame.requested_max_ack_delay < self._min_delay:
            raise TransportError(
                PROTOCOL_VIOLATION,
                frame.type,
                f"acknowledgements within {frame.requested_max_ack_delay} us, {self._min_delay} offered",
            )
        if frame.sequence_number <= self._largest:
            return
        self._largest = frame.sequence_number
        threshold, reordering = frame.ack_eliciting_threshold, frame.reordering_threshold
        if self._is_old:  # a packet tolerance, and whether to ignore order
            threshold, reordering = max(threshold - 1, 0), int(not reordering)
        delay = min(frame.requested_max_ack_delay / MICROSECONDS, LONGEST_DELAY)
        self._received.set_ack_frequency(threshold, delay, reordering)

    def receive_immediate(self, frame: ImmediateAckFrame) -> None:
        """IMMEDIATE_ACK, §5.

        Raises:
            TransportError: FRAME_ENCODING_ERROR, we offered nothing of the kind.
        """
        self._check_offered(frame)
        self._received.ack_immediately()

    def _check_offered(self, frame: Frame) -> None:
        if self._min_delay is None:  # RFC 9000 §12.4
            raise TransportError(FRAME_ENCODING_ERROR, frame.type, "a frame that was not offered")

    # What we ask

    def set_peer(self, peer: TransportParameters) -> None:
        """Learn what the peer can do, and how long it delays until it is asked."""
        self._announced = peer.max_ack_delay / 1000
        self._peer_min_delay = peer.min_ack_delay
        if self._peer_min_delay is None:
            self._peer_min_delay = peer.min_ack_delay_02
            self._peer_is_old = self._peer_min_delay is not None

    def ask(self, threshold: int, max_delay: float | None, reordering: int) -> bool:
        """Ask for acknowledgements at another frequency; False if the peer does not take such wishes.

        Args:
            threshold: ack-eliciting packets that may arrive without an acknowledgement.
            max_delay: seconds that one of them may wait; None for what the peer has announced.
            reordering: packets that may overtake a missing one before it is told of; 0 to tell nothing at once.
        """
        least = self._peer_min_delay
        if least is None:
            return False
        delay = self._announced if max_delay is None else max_delay
        if self._peer_is_old:
            threshold, reordering = threshold + 1, int(not reordering)
        number = 0 if self._newest is None else self._newest.sequence_number + 1
        microseconds = max(least, round(delay * MICROSECONDS))
        self._newest = AckFrequencyFrame(number, threshold, microseconds, reordering)
        self._is_due = True
        self.is_asking = True
        return True

    def ask_now(self) -> None:
        """Have the peer acknowledge what it has at once."""
        self._wants_ack = not self._peer_is_old

    def has_frames(self, space: int) -> bool:
        return (self._is_due or self._wants_ack) and space == spaces.APPLICATION

    def write_frames(self, builder: PacketBuilder) -> None:
        frame = self._newest
        if self._is_due and frame is not None and builder.append(frame, self):
            self._is_due = False
            # §7: until it is known to have arrived, the longer delay counts.
            recovery = self._recovery
            recovery.set_max_ack_delay(max(recovery.peer_max_ack_delay, _delay_of(frame)))
        if self._wants_ack and builder.append(ImmediateAckFrame(), self):
            self._wants_ack = False

    def on_acked(self, frame: Frame) -> None:
        if frame is self._newest:
            self._recovery.set_max_ack_delay(_delay_of(self._newest))

    def on_lost(self, frame: Frame) -> None:
        if frame is self._newest:
            self._is_due = True


def _delay_of(frame: AckFrequencyFrame) -> float:
    return frame.requested_max_ack_delay / MICROSECONDS
