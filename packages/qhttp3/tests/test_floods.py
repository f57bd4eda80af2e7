"""Floods of frames that HTTP/3 allows: memory stays where it is, and the cost of one does not grow.

The limits that hold here are listed in docs/limits.md.
"""

from collections.abc import Callable

import pytest

from qcore.testing.weighing import calls, held
from qhttp3 import frames
from qhttp3.config import H3Config
from qhttp3.qpack import instructions
from qhttp3.settings import H3Settings
from qhttp3.testing import MemoryTransport

from .test_conformance import DECODER, ENCODER, GET, BadPeer, data, head

COUNT = 4_000
KIB = 1024
CAP = 256 * KIB
GROWTH = 4 * KIB
RATIO = 2.3


Act = Callable[[BadPeer, int], object]


def unknown_stream(peer: BadPeer, number: int) -> None:
    forget(peer, peer.uni(b"\x40\x54" + b"x" * 20, end=True))


def forget(peer: BadPeer, stream_id: int) -> None:
    """What a transport does with a stream that is over."""
    for transport in (peer.transport, peer.theirs):
        transport.outgoing.pop(stream_id, None)
        transport.incoming.pop(stream_id, None)


def request(peer: BadPeer, number: int) -> None:
    """Requests that are answered, and over."""
    stream_id = peer.request(head(GET))
    peer.pair.server.send_headers(stream_id, [(b":status", b"204")], True)
    peer.pair.run()
    forget(peer, stream_id)


def say(frame: Callable[[int], bytes]) -> Act:
    """A frame on the control stream."""
    return lambda peer, number: peer.say(frame(number))


def send(stream_id: int, content: Callable[[int], bytes]) -> Act:
    """Some bytes on a stream that is open."""

    def act(peer: BadPeer, number: int) -> None:
        peer.transport.send(stream_id, content(number))
        peer.pair.run()

    return act


def datagram(peer: BadPeer, number: int) -> None:
    peer.transport.send_datagram(b"\0x")
    peer.pair.run()


ENCODER_ID, DECODER_ID = 6, 10
FLOODS: dict[str, Act] = {
    "MAX_PUSH_ID": say(lambda number: frames.frame_with_id(frames.MAX_PUSH_ID, number)),
    "GOAWAY": say(lambda number: frames.frame_with_id(frames.GOAWAY, 0)),
    "PRIORITY_UPDATE": say(lambda number: frames.frame_with_id(frames.PRIORITY_UPDATE, 4 * number, b"u=1")),
    "reserved frames": say(lambda number: frames.frame(0x21 + 0x1F * number, b"x" * 20)),
    "unknown streams": unknown_stream,
    "requests": request,
    "datagrams": datagram,
    "inserts": send(ENCODER_ID, lambda number: instructions.insert_literal(b"n%d" % number, b"v" * 50)),
    "cancellations": send(DECODER_ID, lambda number: instructions.stream_cancellation(4 * number)),
}


def start() -> BadPeer:
    peer = BadPeer(True, H3Config(settings=H3Settings.build(h3_datagram=True, qpack_max_table_capacity=4096)))
    peer.greet()
    peer.uni(ENCODER + instructions.set_capacity(4096))
    peer.uni(DECODER)
    assert {ENCODER_ID, DECODER_ID} <= set(peer.transport.outgoing)
    return peer


def flood(peer: BadPeer, act: Act, first: int, stop: int) -> None:
    for number in range(first, stop):
        if peer.closed is not None:
            return
        act(peer, number)
        peer.pair.server_events.clear()


@pytest.mark.parametrize("name", list(FLOODS))
def test_memory_stays_where_it_is(name: str) -> None:
    peer = start()
    engine = peer.pair.server
    empty = held(engine, (MemoryTransport,))
    flood(peer, FLOODS[name], 0, COUNT // 2)
    half = held(engine, (MemoryTransport,))
    flood(peer, FLOODS[name], COUNT // 2, COUNT)
    full = held(engine, (MemoryTransport,))

    assert full <= empty + CAP
    assert full <= half + GROWTH or peer.closed is not None, f"{full - half} bytes more"


def test_cost_of_a_section_follows_its_size() -> None:
    def cost(count: int) -> int:
        peer = start()
        # Values that no earlier section had: what is remembered costs less.
        section = head([*GET, *((b"x", b"%d-%03d" % (count, number)) for number in range(count))])
        return calls(lambda: peer.request(section + data(b"x")))

    assert cost(190) <= RATIO * cost(95)
