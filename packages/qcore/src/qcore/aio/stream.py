"""Streams as a user holds them: `Stream`, `SendStream`, `ReceiveStream`.

They move bytes between tasks and the engine, and wait where the engine says so. Cancelling a call loses no
bytes: reading takes bytes only in the step that returns them, and writing takes all of its bytes at once and
then waits for room. RFC 9000 §2.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self

from ..errors import QuicError, StreamError, UsageError
from .signal import Signal
from .stream_host import StreamHost


class BaseStream:
    """Both halves of a stream; users hold one of the classes below."""

    __slots__ = (
        "_backlog",
        "_held",
        "_held_size",
        "_host",
        "_is_acked",
        "_is_at_end",
        "_is_finished",
        "_is_finishing",
        "_offset",
        "_passed",
        "_queued",
        "_readable",
        "_receive_error",
        "_reliable",
        "_send_error",
        "_stop_code",
        "_writable",
        "id",
    )

    def __init__(
        self, host: StreamHost, stream_id: int, *, can_receive: bool = True, can_send: bool = True
    ) -> None:
        self.id = stream_id
        self._host = host
        self._readable = Signal()
        self._held: deque[bytes] = (
            deque()
        )  # taken from the engine for a call that was cancelled or fell short
        self._held_size = 0
        self._is_at_end = not can_receive
        self._receive_error: QuicError | None = None
        self._writable = Signal()
        self._backlog: deque[bytes] = deque()  # written, and not yet taken by the engine
        self._offset = 0  # of the first backlog item
        self._queued = 0  # bytes ever written
        self._passed = 0  # bytes ever taken by the engine
        self._is_finishing = False
        self._is_finished = False
        self._is_acked = not can_send
        self._stop_code: int | None = None
        self._send_error: QuicError | None = None
        self._reliable = 0  # bytes that are delivered in spite of a reset

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    # Reports of the connection; each tells whether a task was woken.

    def on_readable(self) -> bool:
        return self._readable.notify()

    def on_writable(self) -> bool:
        self._pump()
        return self._writable.notify()

    def on_acked(self) -> bool:
        """Everything that was sent, its end included, was acknowledged."""
        self._is_acked = True
        self._check_over()
        return self._writable.notify()

    def on_reset(self, error: QuicError) -> bool:
        """No more will arrive."""
        if self._is_at_end or self._receive_error is not None:
            return False
        self._receive_error = error
        self._check_over()
        return self._readable.notify()

    def on_stopped(self, error: QuicError, code: int | None = None) -> bool:
        """No more can be sent; `code` when the peer asked for it."""
        if self._stop_code is None:
            self._stop_code = code
        self._fail_sending(error)
        self._check_over()
        return self._writable.notify()

    def on_ended(self, error: QuicError) -> bool:
        """The connection has ended. What had arrived can still be read."""
        if not self._is_at_end and self._receive_error is None:
            data, self._is_at_end = self._host.transport.read(self.id)
            self._hold(data)
        woken = self.on_reset(error) or self._readable.notify()
        return self.on_stopped(error) or woken

    def _check_over(self) -> None:
        if (self._is_at_end or self._receive_error is not None) and (
            self._is_acked or self._send_error is not None
        ):
            self._host.forget(self.id)

    # Receiving

    def _hold(self, data: bytes) -> None:
        if data:
            self._held.append(data)
            self._held_size += len(data)

    def _fetch(self, n: int) -> None:
        """Take up to `n` bytes (-1: all) from the engine."""
        if self._is_at_end or self._receive_error is not None:
            return
        data, self._is_at_end = self._host.transport.read(self.id, n)
        if data or self._is_at_end:
            self._hold(data)
            self._host.flush()  # credit for the peer
            self._check_over()

    def _release(self, n: int) -> bytes:
        """The first `n` bytes held, or what there is."""
        held = self._held
        if not held:
            return b""
        if len(held) == 1 and self._held_size <= n:
            self._held_size = 0
            return held.popleft()
        parts: list[bytes] = []
        while held and n > 0:
            part = held.popleft()
            if len(part) > n:
                held.appendleft(part[n:])
                part = part[:n]
            n -= len(part)
            self._held_size -= len(part)
            parts.append(part)
        return b"".join(parts)

    # Sending

    def _pump(self) -> None:
        """Give the engine as much of the backlog as it has room for."""
        if self._send_error is not None or self._is_finished:
            return
        engine = self._host.transport
        backlog = self._backlog
        has_sent = False
        while backlog:
            room = engine.send_capacity(self.id)
            if room <= 0:
                break
            data = backlog[0]
            left = len(data) - self._offset
            if left <= room:
                piece = data[self._offset :] if self._offset else data
                backlog.popleft()
                self._offset = 0
            else:
                piece = data[self._offset : self._offset + room]
                self._offset += room
            self._passed += len(piece)
            engine.send(self.id, piece)
            has_sent = True
        if self._is_finishing and not backlog:
            self._is_finished = True
            engine.send(self.id, b"", True)
            has_sent = True
        if has_sent:
            self._host.flush()

    def _pump_to(self, position: int) -> None:
        """Give the engine everything up to `position`, whether it has room or not."""
        while self._passed < position:
            data = self._backlog.popleft()
            piece = data[self._offset : self._offset + position - self._passed]
            self._offset = 0
            self._passed += len(piece)
            self._host.transport.send(self.id, piece)

    def _fail_sending(self, error: QuicError) -> None:
        if self._send_error is None and not self._is_acked:
            self._send_error = error
        self._backlog.clear()
        self._offset = 0

    async def _sent(self, position: int) -> None:
        """Wait until the engine has taken everything up to `position`."""
        while self._passed < position:
            if self._send_error is not None:
                raise self._send_error
            await self._writable.wait()


class ReceiveStream(BaseStream):
    """The receiving side of a stream; iterating gives its bytes in chunks as they arrive."""

    __slots__ = ()

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes, at least one; with -1 everything until the end. b"" at the end.

        Raises:
            StreamError: the peer reset the stream.
            QuicError: the connection ended before the stream did.
        """
        if n == 0:
            return b""
        if n < 0:
            while not self._is_at_end:
                await self._more(-1)
            return self._release(self._held_size)
        while not self._held and not self._is_at_end:
            await self._more(n)
        return self._release(n)

    async def readexactly(self, n: int) -> bytes:
        """Exactly `n` bytes.

        Raises:
            asyncio.IncompleteReadError: the stream ended before; `partial` holds what there was.
            StreamError, QuicError: as for `read`.
        """
        if n < 0:
            raise ValueError("n must not be negative")
        while self._held_size < n:
            if self._is_at_end:
                raise asyncio.IncompleteReadError(self._release(self._held_size), n)
            await self._more(n - self._held_size)
        return self._release(n)

    def stop(self, code: int = 0) -> None:
        """Tell the peer that the rest is not wanted (STOP_SENDING), and drop what has arrived."""
        if not self._is_at_end and self._receive_error is None:
            self._receive_error = StreamError(self.id, code, is_local=True)
            if self._host.ended_by() is None:
                self._host.transport.stop_sending(self.id, code)
                self._host.flush()
            self._check_over()
        self._held.clear()
        self._held_size = 0
        self._readable.notify()

    async def _more(self, n: int) -> None:
        """Take bytes into what is held, or wait for a change."""
        size = self._held_size
        self._fetch(n)
        if self._held_size == size and not self._is_at_end:
            if self._receive_error is not None:
                raise self._receive_error
            await self._readable.wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._held and not self._is_at_end:
            await self._more(-1)
        if not self._held:
            raise StopAsyncIteration
        return self._release(self._held_size)


