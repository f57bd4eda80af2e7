from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from qhttp3.testing import MemoryTransport
from qhttp3.transport import EndedTransport, StreamTransport, is_request_stream, is_unidirectional

if TYPE_CHECKING:
    from qcore.engine.engine import QuicEngine

    def satisfies(engine: QuicEngine) -> StreamTransport:
        """The type checker agrees that an engine is a transport."""
        return engine


def test_kinds_of_streams() -> None:  # RFC 9000 §2.1
    assert [True, False, False, False, True] == [is_request_stream(stream_id) for stream_id in range(5)]
    assert [False, False, True, True, False] == [is_unidirectional(stream_id) for stream_id in range(5)]


def test_an_ended_transport_reads_and_sends_nothing() -> None:
    sender, receiver = MemoryTransport(True), MemoryTransport(False)
    stream_id = sender.open_stream()
    sender.send(stream_id, b"data", True)
    sender.deliver(receiver, None, int)
    ended = EndedTransport(receiver)
    ended.send(stream_id, b"x")
    ended.reset(stream_id, 1)
    ended.stop_sending(stream_id, 1)
    ended.close(1)

    assert (b"data", True) == ended.read(stream_id)
    assert 0 == ended.send_capacity(stream_id)
    assert not ended.send_datagram(b"x")
    assert b"" == bytes(receiver.outgoing[stream_id].data)
    assert ({}, {}, None) == (receiver.resets, receiver.stopped, receiver.closed)
    with pytest.raises(RuntimeError):
        ended.open_stream()


@pytest.mark.skipif(find_spec("qcore") is None, reason="needs qcore")
def test_the_engine_of_qcore_has_every_verb() -> None:
    from qcore.engine.engine import QuicEngine

    verbs = [name for name in vars(StreamTransport) if not name.startswith("_")]
    assert [] == [name for name in verbs if not hasattr(QuicEngine, name)]
    assert "send_capacity" in verbs
