"""What the environment asks to be written down: SSLKEYLOGFILE and QLOGDIR.

Traces are written by a layer above, which offers itself as an entry point of the group `uquic.observers`: a
callable ``make(directory: str, is_client: bool) -> Observer``, called once for each connection. It is looked for
only when a trace is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Final, TypeAlias, TypeVar

from qtls import ClientTLS, ServerTLS
from qtls.light_dataclass import replace

from ..config import QuicConfig
from ..errors import UsageError
from ..observer import Observer

KEY_LOG_VARIABLE: Final = "SSLKEYLOGFILE"
TRACE_VARIABLE: Final = "QLOGDIR"
OBSERVER_GROUP: Final = "uquic.observers"

TLS = TypeVar("TLS", ClientTLS, ServerTLS)
ObserverFactory: TypeAlias = Callable[[], Observer]
MakeObserver: TypeAlias = Callable[[str, bool], Observer]


def with_key_log(tls: TLS, environment: Mapping[str, str] = os.environ) -> TLS:
    """The configuration with a key log, if the environment names a file and there is none yet."""
    path = environment.get(KEY_LOG_VARIABLE)
    if not path or tls.keylog is not None:
        return tls
    from qtls.adapters.files import KeyLogFile  # with what reads certificates, which takes long to load

    return replace(tls, keylog=KeyLogFile(path))


def observer_factory(
    config: QuicConfig, *, is_client: bool, environment: Mapping[str, str] = os.environ
) -> ObserverFactory | None:
    """What makes the observer of each connection, or None if no trace is asked for.

    Raises:
        UsageError: the configuration asks for traces, and nothing is installed that writes them.
    """
    directory = config.qlog or environment.get(TRACE_VARIABLE)
    if not directory:
        return None
    make = _observer_maker()
    if make is None:
        if config.qlog:
            raise UsageError("QuicConfig.qlog needs a package that writes traces, such as uquic-qlog")
        return None
    return partial(make, directory, is_client)


@cache
def _observer_maker() -> MakeObserver | None:
    from importlib.metadata import entry_points  # most connections are not traced

    for entry_point in entry_points(group=OBSERVER_GROUP):
        make: MakeObserver = entry_point.load()
        return make
    return None
