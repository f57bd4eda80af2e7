"""Equality and repr, which every frame has from its base class."""

import pytest

from qwire.buffer import Writer
from qwire.frames import CryptoFrame, Frame, MaxDataFrame, PathChallengeFrame, PathResponseFrame, PingFrame


def test_equal_fields_make_equal_frames() -> None:
    assert CryptoFrame(1, b"a") == CryptoFrame(1, b"a")
    assert CryptoFrame(1, b"a") != CryptoFrame(2, b"a")
    assert CryptoFrame(1, b"a") != CryptoFrame(1, b"b")
    assert PingFrame() == PingFrame()


def test_kind_matters() -> None:
    assert PathChallengeFrame(bytes(8)) != PathResponseFrame(bytes(8))
    assert MaxDataFrame(1) != 1


def test_repr_names_the_fields() -> None:
    assert "CryptoFrame(offset=1, data=b'a')" == repr(CryptoFrame(1, b"a"))
    assert "PingFrame()" == repr(PingFrame())


def test_frames_are_not_hashable() -> None:
    with pytest.raises(TypeError):
        hash(PingFrame())


def test_the_base_cannot_be_written() -> None:
    with pytest.raises(NotImplementedError):
        Frame().append(Writer())
