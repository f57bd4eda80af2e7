import pytest

from qhttp3.config import H3Config, StreamKind
from qhttp3.errors import H3_EXCESSIVE_LOAD
from qhttp3.events import ConnectionFailed
from qhttp3.testing import MemoryTransport, Pair
from qhttp3.uni_streams import ENCODER_ROOM, MAX_BACKLOG, LocalStreams, PeerStreams


def written(transport: MemoryTransport) -> dict[int, bytes]:
    return {stream_id: bytes(stream.data) for stream_id, stream in transport.outgoing.items()}


def test_streams_get_ids_in_the_configured_order() -> None:
    transport = MemoryTransport(True)
    order = (StreamKind.DECODER, StreamKind.CONTROL, StreamKind.ENCODER)
    local = LocalStreams(transport, H3Config(stream_order=order), None)

    assert local.open(b"hello")
    assert {2: b"\x03", 6: b"\0hello", 10: b"\x02"} == written(transport)
    assert StreamKind.CONTROL is local.kind_of(6)
    assert local.kind_of(14) is None


def test_lazy_streams_say_their_type_with_their_first_words() -> None:
    transport = MemoryTransport(False)
    lazy = frozenset((StreamKind.ENCODER, StreamKind.DECODER))
    local = LocalStreams(transport, H3Config(lazy_streams=lazy), None)
    local.open(b"")

    assert {3: b"\0", 7: b"", 11: b""} == written(transport)
    local.write(StreamKind.DECODER, b"\x81")
    local.write(StreamKind.DECODER, b"\x82")
    assert {3: b"\0", 7: b"", 11: b"\x03\x81\x82"} == written(transport)


def test_what_is_said_before_the_streams_are_open_waits() -> None:
    transport = MemoryTransport(True)
    transport.max_uni = 0
    local = LocalStreams(transport, H3Config(), None)
    local.write(StreamKind.CONTROL, b"goaway")

    assert not local.open(b"settings ")
    assert not local.can_insert()
    transport.max_uni = 3
    assert local.open(b"settings ")
    assert local.is_open()
    assert {2: b"\0settings goaway", 6: b"\x02", 10: b"\x03"} == written(transport)


def test_the_encoder_stream_needs_room() -> None:  # RFC 9204 §2.1.3
    transport = MemoryTransport(True, send_buffer=ENCODER_ROOM + 10)
    local = LocalStreams(transport, H3Config(), None)
    local.open(b"")

    assert local.can_insert()
    local.write(StreamKind.ENCODER, bytes(10))
    assert not local.can_insert()


def test_a_peer_that_reads_nothing_is_noticed() -> None:
    pair = Pair()
    pair.run()
    transport = pair.client_transport
    transport.send(10, bytes(MAX_BACKLOG + transport.send_buffer + 1))
    for _ in range(2):
        pair.client._plane.local.write(StreamKind.DECODER, b"\x81")

    assert [
        ConnectionFailed(H3_EXCESSIVE_LOAD, "the peer does not read our qpack_decoder stream")
    ] == pair.client.events()


@pytest.mark.parametrize("type_bytes", [b"\x00", b"\x40\x00", b"\xc0\x00\x00\x00\x00\x00\x00\x00"])
def test_the_type_may_come_byte_by_byte_and_in_any_size(type_bytes: bytes) -> None:
    sender, receiver = MemoryTransport(True), MemoryTransport(False)
    peer = PeerStreams(receiver, False, None)
    stream_id = sender.open_stream(False)
    for position in range(len(type_bytes)):
        sender.send(stream_id, type_bytes[position : position + 1])
        sender.deliver(receiver, None, int)
        kind, data = peer.read(stream_id)
        assert (StreamKind.CONTROL if position == len(type_bytes) - 1 else None) is kind
        assert b"" == data
    sender.send(stream_id, b"more")
    sender.deliver(receiver, None, int)

    assert (StreamKind.CONTROL, b"more") == peer.read(stream_id)
