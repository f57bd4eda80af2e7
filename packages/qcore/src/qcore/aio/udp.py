"""A UDP socket on an event loop: many datagrams per wake-up in, many per system call out.

`UdpSocket` is what the driver talks to, `PolledSocket` the form for loops that can watch a file descriptor.
It reads with one reused buffer and UDP_GRO, writes a `SendRun` with one UDP_SEGMENT call, and carries ECN
marks both ways. Knows nothing of QUIC. RFC 9000 §13.4 (ECN), §14 (sizes).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, final
from weakref import WeakKeyDictionary

from qwire.compiling import mypyc_attr

from ..batch import Address, Datagram, SendBatch, SendRun
from .sockets import (
    IP_RECVERR,
    IP_TOS,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_RECVERR,
    IPV6_TCLASS,
    MSG_ERRQUEUE,
    PLAIN,
    READ_BUFFER,
    SOL_UDP,
    UDP_GRO,
    UDP_SEGMENT,
    Capabilities,
    enable,
    enable_error_queue,
)

# Room for the three integers that may come along: segment size, IPv4 TOS, IPv6 traffic class.
ANCILLARY_SIZE: Final = 3 * socket.CMSG_SPACE(4) if hasattr(socket, "CMSG_SPACE") else 0
# One wake-up takes what is there, within bounds that keep timers and other sockets of the loop alive:
# 128 datagrams are half a millisecond of work.
READS_PER_WAKE_UP: Final = 64
DATAGRAMS_PER_WAKE_UP: Final = 128
# Kinds of loops, and whether they can watch a file descriptor.
CAN_WATCH: Final[WeakKeyDictionary[type[asyncio.AbstractEventLoop], bool]] = WeakKeyDictionary()
# After so many wake-ups in a row that brought one datagram each, the system is not asked for a second one, which costs
# as much as the first: the loop tells of what is left. Now and then it is asked all the same.
LONE_WAKE_UPS: Final = 4
LONE_READS: Final = 16

# struct sock_extended_err of <linux/errqueue.h>: errno, origin, type, code; and the origins that are ICMP.
EXTENDED_ERROR: Final = struct.Struct("=IBBB")
ICMP_ORIGINS: Final = (2, 3)
ERROR_KINDS: Final = ((IPPROTO_IP, IP_RECVERR), (IPPROTO_IPV6, IPV6_RECVERR))
ERROR_SIZE: Final = 512
# What says that an address cannot be reached: by ICMP, by the routing table, or by a filter of this host.
UNREACHABLE: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.ENOPROTOOPT,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
        errno.ECONNRESET,  # Windows' word for a refused port
    }
)

Ancillary = list[tuple[int, int, bytes]]
ReceiveMessage = Callable[[tuple[memoryview, ...], int], tuple[int, Ancillary, int, Any]]
# Where the two bits of ECN are in a control message, which holds a byte or a number of the machine's.
ECN_BYTE: Final = 0 if sys.byteorder == "little" else -1
# Control messages of datagrams that leave, by segment size, mark, and whether IPv6 carries it. All sockets send the
# same few; more than so many sizes are those of a sender that pads at random.
CONTROL_MESSAGES: Final[dict[tuple[int, int, bool], Ancillary]] = {}
MAX_CONTROL_MESSAGES: Final = 256
# What sockets share that have sent everything: nobody may put anything into it.
NO_RUNS: Final[list[SendRun]] = []


def says_unreachable(error: OSError) -> bool:
    """Whether an address cannot be reached; other errors, such as EMSGSIZE, cost a datagram and no more."""
    return error.errno in UNREACHABLE


@mypyc_attr(allow_interpreted_subclasses=True)
class SocketOwner:
    """What a socket reports to."""

    def on_datagrams(self, datagrams: Sequence[Datagram]) -> None:
        """Datagrams of one wake-up, in order of arrival."""
        raise NotImplementedError

    def on_writable(self) -> None:
        """A `send` that returned False has been completed."""
        raise NotImplementedError

    def on_socket_error(self, error: OSError, address: Address | None) -> None:
        """The system says that nobody can be reached at an address; the socket goes on.

        `address` is None where the system does not tell, and for a connected socket, which has only one.
        """
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class UdpSocket:
    """What the driver needs of a socket, whatever the event loop can do.

    Attributes:
        is_connected: the socket has one remote address and hears ICMP errors.
        empty_datagrams: datagrams without payload, which arrived and were dropped.
        failed_sends: datagrams that the system refused to send; for QUIC they are lost.
    """

    def __init__(self, is_connected: bool) -> None:
        self.is_connected = is_connected
        self.empty_datagrams = 0
        self.failed_sends = 0

    @property
    def address(self) -> Address:
        """The local address."""
        raise NotImplementedError

    @property
    def family(self) -> int:
        raise NotImplementedError

    def start(self, owner: SocketOwner) -> None:
        """Begin to deliver datagrams."""
        raise NotImplementedError

    def send(self, batch: SendBatch) -> bool:
        """Send everything in the batch and clear it.

        Returns:
            False when the system's buffer is full: the rest is kept, and nothing more should be sent before
            `SocketOwner.on_writable`.
        """
        raise NotImplementedError

    def watch_errors(self) -> None:
        """Report errors with the address they are about, if the platform can tell."""

    def close(self) -> None:
        """Close the socket; what is still kept is dropped."""
        raise NotImplementedError


@final
class PolledSocket(UdpSocket):
    """A socket that the loop watches with `add_reader`.

    Args:
        sock: non-blocking and bound; owned from here on.
        is_connected: whether `sock` is connected.
        offload: False leaves segmentation, receive offload and ECN alone.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        *,
        is_connected: bool = False,
        offload: bool = True,
    ) -> None:
        super().__init__(is_connected)
        self._loop = loop
        self._socket = sock
        address: Address = sock.getsockname()
        self._address = address
        self._owner: SocketOwner | None = None
        self._unsent = NO_RUNS
        self._is_ipv6 = len(address) == 4  # `socket.family` is made an enumeration each time
        self.capabilities: Capabilities = enable(sock, self._is_ipv6) if offload else PLAIN
        self._segmentation = self.capabilities.segmentation
        self._has_error_queue = False
        self._lone = 0  # wake-ups in a row that brought one datagram
        self._buffer = READ_BUFFER.view
        self._buffers = (READ_BUFFER.view,)
        self._receive: ReceiveMessage | None = getattr(sock, "recvmsg_into", None)

    @property
    def address(self) -> Address:
        return self._address

    @property
    def family(self) -> int:
        return self._socket.family

    @property
    def has_segmentation(self) -> bool:
        """Whether runs leave in one call; False once the system has refused one that went through in parts."""
        return self._segmentation

    def start(self, owner: SocketOwner) -> None:
        self._owner = owner
        self._loop.add_reader(self._socket.fileno(), self._on_readable)

    def watch_errors(self) -> None:
        if not self.is_connected and not self._has_error_queue:
            self._has_error_queue = enable_error_queue(self._socket)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._unsent = NO_RUNS
        self._socket.close()

    def _on_readable(self) -> None:
        assert self._owner is not None, "started"
        datagrams: list[Datagram] = []
        failure: OSError | None = None
        receive = self._receive
        reads = 0
        most = 1 if LONE_WAKE_UPS <= self._lone else READS_PER_WAKE_UP
        while reads < most:
            try:
                if receive is not None:
                    self._read_message(receive, datagrams)
                else:
                    self._read_plain(datagrams)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                failure = error  # an ICMP message about something sent earlier: there may be more to read
                most = READS_PER_WAKE_UP
            reads += 1
            if len(datagrams) >= DATAGRAMS_PER_WAKE_UP:
                break
        self._lone = self._lone + 1 if reads == 1 == len(datagrams) else 0
        if self._lone == LONE_WAKE_UPS + LONE_READS:
            self._lone = LONE_WAKE_UPS - 1
        if datagrams:
            self._owner.on_datagrams(datagrams)
        if datagrams and failure is None:
            return
        self._watch_again()
        if self._has_error_queue:
            self._read_errors()
        elif failure is not None:
            self._report(failure, None)

    def _watch_again(self) -> None:
        """Renew the watch after an error: libuv, under uvloop, goes deaf to a descriptor that has reported one."""
        number = self._socket.fileno()
        if number < 0:  # whoever got the datagrams has closed it
            return
        self._loop.remove_reader(number)
        self._loop.add_reader(number, self._on_readable)
        if self._unsent:
            self._loop.remove_writer(number)
            self._loop.add_writer(number, self._on_send_ready)

    def _read_errors(self) -> None:
        """Empty the error queue; the loop would wake us for ever while there is something in it."""
        for _ in range(READS_PER_WAKE_UP):
            try:
                _, ancillary, _, address = self._socket.recvmsg(1, ERROR_SIZE, MSG_ERRQUEUE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an error that is pending beside the queue; reading it has cleared it
                if self._socket.fileno() < 0:
                    return
                continue
            for level, kind, value in ancillary:
                if (level, kind) in ERROR_KINDS and len(value) >= EXTENDED_ERROR.size:
                    number, origin, _, _ = EXTENDED_ERROR.unpack_from(value)
                    if origin in ICMP_ORIGINS:
                        self._report(OSError(number, os.strerror(number)), address)

    def _report(self, error: OSError, address: Address | None) -> None:
        if self._owner is not None and says_unreachable(error):
            self._owner.on_socket_error(error, address)

    def _read_plain(self, datagrams: list[Datagram]) -> None:
        size, address = self._socket.recvfrom_into(self._buffer)
        if size:
            datagrams.append(Datagram(bytes(self._buffer[:size]), address, 0))
        else:
            self.empty_datagrams += 1

    def _read_message(self, receive: ReceiveMessage, datagrams: list[Datagram]) -> None:
        size, ancillary, _, address = receive(self._buffers, ANCILLARY_SIZE)
        if not size:
            self.empty_datagrams += 1
            return
        segment_size = size
        ecn = 0
        for level, kind, value in ancillary:
            if (level == IPPROTO_IP and kind == IP_TOS) or (level == IPPROTO_IPV6 and kind == IPV6_TCLASS):
                if value:
                    ecn = value[ECN_BYTE] & 3
            elif level == SOL_UDP and kind == UDP_GRO:
                segment_size = int.from_bytes(value, sys.byteorder) or size
        buffer = self._buffer
        if size <= segment_size:
            datagrams.append(Datagram(bytes(buffer[:size]), address, ecn))
            return
        data = bytes(buffer[:size])  # cheaper to cut up than the view
        datagrams += [
            Datagram(data[start : start + segment_size], address, ecn)
            for start in range(0, size, segment_size)
        ]

    def send(self, batch: SendBatch) -> bool:
        if self._unsent:
            self._unsent.extend(batch.runs)
            batch.clear()
            return False
        runs = batch.runs
        for index, run in enumerate(runs):
            if not self._send_run(run):
                self._unsent = runs[index:]
                self._loop.add_writer(self._socket.fileno(), self._on_send_ready)
                break
        batch.clear()
        return not self._unsent

    def _on_send_ready(self) -> None:
        unsent = self._unsent
        while unsent:
            if not self._send_run(unsent[0]):
                return
            del unsent[0]
        self._loop.remove_writer(self._socket.fileno())
        if self._owner is not None:
            self._owner.on_writable()

    def _send_run(self, run: SendRun) -> bool:
        """Send one run; False when the system's buffer is full, with what is left still in the run."""
        if not self._segmentation or len(run.parts) == 1:
            return self._send_parts(run)
        address = None if self.is_connected else run.address
        ancillary = self._ancillary(run, run.segment_size)
        for is_last_try in (False, True):
            try:
                self._socket.sendmsg(run.parts, ancillary, 0, address)
                return True
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP):
                    break
                if is_last_try or not self._is_stale(error):
                    self._on_send_error(error, address, len(run.parts))
                    return True
        # Refused as one: either the path does not take this size, which sending in parts shows again, or
        # segmentation does not work on this path's device (quirk of drivers without checksum offload: EIO).
        failed_before = self.failed_sends
        is_done = self._send_parts(run)
        if self.failed_sends == failed_before:
            self._segmentation = False
        return is_done

    def _send_parts(self, run: SendRun) -> bool:
        """Send the datagrams of a run one by one; what was sent leaves the run."""
        address = None if self.is_connected else run.address
        ancillary = self._ancillary(run, 0) if run.ecn and self.capabilities.ecn else None
        for sent, part in enumerate(run.parts):
            for is_last_try in (False, True):
                try:
                    if ancillary is not None:
                        self._socket.sendmsg((part,), ancillary, 0, address)
                    elif address is None:
                        self._socket.send(part)
                    else:
                        self._socket.sendto(part, address)
                    break
                except (BlockingIOError, InterruptedError):
                    del run.parts[:sent]
                    return False
                except OSError as error:
                    if is_last_try or not self._is_stale(error):
                        self._on_send_error(error, address, 1)
                        break
        return True

    def _is_stale(self, error: OSError) -> bool:
        """Whether the error may belong to an earlier datagram: the system delivers ICMP errors on the next call."""
        if error.errno != errno.ECONNREFUSED:
            return False
        if not self._has_error_queue:
            self._report(error, None)
        return True

    def _on_send_error(self, error: OSError, address: Address | None, count: int) -> None:
        # Never fatal: a datagram too large for the path or without a route is a lost datagram (RFC 9002, RFC 8899).
        self.failed_sends += count
        if error.errno != errno.ECONNREFUSED:
            self._report(error, address)

    def _ancillary(self, run: SendRun, segment_size: int) -> Ancillary:
        """Control messages: `segment_size` of 0 asks for none of that kind."""
        ecn = run.ecn if self.capabilities.ecn else 0
        # A dual-stack socket marks IPv4 packets through the IPv4 option.
        is_ipv6 = self._is_ipv6 and not (ecn and run.address[0].startswith("::ffff:"))
        key = (segment_size, ecn, is_ipv6)
        ancillary = CONTROL_MESSAGES.get(key)
        if ancillary is None:
            ancillary = []
            if segment_size:
                ancillary.append((SOL_UDP, UDP_SEGMENT, struct.pack("=H", segment_size)))
            if ecn and is_ipv6:
                ancillary.append((IPPROTO_IPV6, IPV6_TCLASS, struct.pack("=i", ecn)))
            elif ecn:
                ancillary.append((IPPROTO_IP, IP_TOS, struct.pack("=i", ecn)))
            if len(CONTROL_MESSAGES) >= MAX_CONTROL_MESSAGES:
                CONTROL_MESSAGES.clear()
            CONTROL_MESSAGES[key] = ancillary
        return ancillary


async def wrap_socket(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, *, is_connected: bool
) -> UdpSocket:
    """The best `UdpSocket` that the loop can run."""
    kind = type(loop)
    if kind not in CAN_WATCH:
        CAN_WATCH[kind] = _can_watch(loop, sock)
    if not CAN_WATCH[kind]:
        from .udp_transport import TransportSocket  # all loops can, but for that of Windows

        return await TransportSocket.open(loop, sock, is_connected=is_connected)
    return PolledSocket(loop, sock, is_connected=is_connected)


def _can_watch(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bool:
    try:
        loop.add_reader(sock.fileno(), lambda: None)
    except NotImplementedError:
        return False
    loop.remove_reader(sock.fileno())
    return True
