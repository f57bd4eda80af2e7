"""What a packet of bulk transfer costs as a connection grows: µs on each side, and the ratio to the first row.

python packages/qcore/bench/bench_growth.py [PACKETS]
"""

import sys
import time
from typing import Final

from qcore.testing.transfer import Transfer

IN_FLIGHT: Final = (100, 1_000, 10_000)
STREAMS: Final = (1, 10, 100, 1_000)


def measure(packets: int, streams: int, in_flight: int) -> tuple[float, float]:
    """Microseconds for one packet, sender and receiver, in the quietest tenth of the batches."""
    transfer = Transfer(streams=streams, in_flight=in_flight, clock=time.perf_counter)
    transfer.run(in_flight)
    transfer.run(packets)
    spent = {step: sorted(found)[len(found) // 10] * 1e6 for step, found in transfer.spent.items()}
    return spent["build"] + spent["take ack"], spent["open"] + spent["read"] + spent["make ack"]


def show(title: str, rows: list[tuple[int, tuple[float, float]]]) -> None:
    print(f"{title:20} {'sender':>9} {'receiver':>9} {'ratios':>12}")
    first = rows[0][1]
    for name, (sender, receiver) in rows:
        ratios = f"{sender / first[0]:.2f} {receiver / first[1]:.2f}"
        print(f"{name:20,} {sender:6.2f} µs {receiver:6.2f} µs {ratios:>12}")


def main() -> None:
    packets = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    show("packets in flight", [(count, measure(packets, 1, count)) for count in IN_FLIGHT])
    show("streams", [(count, measure(packets, count, 100)) for count in STREAMS])


if __name__ == "__main__":
    main()
