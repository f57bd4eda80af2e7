"""What one packet costs in acknowledgement handling, on both sides, by packets in flight.

    python packages/qcore/bench/bench_ack.py [ROUNDS]

Each round fills the flight, then sends and acknowledges in batches of 32 as a bulk transfer does. The columns are
microseconds per packet, best of the rounds: they should not grow from left to right.
"""

import sys
import time
from typing import Final

from qcore.ackhandler.history import SentPacket
from qcore.ackhandler.packet_numbers import separate
from qcore.ackhandler.received import ReceivedPacketHandler
from qcore.ackhandler.rtt import RttEstimator
from qcore.ackhandler.send_mode import SendMode
from qcore.ackhandler.sent import SentPacketHandler
from qcore.congestion import make
from qcore.congestion.pacer import Pacer
from qcore.packing.source import FrameSource
from qcore.spaces import APPLICATION
from qwire.frames import AckFrame, StreamFrame

FLIGHTS: Final = (50, 1_000, 10_000)
BATCH: Final = 32
PACKETS: Final = 20_000
SIZE: Final = 1_350
RTT: Final = 0.05


def sender() -> SentPacketHandler:
    """A handler whose window never stops it."""
    congestion = make("cubic", SIZE)
    congestion.window = 1 << 26
    handler = SentPacketHandler(
        is_client=True,
        rtt=RttEstimator(),
        congestion=congestion,
        pacer=Pacer(SIZE, 32),
        numbers=separate(),
    )
    handler.set_handshake_confirmed()
    return handler


def send(handler: SentPacketHandler, frame: StreamFrame, owner: FrameSource, now: float) -> None:
    """One packet as the transmitter sends it."""
    if handler.send_mode(now) is not SendMode.NONE:
        number = handler.next_packet_number(APPLICATION)
        handler.on_packet_sent(SentPacket(number, APPLICATION, now, SIZE, True, True, [(frame, owner)]), now)


def measure_sender(flight: int, lose_every: int) -> tuple[float, float]:
    """Microseconds to send one packet, and to take the ACK of one, with `flight` packets outstanding."""
    handler = sender()
    frame = StreamFrame(0, 0, b"", False)
    owner = FrameSource()
    now = 0.0
    for _ in range(flight):
        send(handler, frame, owner, now)
    sending = acknowledging = 0
    acked = -1
    for _ in range(PACKETS // BATCH):
        now += RTT * BATCH / flight
        start = time.perf_counter_ns()
        for _ in range(BATCH):
            send(handler, frame, owner, now)
        handler.next_timeout()
        middle = time.perf_counter_ns()
        acked += BATCH
        ranges = ranges_up_to(acked, lose_every)
        before = time.perf_counter_ns()
        handler.on_ack(APPLICATION, AckFrame(ranges, 0), now)
        handler.next_timeout()
        acknowledging += time.perf_counter_ns() - before
        sending += middle - start
    return sending / PACKETS / 1000, acknowledging / PACKETS / 1000


def ranges_up_to(largest: int, lose_every: int) -> list[tuple[int, int]]:
    """An ACK of all up to `largest`, or of the last few runs between lost packets."""
    if not lose_every:
        return [(0, largest)]
    ranges: list[tuple[int, int]] = []
    while largest >= 0 and len(ranges) < 16:
        first = largest - largest % lose_every + 1
        if first <= largest:
            ranges.append((first, largest))
        largest = first - 2
    return ranges


def measure_receiver(lose_every: int) -> float:
    """Microseconds to take note of one packet, with an ACK for each batch."""
    handler = ReceivedPacketHandler(APPLICATION)
    now = 0.0
    number = 0
    start = time.perf_counter_ns()
    for _ in range(PACKETS // BATCH):
        now += 0.001
        for _ in range(BATCH):
            number += 1
            if lose_every and number % lose_every == 0:
                number += 1
            if not handler.is_duplicate(number):
                handler.on_received(number, True, now)
        if handler.has_frames(APPLICATION):
            frame = handler.ack_frame(now)
            handler.on_ack_sent()
            if frame is not None and number % 128 < BATCH:
                handler.on_acked(frame)
    return (time.perf_counter_ns() - start) / PACKETS / 1000


def main() -> None:
    """Print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"{'us per packet':24}" + "".join(f"{flight:>12,}" for flight in FLIGHTS))
    for name, lose_every in (("no loss", 0), ("1 % lost", 100)):
        best = [
            [
                min(column)
                for column in zip(*[measure_sender(flight, lose_every) for _ in range(rounds)], strict=True)
            ]
            for flight in FLIGHTS
        ]
        print(f"{'send, ' + name:24}" + "".join(f"{row[0]:12.2f}" for row in best))
        print(f"{'take ACK, ' + name:24}" + "".join(f"{row[1]:12.2f}" for row in best))
    for name, lose_every in (("no loss", 0), ("1 % lost", 100)):
        print(f"{'receive, ' + name:24}{min(measure_receiver(lose_every) for _ in range(rounds)):12.2f}")


if __name__ == "__main__":
    main()
