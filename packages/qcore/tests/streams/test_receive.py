"""The receiving half. RFC 9000 §3.2, §4.5."""

import pytest

from qcore.errors import TransportError
from qcore.flow_control import ConnectionFlow
from qcore.streams.receive import ReceiveStream
from qcore.streams.states import ReceiveState
from qwire.constants import FINAL_SIZE_ERROR, FLOW_CONTROL_ERROR, PROTOCOL_VIOLATION
from qwire.frames import ResetStreamFrame, StreamFrame

RESET = ResetStreamFrame(4, 0, 0)


class Half:
    """A receiving half with the connection's credit."""

    def __init__(self, window: int = 1000, connection_window: int = 2000) -> None:
        self.flow = ConnectionFlow(connection_window, connection_window)
        self.stream = ReceiveStream(4, window, window)

    def data(self, offset: int, data: bytes, fin: bool = False) -> None:
        self.stream.receive(StreamFrame(4, offset, data, fin), self.flow)

    def reset(self, final_size: int, code: int = 9, reliable_size: int = 0) -> None:
        self.stream.receive_reset(code, final_size, reliable_size, RESET, self.flow)

    def read(self, size: int = -1) -> tuple[bytes, bool]:
        data, end, _ = self.stream.read(size, self.flow)
        return data, end


def test_reads_to_the_end() -> None:
    half = Half()
    half.data(3, b"def", fin=True)
    half.data(0, b"abc")

    assert (b"ab", False) == half.read(2)
    assert (b"cdef", True) == half.read()
    assert half.stream.is_over
    assert 6 == half.flow.consumed == half.flow.received


def test_an_end_without_data_is_readable() -> None:
    half = Half()
    half.data(0, b"abc")
    half.read()
    assert not half.stream.is_readable

    half.data(3, b"", fin=True)

    assert half.stream.is_readable
    assert (b"", True) == half.read()


@pytest.mark.parametrize(
    ("offset", "data", "fin"),
    [
        pytest.param(0, b"abcdefg", False, id="data beyond the end"),
        pytest.param(0, b"abc", True, id="an earlier end"),
        pytest.param(0, b"abcdefg", True, id="a later end"),
        pytest.param(7, b"", True, id="a later end without data"),
        pytest.param(7, b"", False, id="an offset beyond the end"),
    ],
)
def test_the_final_size_does_not_change(offset: int, data: bytes, fin: bool) -> None:  # RFC 9000 §4.5
    half = Half()
    half.data(4, b"ef", fin=True)

    with pytest.raises(TransportError, match="final size is 6") as caught:
        half.data(offset, data, fin)

    assert FINAL_SIZE_ERROR == caught.value.code
    assert StreamFrame(4, offset, data, fin).type == caught.value.frame_type


def test_the_end_does_not_lie_below_data() -> None:  # RFC 9000 §4.5
    half = Half()
    half.data(10, b"x")

    with pytest.raises(TransportError, match="data up to 11") as caught:
        half.data(0, b"abc", fin=True)

    assert FINAL_SIZE_ERROR == caught.value.code


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(("reset", 10), ("reset", 11), id="two resets"),
        pytest.param(("data", 10), ("reset", 9), id="reset below the end"),
        pytest.param(("data", 10), ("reset", 11), id="reset beyond the end"),
        pytest.param(("reset", 10), ("data", 11), id="end after a reset"),
    ],
)
def test_resets_keep_the_final_size(first: tuple[str, int], second: tuple[str, int]) -> None:
    half = Half()

    def run(what: str, size: int) -> None:
        if what == "reset":
            half.reset(size)
        else:
            half.data(size - 1, b"x", fin=True)

    run(*first)
    with pytest.raises(TransportError) as caught:
        run(*second)

    assert FINAL_SIZE_ERROR == caught.value.code


def test_a_reset_does_not_lie_below_data() -> None:
    half = Half()
    half.data(10, b"x")

    with pytest.raises(TransportError) as caught:
        half.reset(5)

    assert FINAL_SIZE_ERROR == caught.value.code


