"""Bulk transfer between two engines without sockets: µs of CPU per packet for each step.

python packages/qcore/bench/bench_transfer.py [MIB]
"""

import sys
import time

from qcore.batch import SendBatch
from qcore.config import QuicConfig
from qcore.testing import LinkConfig, Pair


def main() -> None:
    size = int(sys.argv[1]) << 20 if len(sys.argv) > 1 else 30 << 20
    config = QuicConfig(send_buffer=64 << 20, stream_window=16 << 20, connection_window=24 << 20)
    pair = Pair(
        client_config=config,
        server_config=config,
        to_server=LinkConfig(delay=0.0005),
        to_client=LinkConfig(delay=0.0005),
    )
    pair.run_until(lambda: pair.client.is_confirmed)
    pair.run_for(1.0)
    client, server = pair.client, pair.server
    assert server is not None
    stream = client.open_stream()
    client.send(stream, bytes(size), True)
    spent = {"build": 0.0, "open": 0.0, "make ack": 0.0, "take ack": 0.0}
    packets = acks = received = 0
    now = pair.now
    batch = SendBatch()
    clock = time.process_time
    while received < size:
        now += 0.0005
        begin = clock()
        if client.next_timeout() <= now:
            client.handle_timeout(now)
        client.transmit(now, batch)
        spent["build"] += clock() - begin
        datagrams = batch.datagrams()
        batch.clear()
        packets += len(datagrams)
        begin = clock()
        if server.next_timeout() <= now:
            server.handle_timeout(now)
        server.receive(datagrams, now)
        if server.events():
            received += len(server.read(stream)[0])
        spent["open"] += clock() - begin
        begin = clock()
        server.transmit(now, batch)
        spent["make ack"] += clock() - begin
        datagrams = batch.datagrams()
        batch.clear()
        acks += len(datagrams)
        begin = clock()
        client.receive(datagrams, now)
        client.events()
        spent["take ack"] += clock() - begin
    for name, seconds in spent.items():
        print(f"{name:10} {seconds / packets * 1e6:6.2f} µs per data packet")
    sender = spent["build"] + spent["take ack"]
    receiver = spent["open"] + spent["make ack"]
    print(f"{packets} packets, {acks} datagrams with ACKs, {size >> 20} MiB")
    print(f"sender {sender / size * 1e9:.1f} s/GB, receiver {receiver / size * 1e9:.1f} s/GB")


if __name__ == "__main__":
    main()
