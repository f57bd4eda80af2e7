"""What the primitives alone cost per packet on this machine: no Python stack can be cheaper.

A packet is sealed, masked and handed to the kernel; or taken from it, unmasked and opened. AEAD and header protection
are those of AES-128-GCM, the system calls carry as many packets as they can.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .stack import DATAGRAM_SIZE, HOST, SOCKET_BUFFER

# Stream bytes in a full packet: less a short header, a STREAM header and the tag.
STREAM_SIZE: Final = DATAGRAM_SIZE - 1 - 8 - 4 - 9 - 16
BURST: Final = 44
SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104
REPEATS: Final = 5


@dataclass(frozen=True)
class Floor:
    """Microseconds of CPU per packet."""

    seal: float
    open: float
    mask: float
    send: float
    receive: float
    is_batched: bool

    @property
    def sender(self) -> float:
        """CPU-seconds per GB of stream data that leave at least."""
        return (self.seal + self.mask + self.send) / STREAM_SIZE * 1e3

    @property
    def receiver(self) -> float:
        """CPU-seconds per GB of stream data that arrive at least."""
        return (self.open + self.mask + self.receive) / STREAM_SIZE * 1e3


def measure(scale: float = 1.0) -> Floor:
    """Time the primitives; the best of some tries each."""
    count = max(BURST, round(4_000 * scale))
    key = secrets.token_bytes(16)
    aead = AESGCM(key)
    nonce, header, payload = secrets.token_bytes(12), secrets.token_bytes(13), bytes(STREAM_SIZE + 9)
    sealed = aead.encrypt(nonce, payload, header)
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    samples = secrets.token_bytes(16 * BURST)
    send, receive, is_batched = _sockets(max(2, count // BURST))
    return Floor(
        seal=_best(lambda: aead.encrypt(nonce, payload, header), count),
        open=_best(lambda: aead.decrypt(nonce, sealed, header), count),
        mask=_best(lambda: ecb.update(samples), count) / BURST,
        send=send,
        receive=receive,
        is_batched=is_batched,
    )


def _best(action: Callable[[], object], count: int) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        begun = time.process_time()
        for _ in range(count):
            action()
        best = min(best, time.process_time() - begun)
    return best / count * 1e6


def _sockets(bursts: int) -> tuple[float, float, bool]:
    # Bursts over the loopback, one at a time: nothing is lost.
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        receiver.bind((HOST, 0))
        receiver.setblocking(False)
        sender.connect(receiver.getsockname())
        parts = [bytes(DATAGRAM_SIZE)] * BURST
        ancillary: list[tuple[int, int, bytes]] = []
        try:
            receiver.setsockopt(SOL_UDP, UDP_GRO, 1)
            ancillary.append((SOL_UDP, UDP_SEGMENT, struct.pack("=H", DATAGRAM_SIZE)))
            sender.sendmsg(parts, ancillary)
        except (OSError, AttributeError):
            ancillary = []
        buffer = bytearray(65_535)
        best_send = best_receive = float("inf")
        for _ in range(REPEATS):
            sending = receiving = 0.0
            for _ in range(bursts):
                begun = time.process_time()
                if ancillary:
                    sender.sendmsg(parts, ancillary)
                else:
                    for part in parts:
                        sender.send(part)
                sent = time.process_time()
                try:
                    while True:
                        if ancillary:
                            receiver.recvmsg_into([buffer], socket.CMSG_SPACE(4))
                        else:
                            receiver.recv_into(buffer)
                except BlockingIOError:
                    pass
                sending += sent - begun
                receiving += time.process_time() - sent
            best_send = min(best_send, sending)
            best_receive = min(best_receive, receiving)
    packets = bursts * BURST
    return best_send / packets * 1e6, best_receive / packets * 1e6, bool(ancillary)
