"""Each class of error in its case and in no other, on both sides: its code, its frame, its words, and who saw it."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from qcore import errors
from qcore.admission import Admission
from qcore.config import QuicConfig
from qcore.errors import (
    ApplicationError,
    CertificateError,
    ConnectionRefused,
    HandshakeTimeout,
    IdleTimeout,
    QuicError,
    StatelessReset,
    TransportError,
    VersionMismatch,
)
from qcore.testing import Pair
from qtls.config import ClientTLS
from qwire.constants import (
    CONNECTION_REFUSED,
    CRYPTO_ERROR,
    FLOW_CONTROL_ERROR,
    FRAME_CRYPTO,
    FRAME_ENCODING_ERROR,
    VERSION_1,
    VERSION_2,
    PacketType,
)
from qwire.frames import ResetStreamFrame, StreamFrame

from ..engine.crafting import Cheat, confirmed_pair

UNKNOWN_CA: Final = CRYPTO_ERROR + 48
NO_APPLICATION_PROTOCOL: Final = CRYPTO_ERROR + 120


@dataclass(frozen=True)
class Told:
    """What one side hears of the end.

    Attributes:
        kind: the very class.
        code, frame_type, is_local: as the error has them; None where it has none.
        words: part of what it says.
    """

    kind: type[QuicError] | None
    words: str = ""
    code: int | None = None
    frame_type: int | None = None
    is_local: bool | None = None

    def matches(self, error: QuicError | None) -> None:
        assert self.kind is (None if error is None else type(error))
        assert self.words in str(error)
        for name in ("code", "frame_type", "is_local"):
            assert getattr(self, name) == getattr(error, name, None), name
        if isinstance(error, TransportError | ApplicationError) and not error.is_local:
            assert isinstance(error, ConnectionRefused) or str(error).startswith("peer: ")


NOTHING: Final = Told(None)


def until_closed(pair: Pair) -> Pair:
    pair.run_until(lambda: pair.client.is_closed and (pair.server is None or pair.server.is_closed))
    return pair


def violated(frame: StreamFrame | bytes) -> Callable[[], Pair]:
    """The client sends what it may not."""

    def run() -> Pair:
        pair = confirmed_pair(server_config=QuicConfig(stream_window=1_000))
        Cheat(pair, "client").send(PacketType.ONE_RTT, frame)
        return until_closed(pair)

    return run


def closed(code: int, reason: str) -> Callable[[], Pair]:
    def run() -> Pair:
        pair = confirmed_pair()
        pair.client.close(code, reason)
        return until_closed(pair)

    return run


def of_another_authority() -> Pair:
    return until_closed(Pair(client_tls=ClientTLS(alpn=("test",))))


def without_a_protocol() -> Pair:
    pair = Pair(client_tls=ClientTLS(alpn=("other",), verify=False))
    return until_closed(pair)


def without_a_version() -> Pair:
    return until_closed(
        Pair(client_config=QuicConfig(versions=(VERSION_2,)), server_config=QuicConfig(versions=(VERSION_1,)))
    )


def refused_by_the_server() -> Pair:
    return until_closed(Pair(admit=lambda arrival: Admission.REFUSE))


def refused_by_the_network() -> Pair:
    pair = Pair()
    pair.client.refuse(OSError(errno.ECONNREFUSED, "no"), pair.now)
    return pair


def unanswered() -> Pair:
    pair = Pair(client_config=QuicConfig(handshake_timeout=3.0))
    pair.to_server.filter(lambda datagram: False)
    return until_closed(pair)


def silent() -> Pair:
    return until_closed(confirmed_pair(client_config=QuicConfig(idle_timeout=2.0)))


def forgotten() -> Pair:
    pair = confirmed_pair()
    assert pair.server is not None
    pair.router.forget(pair.server)
    pair.server = None
    pair.client.ping()
    pair.client.send(pair.client.open_stream(), bytes(500))
    return until_closed(pair)


BEYOND: Final = StreamFrame(0, 1_000, b"x", False)
CASES: Final[dict[str, tuple[Callable[[], Pair], Told, Told]]] = {
    "a violation": (
        violated(BEYOND),
        Told(TransportError, "1001 on stream 0, 1000 allowed", FLOW_CONTROL_ERROR, BEYOND.type, False),
        Told(TransportError, "1001 on stream 0, 1000 allowed", FLOW_CONTROL_ERROR, BEYOND.type, True),
    ),
    "bytes that are no frame": (
        violated(b"\x04\x00"),
        Told(TransportError, "truncated", FRAME_ENCODING_ERROR, ResetStreamFrame(0, 0, 0).type, False),
        Told(TransportError, "truncated", FRAME_ENCODING_ERROR, ResetStreamFrame(0, 0, 0).type, True),
    ),
    "the application": (
        closed(7, "enough"),
        Told(ApplicationError, "enough", 7, None, True),
        Told(ApplicationError, "enough", 7, None, False),
    ),
    "the application, without error": (closed(0, "done"), NOTHING, NOTHING),
    "a certificate of nobody": (
        of_another_authority,
        Told(CertificateError, "issuer", UNKNOWN_CA, FRAME_CRYPTO, True),
        Told(CertificateError, "unknown_ca", UNKNOWN_CA, FRAME_CRYPTO, False),
    ),
    "no common protocol": (
        without_a_protocol,
        Told(TransportError, "no_application_protocol", NO_APPLICATION_PROTOCOL, FRAME_CRYPTO, False),
        Told(TransportError, "no_application_protocol", NO_APPLICATION_PROTOCOL, FRAME_CRYPTO, True),
    ),
    "no common version": (without_a_version, Told(VersionMismatch, "0x1"), NOTHING),
    "a server that refuses": (
        refused_by_the_server,
        Told(ConnectionRefused, "CONNECTION_REFUSED", CONNECTION_REFUSED, None, False),
        NOTHING,
    ),
    "a closed port": (
        refused_by_the_network,
        Told(ConnectionRefused, "nothing listens at 10.0.0.2 port 443", CONNECTION_REFUSED, None, True),
        NOTHING,
    ),
    "no answer": (unanswered, Told(HandshakeTimeout, "3 s"), NOTHING),
    "silence": (silent, Told(IdleTimeout, "2 s"), Told(IdleTimeout, "2 s")),
    "a server that has forgotten": (forgotten, Told(StatelessReset, "lost the state"), NOTHING),
}


@pytest.mark.parametrize("name", list(CASES))
def test_each_end_has_its_error(name: str) -> None:
    run, client, server = CASES[name]
    pair = run()

    client.matches(pair.client.error)
    server.matches(pair.server.error if pair.server is not None else None)


def test_every_class_of_a_connection_has_its_case() -> None:
    of_connections = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, QuicError) and kind is not QuicError
    }
    # Those of one stream or one path, and of early data, are raised by what waits on them: see aio/.
    others = {errors.StreamError, errors.EarlyDataRejected, errors.PathFailed}

    assert of_connections - others == {told.kind for _, *both in CASES.values() for told in both} - {None}


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (IdleTimeout, TimeoutError),
        (HandshakeTimeout, TimeoutError),
        (errors.PathFailed, TimeoutError),
        (StatelessReset, ConnectionResetError),
        (ConnectionRefused, ConnectionRefusedError),
        (QuicError, OSError),
    ],
)
def test_errors_are_those_that_sockets_raise(kind: type[QuicError], builtin: type[OSError]) -> None:
    assert issubclass(kind, builtin)
