"""Honest traffic, changed under way: whatever arrives, engines answer with a close, a reset or patience."""

import random

import pytest

from qhttp3.config import H3Config
from qhttp3.errors import UsageError
from qhttp3.events import DataReadable, Field
from qhttp3.qpack import EncoderPolicy, Insert
from qhttp3.testing import MemoryTransport, Pair

POST: list[Field] = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/"),
]


def change(transport: MemoryTransport, rng: random.Random) -> None:
    waiting = [stream for stream in transport.outgoing.values() if stream.data]
    if not waiting:
        return
    data = rng.choice(waiting).data
    position = rng.randrange(len(data))
    kind = rng.randrange(3)
    if kind == 0:
        data[position] = rng.randrange(256)
    elif kind == 1:
        del data[position]
    else:
        data[position:position] = rng.randbytes(rng.randrange(1, 5))


def use(pair: Pair, rng: random.Random) -> None:
    if rng.random() < 0.3:
        field = (b"x-%d" % rng.randrange(4), b"%d" % rng.randrange(4))
        stream_id = pair.client.send_request([*POST, field])
        if stream_id is not None:
            pair.client.send_data(stream_id, rng.randbytes(rng.randrange(200)), rng.random() < 0.7)


def answer(pair: Pair, stream_id: int, rng: random.Random) -> None:
    pair.server.read_body(stream_id, rng.choice((-1, 10)))
    if rng.random() < 0.5:
        pair.server.send_headers(stream_id, [(b":status", b"200"), (b"y", b"%d" % rng.randrange(5))])
        pair.server.send_data(stream_id, bytes(rng.randrange(100)), True)


@pytest.mark.parametrize("seed", range(150))
def test_nothing_escapes(seed: int) -> None:
    rng = random.Random(seed)
    config = H3Config(qpack=EncoderPolicy(insert=rng.choice(list(Insert))))
    pair = Pair(config, config, size_of=lambda available: rng.choice((1, 5, available, available)))
    for _ in range(60):
        if pair.client.is_closed or pair.server.is_closed:
            break
        try:
            use(pair, rng)
        except UsageError:
            break  # one that the peer has ended in the meantime
        for transport in (pair.client_transport, pair.server_transport):
            if rng.random() < 0.15:
                change(transport, rng)
        pair.step()
        for event in pair.server_events:
            if isinstance(event, DataReadable):
                try:
                    answer(pair, event.stream_id, rng)
                except UsageError:
                    continue
        for event in pair.client_events:
            if isinstance(event, DataReadable):
                pair.client.read_body(event.stream_id)
        pair.server_events.clear()
        pair.client_events.clear()