@pytest.mark.parametrize(
    ("window", "connection_window"),
    [pytest.param(10, 100, id="of the stream"), pytest.param(100, 10, id="of the connection")],
)
def test_credit_is_enforced(window: int, connection_window: int) -> None:  # h3spec T1
    for action in ("data", "reset"):
        half = Half(window, connection_window)
        half.data(0, bytes(10))
        with pytest.raises(TransportError) as caught:
            if action == "data":
                half.data(10, b"x")
            else:
                half.reset(11)
        assert FLOW_CONTROL_ERROR == caught.value.code
        assert 10 == half.flow.received


def test_fragments_end_the_connection() -> None:  # attack M5
    half = Half(10_000, 10_000)

    with pytest.raises(TransportError, match="gaps") as caught:
        for index in range(2000):
            half.data(1 + 2 * index, b"x")

    assert PROTOCOL_VIOLATION == caught.value.code


def test_a_reset_gives_back_all_credit_of_the_connection() -> None:
    half = Half()
    half.data(0, bytes(100))
    half.read(40)
    half.data(300, b"x")

    half.reset(500)

    assert half.stream.is_reset_due
    assert 500 == half.flow.received == half.flow.consumed
    assert (b"", False) == half.read()
    half.data(100, bytes(50))
    half.reset(500)
    assert 500 == half.flow.received == half.flow.consumed
    half.stream.on_reset_told()
    assert half.stream.is_over


def test_a_reset_after_all_data_is_ignored() -> None:  # RFC 9000 §3.2
    half = Half()
    half.data(0, b"abc", fin=True)

    half.reset(3)

    assert ReceiveState.DATA_RECVD is half.stream.state
    assert (b"abc", True) == half.read()


def test_a_reliable_reset_waits_for_what_was_promised() -> None:
    half = Half()
    half.data(0, b"abc")
    half.reset(500, reliable_size=5)
    assert not half.stream.is_reset_due

    half.data(3, b"de")
    assert (b"abc", False) == half.read(3)
    assert not half.stream.is_reset_due
    assert (b"de", False) == half.read()
    assert half.stream.is_reset_due
    assert 500 == half.flow.received == half.flow.consumed


def test_a_second_reliable_reset_may_promise_less() -> None:
    half = Half()
    half.data(0, b"abc")
    half.reset(500, reliable_size=5)
    half.read()
    half.reset(500, reliable_size=7)
    assert not half.stream.is_reset_due

    half.reset(500, reliable_size=3)

    assert half.stream.is_reset_due


def test_reset_that_promised_something_is_told_even_after_all_data() -> None:
    half = Half()
    half.reset(4, reliable_size=2)
    half.data(0, b"abcd")

    assert (b"abcd", False) == half.read()
    assert half.stream.is_reset_due


@pytest.mark.parametrize("ending", ["fin", "reset", "reliable reset"])
def test_after_stop_all_data_is_dropped_and_credit_returned(ending: str) -> None:
    half = Half()
    half.data(0, bytes(100))
    half.data(200, bytes(10))

    assert half.stream.stop(5, half.flow)
    assert not half.stream.stop(6, half.flow)
    assert 5 == half.stream.stop_code
    assert 210 == half.flow.consumed
    half.data(100, bytes(150))
    assert 250 == half.flow.consumed
    assert (b"", False) == half.read()
    if ending == "fin":
        half.data(300, b"", fin=True)
    else:
        half.reset(300, reliable_size=280 if ending == "reliable reset" else 0)

    assert half.stream.is_over
    assert 300 == half.flow.consumed == half.flow.received


@pytest.mark.parametrize("is_complete", [True, False], ids=["all data there", "end known"])
def test_stop_with_known_end_tells_nobody(is_complete: bool) -> None:
    half = Half()
    half.data(0 if is_complete else 5, bytes(10), fin=True)

    assert not half.stream.stop(5, half.flow)
    assert half.stream.is_over
    assert half.flow.received == half.flow.consumed