class SendStream(BaseStream):
    """The sending side of a stream."""

    __slots__ = ()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; returns when there is room for more.

        The bytes are taken at once: they are sent even if the call is cancelled while it waits.

        Raises:
            StreamError: the peer stopped the stream, or it was reset here.
            QuicError: the connection has ended.
            RuntimeError: after `finish`.
        """
        if self._send_error is not None:
            raise self._send_error
        if self._is_finishing:
            raise RuntimeError(f"stream {self.id} was finished")
        if not data:
            return
        self._backlog.append(bytes(data))
        self._queued += len(data)
        self._pump()
        await self._sent(self._queued)

    async def finish(self) -> None:
        """End the stream after what has been written; returns when the end is on its way.

        Raises:
            StreamError, QuicError: as for `write`.
        """
        if self._send_error is not None:
            raise self._send_error
        self._is_finishing = True
        self._pump()
        await self._sent(self._queued)

    def reset(self, code: int = 0, *, reliable: int = 0) -> None:
        """Abandon the stream (RESET_STREAM): what has not arrived yet need not arrive. RFC 9000 §3.1.

        Args:
            reliable: bytes from the start of the stream that do arrive all the same (RESET_STREAM_AT); possible
                where `Connection.info.reset_stream_at` is true. Later resets may only give up more.

        Raises:
            UsageError: the peer does not know RESET_STREAM_AT, or fewer bytes were written.
        """
        if self._is_acked or (self._send_error is not None and not 0 <= reliable < self._reliable):
            return
        if self._host.ended_by() is None:
            if reliable and not (self._host.transport.info.reset_stream_at and reliable <= self._queued):
                raise UsageError(f"{reliable} bytes of {self._queued} cannot be promised to this peer")
            self._pump_to(reliable)
            self._host.transport.reset(self.id, code, reliable)
            self._host.flush()
        self._reliable = reliable
        self.on_stopped(StreamError(self.id, code, is_local=True))

    async def stopped(self) -> int | None:
        """Wait for the fate of what was sent.

        Returns:
            The code with which the peer stopped the stream, or None when everything up to the end arrived.

        Raises:
            QuicError: the connection ended first, or the stream was reset here.
        """
        while not self._is_acked:
            if self._stop_code is not None:
                return self._stop_code
            if self._send_error is not None:
                raise self._send_error
            await self._writable.wait()
        return None


class Stream(SendStream, ReceiveStream):
    """A bidirectional stream."""

    __slots__ = ()
