"""HANDSHAKE_DONE, NEW_TOKEN and PING. RFC 9000 §13.3."""

import pytest

from qcore.control_frames import ControlFrames
from qcore.packing.source import FrameSource
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL
from qwire.frames import Frame, HandshakeDoneFrame, MaxDataFrame, NewTokenFrame, PingFrame

from .packets import new_packet, written


def test_nothing_to_say_at_first() -> None:
    control = ControlFrames()

    assert not control.has_frames(APPLICATION)
    assert [] == written(control)


def test_frames_leave_in_order_and_once() -> None:
    control = ControlFrames()
    control.handshake_done()
    control.new_token(b"token")
    assert control.has_frames(APPLICATION)

    assert [HandshakeDoneFrame(), NewTokenFrame(b"token")] == written(control)
    assert not control.has_frames(APPLICATION)


@pytest.mark.parametrize("space", [INITIAL, HANDSHAKE])
def test_they_are_for_the_application_space(space: int) -> None:  # RFC 9000 §12.4
    control = ControlFrames()
    control.handshake_done()
    control.ping()

    assert not control.has_frames(space)


@pytest.mark.parametrize("frame", [HandshakeDoneFrame(), NewTokenFrame(b"token")])
def test_lost_frame_is_sent_again(frame: Frame) -> None:
    control = ControlFrames()
    control.on_lost(frame)

    assert [frame] == written(control)


def test_lost_ping_is_not_sent_again() -> None:
    control = ControlFrames()
    control.on_lost(PingFrame())

    assert not control.has_frames(APPLICATION)


def test_frame_without_room_waits() -> None:
    control = ControlFrames()
    control.new_token(b"t" * 100)
    control.handshake_done()

    assert [] == written(control, 50)
    assert [NewTokenFrame(b"t" * 100), HandshakeDoneFrame()] == written(control)


def test_ping_is_one_frame_however_often_it_is_asked_for() -> None:
    control = ControlFrames()
    control.ping()
    control.ping()

    assert [PingFrame()] == written(control)
    assert [] == written(control)


def test_ping_is_spared_where_something_else_elicits_an_answer() -> None:
    control = ControlFrames()
    control.ping()
    builder = new_packet()
    builder.append(MaxDataFrame(5), FrameSource())
    control.write_frames(builder)

    assert [MaxDataFrame(5)] == [frame for frame, _ in builder.frames]
    assert not control.has_frames(APPLICATION)


def test_ping_without_room_waits() -> None:
    control = ControlFrames()
    control.ping()
    assert [] == written(control, 0)

    assert [PingFrame()] == written(control)
