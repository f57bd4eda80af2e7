"""Datagrams between the workers of a port, over Unix datagram sockets.

What arrives for another is packed together for one turn of the loop, because such sockets queue few messages. What
does not fit is dropped, as a network does.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final

from ...batch import Address, Datagram

# Size of the payload, ECN mark with a bit for IPv6, size of the host's name, port, flow information, scope, and the
# local socket, whose number is the same in all workers.
RECORD: Final = struct.Struct("!HBBHIIH")
IS_IPV6: Final = 0x80
# Bytes of a message: several fit into the socket's buffer.
MESSAGE_SIZE: Final = 48_000
# A record more may come when a message is nearly full.
READ_SIZE: Final = MESSAGE_SIZE + 66_000
# The system queues about ten messages; a wake-up reads no more than twice that.
READS_PER_WAKE_UP: Final = 20
BUFFER_SIZE: Final = 2 << 20


def open_mailboxes(count: int) -> list[tuple[socket.socket, socket.socket]]:
    """For each worker the end that it reads and the end that the others write to."""
    pairs = []
    for _ in range(count):
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in pair:
            end.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                end.setsockopt(socket.SOL_SOCKET, option, BUFFER_SIZE)
        pairs.append(pair)
    return pairs


class Mailbox:
    """One worker's: hands on what is another's, and takes what others hand on.

    Attributes:
        sent, received, dropped: datagrams.
    """

    def __init__(self, inbox: socket.socket, outboxes: Sequence[socket.socket]) -> None:
        self.sent = 0
        self.received = 0
        self.dropped = 0
        self._inbox = inbox
        self._outboxes = outboxes
        self._waiting: dict[int, list[bytes]] = {}
        self._sizes: dict[int, int] = {}
        self._loop = asyncio.get_running_loop()

    def open(self, deliver: Callable[[Sequence[Datagram]], None]) -> None:
        """Begin to deliver."""
        self._loop.add_reader(self._inbox.fileno(), self._on_readable, deliver)

    def close(self) -> None:
        """Deliver no more."""
        self._loop.remove_reader(self._inbox.fileno())

    def post(self, worker: int, datagram: Datagram) -> None:
        """Hand a datagram to another worker, before the loop waits again."""
        record = encode_record(datagram)
        waiting = self._waiting.setdefault(worker, [])
        if not waiting:
            self._loop.call_soon(self._flush, worker)
        waiting.append(record)
        size = self._sizes.get(worker, 0) + len(record)
        self._sizes[worker] = size
        if size >= MESSAGE_SIZE:
            self._flush(worker)

    def _flush(self, worker: int) -> None:
        records = self._waiting.pop(worker, None)
        self._sizes.pop(worker, None)
        if not records:
            return
        try:
            self._outboxes[worker].send(b"".join(records))
        except OSError:  # full, or gone: for QUIC they are lost
            self.dropped += len(records)
        else:
            self.sent += len(records)

    def _on_readable(self, deliver: Callable[[Sequence[Datagram]], None]) -> None:
        for _ in range(READS_PER_WAKE_UP):
            try:
                message = self._inbox.recv(READ_SIZE)
            except (BlockingIOError, InterruptedError):
                return
            datagrams = decode_records(message)
            self.received += len(datagrams)
            deliver(datagrams)


def encode_record(datagram: Datagram) -> bytes:
    """A datagram with the address it came from and the socket it came to."""
    address = datagram.address
    host = address[0].encode()
    flags, flow, scope = datagram.ecn, 0, 0
    if len(address) == 4:
        flags |= IS_IPV6
        flow, scope = address[2], address[3]
    return (
        RECORD.pack(len(datagram.data), flags, len(host), address[1], flow, scope, datagram.local)
        + host
        + datagram.data
    )


def decode_records(message: bytes) -> list[Datagram]:
    """The datagrams of a message."""
    datagrams = []
    at = 0
    while at < len(message):
        size, flags, host_size, port, flow, scope, local = RECORD.unpack_from(message, at)
        at += RECORD.size
        host = message[at : at + host_size].decode()
        at += host_size
        address: Address = (host, port, flow, scope) if flags & IS_IPV6 else (host, port)
        datagrams.append(Datagram(message[at : at + size], address, flags & 3, local))
        at += size
    return datagrams
