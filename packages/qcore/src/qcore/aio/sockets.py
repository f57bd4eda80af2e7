"""Opening UDP sockets the way QUIC wants them, and telling what the platform can do.

Owns socket options and nothing else: no event loop, no reading, no writing. What cannot be had is left out:
a socket without segmentation offload, ECN or large buffers is slower, not broken.
"""

from __future__ import annotations

import socket
import sys
import threading
from typing import Final, final

from ..batch import Address

IPPROTO_IP: Final = socket.IPPROTO_IP
IPPROTO_IPV6: Final = socket.IPPROTO_IPV6
# Linux numbers, <linux/udp.h>, <linux/in.h> and <linux/in6.h>; the socket module does not name all of them.
SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104
IP_TOS: Final = 1
IP_RECVTOS: Final = 13
IPV6_RECVTCLASS: Final = 66
IPV6_TCLASS: Final = 67
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25
MSG_ERRQUEUE: Final = 0x2000

# RFC 9000 §14: datagrams must not be fragmented. On Linux PROBE sets the bit and leaves the MTU to us (RFC 8899).
DONT_FRAGMENT: Final[dict[str, tuple[tuple[int, int, int], ...]]] = {
    "linux": ((IPPROTO_IP, 10, 3), (IPPROTO_IPV6, 23, 3)),
    "darwin": ((IPPROTO_IP, 28, 1), (IPPROTO_IPV6, 62, 1)),
    "win32": ((IPPROTO_IP, 14, 1), (IPPROTO_IPV6, 14, 1)),
}
# A burst must fit: 4 MiB is what an unprivileged process may ask for on common systems, and about 20 ms at 200 MB/s.
BUFFER_SIZE: Final = 4 << 20
# The largest UDP payload; UDP_GRO fills at most this much as well.
READ_SIZE: Final = 65_535
# To bind to one of these, and to any port, is what connecting does by itself.
UNSPECIFIED: Final = ("::", "0.0.0.0")


@final
class Capabilities:
    """What one socket can do beyond `sendto` and `recvfrom`."""

    __slots__ = ("ecn", "receive_offload", "segmentation")

    def __init__(self, segmentation: bool, receive_offload: bool, ecn: bool) -> None:
        self.segmentation = segmentation
        self.receive_offload = receive_offload
        self.ecn = ecn


PLAIN: Final = Capabilities(False, False, False)


class ReadBuffer(threading.local):
    """Where datagrams arrive before they are copied: one for all sockets of a thread, for only one is read at a time."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_SIZE))


READ_BUFFER: Final = ReadBuffer()


def open_socket(local: Address, remote: Address | None = None, *, shares_port: bool = False) -> socket.socket:
    """A bound non-blocking UDP socket; connected when `remote` is given, one of several on a port with `shares_port`.

    A connected socket hears of a refused port; one that is not cannot be told by the system. A socket bound
    to "::" takes IPv4 as well, with mapped addresses; where there is no IPv6, "::" becomes "0.0.0.0".

    Raises:
        OSError: the address cannot be bound, or there is no route to `remote`.
    """
    if ":" not in local[0]:
        return _open(socket.AF_INET, local[:2], remote, shares_port)
    try:
        return _open(socket.AF_INET6, local, remote, shares_port)
    except OSError:
        if local[0] != "::" or remote is not None or has_ipv6():
            raise
    return _open(socket.AF_INET, ("0.0.0.0", local[1]), None, shares_port)


def has_ipv6() -> bool:
    """Whether an IPv6 socket can be bound on this host at all."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _open(
    family: int, local: tuple[str | int, ...], remote: Address | None, shares_port: bool
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if shares_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if local[0] == "::" else 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            _try_option(sock, socket.SOL_SOCKET, option, BUFFER_SIZE)
        for level, option, value in DONT_FRAGMENT.get(sys.platform, ()):
            if level == IPPROTO_IP or family == socket.AF_INET6:
                _try_option(sock, level, option, value)
        if remote is None or local[0] not in UNSPECIFIED or local[1]:
            sock.bind(local)
        if remote is not None:
            sock.connect(remote)  # binds, too, where that was left to the system
    except BaseException:
        sock.close()
        raise
    return sock


def enable(sock: socket.socket, is_ipv6: bool) -> Capabilities:
    """Switch on what the platform offers: segmentation, receive offload, ECN marks in both directions."""
    if sys.platform != "linux":
        return PLAIN
    # A dual-stack socket delivers the marks of IPv4 packets through the IPv4 option.
    ecn = _try_option(sock, IPPROTO_IP, IP_RECVTOS, 1)
    if is_ipv6:
        ecn = _try_option(sock, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) and ecn
    return Capabilities(
        segmentation=_try_option(sock, SOL_UDP, UDP_SEGMENT, 0),
        receive_offload=_try_option(sock, SOL_UDP, UDP_GRO, 1),
        ecn=ecn,
    )


def enable_error_queue(sock: socket.socket) -> bool:
    """Have ICMP errors queued with the address they are about; tells whether the platform does that."""
    if sys.platform != "linux" or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    is_enabled = _try_option(sock, IPPROTO_IP, IP_RECVERR, 1)
    if sock.family == socket.AF_INET6:
        is_enabled = _try_option(sock, IPPROTO_IPV6, IPV6_RECVERR, 1) and is_enabled
    return is_enabled


def _try_option(sock: socket.socket, level: int, option: int, value: int) -> bool:
    try:
        sock.setsockopt(level, option, value)
    except OSError:
        return False
    return True
