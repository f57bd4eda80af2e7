"""Credit of the connection and of streams. RFC 9000 §4."""

from typing import Final

import pytest

from qcore import spaces
from qcore.errors import TransportError
from qcore.flow_control import MAX_OFFSET, SMALLEST_WINDOW, ConnectionFlow, ReceiveWindow
from qwire.constants import FLOW_CONTROL_ERROR
from qwire.frames import DataBlockedFrame, MaxDataFrame, StreamFrame

from .packets import written

FRAME: Final = StreamFrame(0, 0, b"", False)
RTT: Final = 0.05


def test_credit_is_due_when_a_quarter_is_used() -> None:
    window = ReceiveWindow(1000, 1000)

    assert not window.consume(249)
    assert window.consume(1)
    assert 1250 == window.advance(0.0, RTT)
    assert not window.is_due


@pytest.mark.parametrize(
    ("pause", "expected"),
    [
        pytest.param(3.9 * RTT, 2000, id="a window in less than four round trips"),
        pytest.param(4.1 * RTT, 1000, id="a window in more"),
    ],
)
def test_a_window_that_lasts_too_short_is_doubled(pause: float, expected: int) -> None:
    window = ReceiveWindow(1000, 10_000)
    window.consume(250)
    window.advance(1.0, RTT)

    window.consume(500)
    window.advance(1.0 + pause / 2, RTT)

    assert expected == window.window
    assert 750 + expected == window.limit


def test_windows_grow_to_a_hard_limit() -> None:  # attack M6
    window = ReceiveWindow(1000, 5000)
    for _ in range(100):
        window.consume(window.window)
        window.advance(0.0, RTT)

    assert 5000 == window.window
    assert window.consumed + 5000 == window.limit


def test_a_slow_reader_keeps_the_window() -> None:
    window = ReceiveWindow(1000, 50_000)
    for step in range(100):
        window.consume(300)
        window.advance(float(step), RTT)

    assert 1000 == window.window


def test_the_limit_never_falls() -> None:
    window = ReceiveWindow(1000, 1000)

    assert 1000 == window.advance(0.0, RTT)
    window.consume(10)
    assert 1010 == window.advance(0.0, RTT)


def test_the_limit_stays_within_a_varint() -> None:
    window = ReceiveWindow(MAX_OFFSET, MAX_OFFSET)
    window.consume(1 << 61)

    assert MAX_OFFSET == window.advance(0.0, RTT)


def test_what_was_advertised_is_enforced() -> None:  # RFC 9000 §4.1
    flow = ConnectionFlow(1000, 4000)
    flow.check_received(1000, FRAME)

    with pytest.raises(TransportError, match="1001 bytes on all streams, 1000 allowed") as caught:
        flow.check_received(1, FRAME)

    assert FLOW_CONTROL_ERROR == caught.value.code
    assert 1000 == flow.received


def test_reading_gives_new_credit() -> None:
    flow = ConnectionFlow(1000, 1000)
    flow.check_received(600, FRAME)
    assert [] == written(flow)

    flow.consume(600)

    assert not flow.has_frames(spaces.HANDSHAKE)
    assert [MaxDataFrame(1600)] == written(flow)
    assert [] == written(flow)


def test_a_connection_without_credit_gets_some() -> None:
    flow = ConnectionFlow(0, 1000)

    assert [MaxDataFrame(SMALLEST_WINDOW)] == written(flow)


def test_a_lost_limit_is_sent_as_the_newest() -> None:
    flow = ConnectionFlow(1000, 1000)
    flow.consume(300)
    (first,) = written(flow)
    flow.consume(300)
    (second,) = written(flow)

    flow.on_lost(first)
    assert [] == written(flow)
    flow.on_lost(second)
    assert [MaxDataFrame(1600)] == written(flow)


def test_a_limit_waits_for_room() -> None:
    flow = ConnectionFlow(1000, 1000)
    flow.consume(300)

    assert [] == written(flow, room=2)
    assert [MaxDataFrame(1300)] == written(flow)


def test_blocked_is_told_once_per_limit() -> None:  # RFC 9000 §4.1
    flow = ConnectionFlow(1000, 1000)
    flow.set_peer_limit(500)
    flow.sent = 500
    flow.on_blocked()
    flow.on_blocked()
    assert [DataBlockedFrame(500)] == written(flow)
    flow.on_blocked()
    assert [] == written(flow)

    flow.on_lost(DataBlockedFrame(500))
    assert [DataBlockedFrame(500)] == written(flow)
    flow.receive_max_data(MaxDataFrame(600))
    flow.on_lost(DataBlockedFrame(500))
    assert [] == written(flow)
    assert 100 == flow.credit


def test_a_lower_limit_of_the_peer_is_ignored() -> None:  # RFC 9000 §4.1
    flow = ConnectionFlow(1000, 1000)
    flow.set_peer_limit(500)

    flow.receive_max_data(MaxDataFrame(400))

    assert 500 == flow.send_limit


def test_a_blocked_peer_hears_the_limit_again_but_gets_no_more() -> None:  # attack M6
    flow = ConnectionFlow(1000, 8000)
    flow.receive_data_blocked(DataBlockedFrame(1000))
    assert [] == written(flow)
    for _ in range(100):
        flow.receive_data_blocked(DataBlockedFrame(10))

    assert [MaxDataFrame(1000)] == written(flow)
    assert 1000 == flow.window.window


def test_a_grown_stream_takes_the_connection_along() -> None:
    flow = ConnectionFlow(1000, 5000)

    flow.ensure_window(2000)
    assert 3000 == flow.window.window
    flow.ensure_window(20_000)
    assert 5000 == flow.window.window


def test_restart_forgets_what_was_sent() -> None:
    flow = ConnectionFlow(1000, 1000)
    flow.set_peer_limit(500)
    flow.sent = 500
    flow.on_blocked()

    flow.restart()

    assert (0, 0) == (flow.sent, flow.credit)
    assert [] == written(flow)
