"""Packets to write frames into."""

from collections.abc import Callable

import pytest

from qwire.frames import Frame

from . import packets


@pytest.fixture
def written() -> Callable[..., list[Frame]]:
    """Gives the frames that a source puts into one packet: ``written(source, room=1200)``."""
    return packets.written
