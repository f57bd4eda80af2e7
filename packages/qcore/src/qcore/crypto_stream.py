"""Handshake bytes of one packet-number space, in order and both ways.

CRYPTO frames have no flow control, so what a peer may send ahead is bounded here. On the way out the ordinary
path fills packets in order; a layout of the first flight places ranges by itself with `take_range`. RFC 9000
§7.5, §19.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from qwire.buffer import varint_size
from qwire.constants import CRYPTO_BUFFER_EXCEEDED
from qwire.frames import CryptoFrame, Frame

from .errors import TransportError
from .packing.source import FrameSource
from .streams.ranges import RangeSet
from .streams.reassembler import Reassembler

if TYPE_CHECKING:
    from .packing.builder import PacketBuilder

# RFC 9000 §7.5 asks for at least 4096 bytes. A chain of nine certificates with post-quantum keys stays below
# this.
BUFFER_LIMIT: Final = 64 * 1024
# What a server may send after the handshake in all: tickets of a few hundred bytes.
POST_HANDSHAKE_LIMIT: Final = 64 * 1024
# No CRYPTO frame is cut smaller than this as long as more is left.
SMALLEST_CUT: Final = 16


@final
class CryptoStream(FrameSource):
    """The CRYPTO stream of one space.

    Args:
        space: the packet-number space it belongs to.
        total_limit: bytes that the peer may send in all; None for no limit but that of the buffer.

    Attributes:
        sent_size: bytes queued so far.
    """

    __slots__ = (
        "_acked",
        "_data",
        "_first",
        "_pending",
        "_reassembler",
        "_total_limit",
        "sent_size",
        "space",
    )

    def __init__(self, space: int, *, total_limit: int | None = None) -> None:
        self.space = space
        self.sent_size = 0
        self._data = b""
        self._first = 0  # bytes before it are not kept any more
        self._pending = RangeSet()
        self._acked = RangeSet()
        self._total_limit = total_limit
        self._reassembler = Reassembler()

    def release(self) -> None:
        """The keys of the space are gone: nothing is sent or received any more."""
        self._data = b""
        self._first = self.sent_size
        self._pending.clear()
        self._acked.clear()
        self._reassembler = Reassembler()

    # Out

    @property
    def is_acked(self) -> bool:
        """Whether everything queued was acknowledged."""
        return self._acked.covers(0, self.sent_size)

    @property
    def received_size(self) -> int:
        """Bytes that have arrived in order."""
        return self._reassembler.offset

    def send(self, data: bytes) -> None:
        """Queue handshake bytes."""
        start = self.sent_size
        self._data += data
        self.sent_size += len(data)
        self._pending.add(start, self.sent_size)

    def replace(self, data: bytes) -> None:
        """Start over with other bytes: another ClientHello. Only before anything was acknowledged."""
        if len(self._acked):
            raise ValueError("handshake bytes cannot change after the peer has acknowledged some")
        self._data = b""
        self._pending.clear()
        self._first = self.sent_size = 0
        self.send(data)

    def restart(self) -> None:
        """Everything counts as never sent: the connection starts anew after Retry or Version Negotiation."""
        self._acked.clear()
        self._pending.clear()
        self._pending.add(self._first, self.sent_size)

    def settle(self, stop: int) -> None:
        """The peer has all bytes up to `stop`: its answer says so, whatever it has acknowledged."""
        self._acked.add(0, stop)
        self._pending.remove(0, stop)

    def pending_ranges(self) -> list[tuple[int, int]]:
        """What was never sent, or was lost, as ``[start, stop)``."""
        return self._pending.ranges()

    def pending(self) -> tuple[int, bytes]:
        """Bytes from the first to the last that has to be sent, with the offset of the first."""
        if not self._pending.starts:
            return self.sent_size, b""
        start = self._pending.starts[0]
        return start, self._slice(start, self._pending.stops[-1])

    def unacked(self) -> tuple[int, bytes]:
        """Bytes from the first that is not acknowledged, with its offset."""
        start = 0
        if self._acked.starts and self._acked.starts[0] == 0:
            start = self._acked.stops[0]
        return start, self._slice(start, self.sent_size)

    def take_range(self, start: int, stop: int) -> CryptoFrame:
        """A frame with the bytes ``[start, stop)``, which count as sent now.

        Raises:
            ValueError: no such bytes were queued.
        """
        if not 0 <= start < stop <= self.sent_size:
            raise ValueError(f"bytes {start} to {stop} are not among {self.sent_size}")
        self._pending.remove(start, stop)
        return CryptoFrame(start, self._slice(start, stop))

    def has_frames(self, space: int) -> bool:
        return space == self.space and bool(self._pending.starts)

    def write_frames(self, builder: PacketBuilder) -> None:
        pending = self._pending
        while pending.starts:
            start = pending.starts[0]
            available = pending.stops[0] - start
            space = builder.room - 1 - varint_size(start)
            size = min(available, space - varint_size(max(min(available, space), 0)))
            if size < min(available, SMALLEST_CUT):
                return
            stop = start + size
            if not builder.append(CryptoFrame(start, self._slice(start, stop)), self):
                return
            pending.remove(start, stop)

    def on_acked(self, frame: Frame) -> None:
        if isinstance(frame, CryptoFrame):
            stop = frame.offset + len(frame.data)
            self._acked.add(frame.offset, stop)
            self._pending.remove(frame.offset, stop)
            if self.is_acked:
                self._data = b""
                self._first = self.sent_size

    def on_lost(self, frame: Frame) -> None:
        if isinstance(frame, CryptoFrame):
            for start, stop in self._acked.missing(frame.offset, frame.offset + len(frame.data)):
                self._pending.add(start, stop)

    def _slice(self, start: int, stop: int) -> bytes:
        return self._data[start - self._first : stop - self._first]

    # In

    def receive(self, frame: CryptoFrame) -> bytes:
        """Take in a CRYPTO frame; the bytes that are in order now and were not before.

        Raises:
            TransportError: CRYPTO_BUFFER_EXCEEDED. RFC 9000 §7.5.
        """
        reassembler = self._reassembler
        stop = frame.offset + len(frame.data)
        if stop > reassembler.offset + BUFFER_LIMIT:
            raise TransportError(
                CRYPTO_BUFFER_EXCEEDED, frame.type, f"offset {stop} with {reassembler.offset} bytes in order"
            )
        if self._total_limit is not None and stop > self._total_limit:
            raise TransportError(
                CRYPTO_BUFFER_EXCEEDED, frame.type, f"offset {stop}, {self._total_limit} allowed"
            )
        if not reassembler.add(frame.offset, frame.data):
            raise TransportError(CRYPTO_BUFFER_EXCEEDED, frame.type, f"more than {reassembler.gaps} gaps")
        return reassembler.take()
