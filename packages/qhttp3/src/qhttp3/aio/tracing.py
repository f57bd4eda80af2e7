"""Who traces HTTP/3 on a connection.

A package that writes traces offers itself as an entry point of the group ``uquic.http3_observers``: a callable
that gets the observer of the QUIC engine and returns one of HTTP/3 that writes into the same trace, or None if
that one is not its own. It is looked for only when the engine is observed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from qcore.aio.connection import Connection

if TYPE_CHECKING:
    from qhttp3.observer import Observer

OBSERVER_GROUP: Final = "uquic.http3_observers"

MakeObserver: TypeAlias = "Callable[[object], Observer | None]"


def observer_for(connection: Connection) -> Observer | None:
    """Make the observer of a connection, if its engine is traced and the writer knows HTTP/3."""
    below: object = getattr(connection.engine, "observer", None)
    if below is None:
        return None
    make = _maker()
    return None if make is None else make(below)


@cache
def _maker() -> MakeObserver | None:
    from importlib.metadata import entry_points  # most connections are not traced

    for entry_point in entry_points(group=OBSERVER_GROUP):
        make: MakeObserver = entry_point.load()
        return make
    return None
