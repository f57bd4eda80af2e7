"""Bulk transfer between two engines without sockets: µs for each packet and step, and s/GB on each side.

python packages/qcore/bench/bench_transfer.py [PACKETS]

Figures are those of the quietest tenth of the batches.
"""

import sys
import time

from qcore.testing.transfer import Transfer


def main() -> None:
    packets = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    transfer = Transfer(clock=time.perf_counter)
    transfer.run(packets)
    spent = {step: sorted(found)[len(found) // 10] * 1e6 for step, found in transfer.spent.items()}
    for step, microseconds in spent.items():
        print(f"{step:10} {microseconds:6.2f} µs per data packet")
    data = transfer.data / transfer.packets
    sender = (spent["build"] + spent["take ack"]) * 1000 / data
    receiver = (spent["open"] + spent["read"] + spent["make ack"]) * 1000 / data
    print(f"sender {sender:.1f} s/GB, receiver {receiver:.1f} s/GB, {data:.0f} bytes of data in a packet")


if __name__ == "__main__":
    main()
