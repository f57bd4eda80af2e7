"""Datagrams in and out, in batches.

What an engine takes and gives in one call. A `SendRun` has the shape that one system call can carry with UDP
segmentation offload: equal sizes, of which only the last may be shorter.
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]

# Linux takes at most 64 segments and 65,507 bytes of payload in one UDP_SEGMENT call.
MAX_SEGMENTS: Final = 64
MAX_RUN_SIZE: Final = 65_000


@final
class Datagram:
    """One UDP payload with the peer's address, its ECN mark (0–3), and the local socket: 0 is the first one."""

    __slots__ = ("address", "data", "ecn", "local")

    def __init__(self, data: bytes, address: Address, ecn: int = 0, local: int = 0) -> None:
        self.data = data
        self.address = address
        self.ecn = ecn
        self.local = local


@final
class SendRun:
    """Datagrams from one socket to one address with one ECN mark, all `segment_size` bytes long but the last."""

    __slots__ = ("address", "ecn", "is_open", "local", "parts", "segment_size", "total")

    def __init__(self, address: Address, ecn: int, data: bytes, local: int = 0) -> None:
        self.address = address
        self.ecn = ecn
        self.local = local
        self.segment_size = len(data)
        self.parts = [data]
        self.total = len(data)
        self.is_open = True


@final
class SendBatch:
    """What one pass of sending produced: at most `limit` datagrams, in order; `size` is their bytes in all."""

    __slots__ = ("count", "limit", "runs", "size")

    def __init__(self, limit: int = MAX_SEGMENTS) -> None:
        self.runs: list[SendRun] = []
        self.count = 0
        self.size = 0
        self.limit = limit

    @property
    def full(self) -> bool:
        return self.count >= self.limit

    def add(self, address: Address, ecn: int, data: bytes, local: int = 0) -> None:
        """Queue a datagram; it joins the last run when one system call can carry both."""
        size = len(data)
        self.count += 1
        self.size += size
        if self.runs:
            run = self.runs[-1]
            if (
                run.is_open
                and size <= run.segment_size
                and run.ecn == ecn
                and run.total + size <= MAX_RUN_SIZE
                and len(run.parts) < MAX_SEGMENTS
                and run.local == local
                and run.address == address
            ):
                run.parts.append(data)
                run.total += size
                run.is_open = size == run.segment_size
                return
        self.runs.append(SendRun(address, ecn, data, local))

    def add_all(self, address: Address, ecn: int, datagrams: list[bytes], local: int = 0) -> None:
        """Queue datagrams; those of one size, which one system call can carry, cost little."""
        first = 0
        while first < len(datagrams):
            self.add(address, ecn, datagrams[first], local)
            first += 1
            run = self.runs[-1]
            if not run.is_open:
                continue
            size = run.segment_size
            most = min(MAX_SEGMENTS - len(run.parts), (MAX_RUN_SIZE - run.total) // max(size, 1))
            count = 0
            while count < most and first + count < len(datagrams) and len(datagrams[first + count]) == size:
                count += 1
            run.parts += datagrams[first : first + count]
            run.total += count * size
            self.count += count
            self.size += count * size
            first += count

    def datagrams(self) -> list[Datagram]:
        """The same, one by one, for networks that do not know runs."""
        return [Datagram(part, run.address, run.ecn, run.local) for run in self.runs for part in run.parts]

    def clear(self) -> None:
        self.runs.clear()
        self.count = 0
        self.size = 0
