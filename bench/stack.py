"""What a stack must be able to do to be measured, and the conditions that are the same for all."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, Protocol

Application = Literal["h3", "bench"]

# The UDP payload of everybody: 1,500 bytes less the headers of IPv6 and UDP. What loopback could carry beyond it
# flatters loopback and nothing else.
DATAGRAM_SIZE: Final = 1_452
WINDOW: Final = 32 << 20
# Connections that wait for others to be made must not fall asleep.
IDLE_TIMEOUT: Final = 600.0
MAX_STREAMS: Final = 1_024
SOCKET_BUFFER: Final = 4 << 20
HOST: Final = "127.0.0.1"
NAME: Final = "localhost"
# A body is handed over in pieces; the whole at once is slower for every stack.
PIECE: Final = 256 << 10
# DATAGRAMs under way at most, and after how many a receiver says that it has them.
FLIGHT: Final = 512
CREDIT: Final = 64


@lru_cache(maxsize=16)
def body(size: int) -> bytes:
    """What a server answers with: it has it, as one that serves files would. To make it anew would be measured, too."""
    return bytes(size)


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority, a chain for `NAME` and its key."""

    authority: Path
    chain: Path
    key: Path


class Link(Protocol):
    """A client's connection."""

    async def get(self, size: int) -> None:
        """Ask for a body of `size` bytes over HTTP/3 and read all of it."""
        ...

    async def post(self, size: int) -> None:
        """Send a body of `size` bytes over HTTP/3 and wait for the answer."""
        ...

    async def pull(self, size: int) -> None:
        """Have `size` bytes sent on a stream without HTTP."""
        ...

    async def push(self, size: int) -> None:
        """Send `size` bytes on a stream without HTTP and wait for the answer."""
        ...

    async def flood(self, count: int, size: int) -> int:
        """Send `count` DATAGRAMs, at most `FLIGHT` ahead of the receiver; gives how many were lost."""
        ...


class Stack(Protocol):
    """An implementation."""

    def serve(self, certificates: Certificates) -> AbstractAsyncContextManager[int]:
        """Serve both applications on the loopback; gives the port."""
        ...

    def dial(
        self, port: int, certificates: Certificates, application: Application
    ) -> AbstractAsyncContextManager[Link]:
        """Connect with a full handshake, with X25519 and no session of an earlier one. All share a configuration."""
        ...


def check(received: int, expected: int) -> None:
    """A stack that loses bytes is not fast."""
    if received != expected:
        raise RuntimeError(f"{received} bytes arrived instead of {expected}")
