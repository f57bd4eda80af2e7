"""Microseconds per packet of the hot codecs, best of several runs.

python packages/qwire/bench/bench_frames.py
"""

import timeit
from collections.abc import Callable

from qwire.buffer import Writer
from qwire.constants import VERSION_1, PacketType
from qwire.frames import AckFrame, CryptoFrame, Frame, PaddingFrame, PingFrame, StreamFrame, parse_frames
from qwire.headers import append_long_header, append_short_header, parse_long_header

RUNS = 7
LOOPS = 20_000
CASES: tuple[tuple[str, list[Frame]], ...] = (
    ("STREAM, 1,150 bytes", [StreamFrame(4, 100_000, bytes(1150), False)]),
    ("ACK, one range", [AckFrame([(10_000, 20_000)], 30)]),
    ("ACK, 16 ranges", [AckFrame([(n, n + 3) for n in range(1000, 1160, 10)][::-1], 30)]),
    ("CRYPTO, 1,000 bytes", [CryptoFrame(0, bytes(1000))]),
    (
        "Initial of a browser: 8 CRYPTO, 4 PING, 5 PADDING",
        [
            frame
            for n in range(8)
            for frame in (
                CryptoFrame(n * 140, bytes(140)),
                *([PingFrame()] if n % 2 else []),
                *([PaddingFrame(5)] if n < 5 else []),
            )
        ],
    ),
)


def best(work: Callable[[], object]) -> float:
    """Microseconds of one call."""
    return min(timeit.repeat(work, number=LOOPS, repeat=RUNS)) / LOOPS * 1e6


def append_all(frames: list[Frame]) -> None:
    """Write the frames of one packet."""
    writer = Writer()
    for frame in frames:
        frame.append(writer)


def main() -> None:
    """Print a table: append and parse."""
    print(f"{'':52}{'append':>8}{'parse':>8}")
    for name, frames in CASES:
        writer = Writer()
        for frame in frames:
            frame.append(writer)
        payload = writer.getvalue()
        append = best(lambda frames=frames: append_all(frames))  # type: ignore[misc]  # bound per row
        parse = best(lambda payload=payload: parse_frames(payload, PacketType.ONE_RTT))  # type: ignore[misc]
        print(f"{name:52}{append:8.2f}{parse:8.2f}")

    cid = bytes(8)
    writer = Writer()
    append_long_header(writer, PacketType.INITIAL, VERSION_1, cid, cid, b"", 1, 2, 1200)
    datagram = writer.getvalue() + bytes(1200)
    append = best(
        lambda: append_long_header(Writer(), PacketType.INITIAL, VERSION_1, cid, cid, b"", 1, 2, 1200)
    )
    print(f"{'long header':52}{append:8.2f}{best(lambda: parse_long_header(datagram)):8.2f}")
    append = best(lambda: append_short_header(Writer(), cid, 70_000, 2, False, False))
    print(f"{'short header':52}{append:8.2f}{'':>8}")


if __name__ == "__main__":
    main()
