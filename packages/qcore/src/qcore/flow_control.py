"""Credit: how many bytes each side may send.

`ReceiveWindow` is credit that we give, for a stream or for the connection; `ConnectionFlow` holds both
directions of the connection and sends MAX_DATA and DATA_BLOCKED. What a peer sends never enlarges a window;
only an application that reads does. RFC 9000 §4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from qwire.compiling import mypyc_attr
from qwire.constants import FLOW_CONTROL_ERROR
from qwire.frames import DataBlockedFrame, Frame, MaxDataFrame

from . import spaces
from .errors import TransportError
from .packing.source import FrameSource

if TYPE_CHECKING:
    from .packing.builder import PacketBuilder

# RFC 9000 §16: the largest offset that can be written.
MAX_OFFSET: Final = (1 << 62) - 1
# Without any advertised credit nothing could ever arrive, so this much is given by MAX_DATA or
# MAX_STREAM_DATA.
SMALLEST_WINDOW: Final = 16 * 1024
# New credit is due when this part of the window is used (one quarter): late enough to need few frames, early
# enough for the frame to arrive before the peer runs dry.
DUE_SHIFT: Final = 2
# A window that lasts for fewer round trips than this holds the peer back, and is doubled.
ROUND_TRIPS_PER_WINDOW: Final = 4
# A connection window leaves room for more than one stream at full speed, as 3 / 2 of the largest stream
# window.
CONNECTION_SHARE: Final = (3, 2)
# A stand-in until the first sample, so that windows may grow on the first flights.
FIRST_RTT: Final = 0.1


@final
@mypyc_attr(acyclic=True)
class ReceiveWindow:
    """Credit given to the peer, of which the application's reading makes more.

    Attributes:
        limit: the highest offset that was advertised.
        consumed: bytes read, or given up, by the application.
        window: how far the limit is put beyond `consumed`.
        max_window: what tuning never exceeds.
    """

    __slots__ = ("_epoch_consumed", "_epoch_start", "consumed", "limit", "max_window", "window")

    def __init__(self, window: int, max_window: int) -> None:
        self.limit = window
        self.consumed = 0
        self.window = window if window > 0 else SMALLEST_WINDOW
        self.max_window = max(self.window, max_window)
        self._epoch_start = -1.0
        self._epoch_consumed = 0

    @property
    def is_due(self) -> bool:
        """Whether enough was consumed for new credit to be worth a frame."""
        window = self.window
        return self.limit - self.consumed <= window - (window >> DUE_SHIFT)

    def consume(self, size: int) -> bool:
        """Count bytes as read; whether new credit is due."""
        self.consumed += size
        window = self.window
        return self.limit - self.consumed <= window - (window >> DUE_SHIFT)

    def advance(self, now: float, rtt: float) -> int:
        """The limit to advertise now, which is remembered as advertised. The window is tuned on the way."""
        used = self.consumed - self._epoch_consumed
        if self._epoch_start < 0.0:
            self._epoch_start = now
            self._epoch_consumed = self.consumed
        elif used >= self.window >> 1:
            # Doubled when the whole window would be consumed within a few round trips at the speed of this
            # epoch.
            if (now - self._epoch_start) * self.window < ROUND_TRIPS_PER_WINDOW * rtt * used:
                self.grow(self.window * 2)
            self._epoch_start = now
            self._epoch_consumed = self.consumed
        limit = self.consumed + self.window
        limit = min(limit, MAX_OFFSET)
        self.limit = max(self.limit, limit)
        return self.limit

    def grow(self, window: int) -> None:
        """Make the window at least this large, as far as the maximum allows."""
        self.window = max(self.window, min(window, self.max_window))


@final
class ConnectionFlow(FrameSource):
    """Both directions of the connection's flow control.

    Attributes:
        window: credit given to the peer.
        received: bytes that the peer has sent on all streams, by highest offsets.
        sent: new bytes that we have sent on all streams.
        send_limit: how many the peer allows.
        smoothed_rtt: kept up to date by the engine; sets the pace of tuning.
    """

    __slots__ = (
        "_blocked_at",
        "_blocked_due",
        "_max_data_due",
        "received",
        "send_limit",
        "sent",
        "smoothed_rtt",
        "window",
    )

    def __init__(self, window: int, max_window: int) -> None:
        self.window = ReceiveWindow(window, max_window)
        self.received = 0
        self.sent = 0
        self.send_limit = 0
        self.smoothed_rtt = FIRST_RTT
        self._max_data_due = window == 0
        self._blocked_due = False
        self._blocked_at = -1

    @property
    def limit(self) -> int:
        """What we have advertised."""
        return self.window.limit

    @property
    def consumed(self) -> int:
        """Bytes that the application has read or given up."""
        return self.window.consumed

    @property
    def credit(self) -> int:
        """New bytes that may be sent now."""
        return self.send_limit - self.sent

    def set_peer_limit(self, limit: int) -> None:
        """Take the limit of the peer's transport parameters; it never falls."""
        if limit > self.send_limit:
            self.send_limit = limit
            self._blocked_due = False

    def restart(self) -> None:
        """Forget what was sent, and what allowed it: 0-RTT was rejected. RFC 9000 §7.4.1."""
        self.sent = 0
        self.send_limit = 0
        self._blocked_due = False
        self._blocked_at = -1

    def check_received(self, size: int, frame: Frame) -> None:
        """Count bytes that the peer has newly sent on some stream.

        Raises:
            TransportError: FLOW_CONTROL_ERROR, more than was advertised. RFC 9000 §4.1.
        """
        if self.received + size > self.window.limit:
            raise TransportError(
                FLOW_CONTROL_ERROR,
                frame.type,
                f"{self.received + size} bytes on all streams, {self.window.limit} allowed",
            )
        self.received += size

    def consume(self, size: int) -> None:
        """Count bytes as read, or given up, by the application."""
        if self.window.consume(size):
            self._max_data_due = True

    def ensure_window(self, stream_window: int) -> None:
        """Keep the connection window larger than that of a stream which has grown."""
        numerator, denominator = CONNECTION_SHARE
        self.window.grow(stream_window * numerator // denominator)

    def on_blocked(self) -> None:
        """Data waits for nothing but connection credit: tell the peer, once per limit. RFC 9000 §4.1."""
        if self._blocked_at != self.send_limit:
            self._blocked_at = self.send_limit
            self._blocked_due = True

    def receive_max_data(self, frame: MaxDataFrame) -> None:
        """MAX_DATA, RFC 9000 §19.9."""
        self.set_peer_limit(frame.maximum)

    def receive_data_blocked(self, frame: DataBlockedFrame) -> None:
        """DATA_BLOCKED, RFC 9000 §19.12: a limit that the peer has not seen is told again."""
        if frame.limit < self.window.limit:
            self._max_data_due = True

    def has_frames(self, space: int) -> bool:
        return space == spaces.APPLICATION and (self._max_data_due or self._blocked_due)

    def write_frames(self, builder: PacketBuilder) -> None:
        if self._max_data_due:
            if not builder.append(MaxDataFrame(self.window.advance(builder.now, self.smoothed_rtt)), self):
                return
            self._max_data_due = False
        if self._blocked_due and builder.append(DataBlockedFrame(self.send_limit), self):
            self._blocked_due = False

    def on_lost(self, frame: Frame) -> None:
        if isinstance(frame, MaxDataFrame):
            if frame.maximum == self.window.limit:
                self._max_data_due = True
        elif (
            isinstance(frame, DataBlockedFrame)
            and frame.limit == self.send_limit
            and self.sent == frame.limit
        ):
            self._blocked_due = True
