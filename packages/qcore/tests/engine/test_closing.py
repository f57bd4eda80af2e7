"""Which close goes out, and how often. RFC 9000 §10.2."""

import pytest

from qcore.engine.closing import MAX_REASON, Closing, error_from_peer
from qcore.errors import ApplicationError, CertificateError, QuicError, TransportError
from qcore.testing import Pair
from qwire.constants import (
    APPLICATION_ERROR,
    CRYPTO_ERROR,
    FLOW_CONTROL_ERROR,
    NO_ERROR,
    PROTOCOL_VIOLATION,
    PacketType,
)
from qwire.frames import ConnectionCloseFrame, Frame, PingFrame

from .crafting import Cheat, confirmed_pair, early_pair, halfway_pair

APPLICATION = ConnectionCloseFrame(7, 0, b"secret", True)
HIDDEN = ConnectionCloseFrame(APPLICATION_ERROR, 0, b"", False)
TRANSPORT = ConnectionCloseFrame(PROTOCOL_VIOLATION, 0x1E, b"why", False)


@pytest.mark.parametrize(
    ("is_application", "is_confirmed", "has_keys", "frames"),
    [
        pytest.param(True, True, True, [None, None, APPLICATION], id="application, confirmed"),
        pytest.param(True, False, True, [HIDDEN, HIDDEN, APPLICATION], id="application, with 1-RTT keys"),
        pytest.param(True, False, False, [HIDDEN, HIDDEN, None], id="application, before 1-RTT keys"),
        pytest.param(False, True, True, [None, None, TRANSPORT], id="transport, confirmed"),
        pytest.param(False, False, True, [TRANSPORT] * 3, id="transport, with 1-RTT keys"),
        pytest.param(False, False, False, [TRANSPORT, TRANSPORT, None], id="transport, before 1-RTT keys"),
    ],
)
def test_frames_per_level(
    is_application: bool, is_confirmed: bool, has_keys: bool, frames: list[Frame | None]
) -> None:  # RFC 9000 §10.2.3
    closing = (
        Closing(7, "secret", True)
        if is_application
        else Closing.of(TransportError(PROTOCOL_VIOLATION, 0x1E, "why"))
    )

    assert frames == closing.frames(is_confirmed, has_keys)


def test_long_reason_is_cut() -> None:
    frames = Closing(0, "é" * 1_000, True).frames(True, True)

    assert isinstance(frames[2], ConnectionCloseFrame)
    assert MAX_REASON == len(frames[2].reason)


def test_close_is_repeated_ever_more_rarely() -> None:  # RFC 9000 §10.2.1
    closing = Closing(0, "", True)
    repeated = []
    for number in range(1, 101):
        closing.is_pending = False
        closing.on_received()
        if closing.is_pending:
            repeated.append(number)

    assert [1, 2, 4, 8, 16, 32, 64] == repeated


def test_engine_repeats_its_close_ever_more_rarely() -> None:
    cheat = Cheat(confirmed_pair(), "client")
    cheat.victim.close(7, "enough")
    assert 1 == len(cheat.answer())
    repeated = []
    for number in range(1, 41):
        cheat.send(PacketType.ONE_RTT, PingFrame())
        if cheat.answer():
            repeated.append(number)

    assert [1, 2, 4, 8, 16, 32] == repeated


@pytest.mark.parametrize(
    ("make", "side", "types"),
    [
        pytest.param(early_pair, "client", [PacketType.INITIAL], id="client without a word of the server"),
        pytest.param(
            early_pair, "server", [PacketType.INITIAL, PacketType.HANDSHAKE], id="server that has answered"
        ),
        pytest.param(
            halfway_pair, "client", [PacketType.HANDSHAKE, PacketType.ONE_RTT], id="client that is complete"
        ),
        pytest.param(confirmed_pair, "client", [PacketType.ONE_RTT], id="client that is confirmed"),
        pytest.param(confirmed_pair, "server", [PacketType.ONE_RTT], id="server that is confirmed"),
    ],
)
def test_every_level_that_the_peer_may_read_carries_a_close(
    make: type[Pair], side: str, types: list[PacketType]
) -> None:  # RFC 9000 §10.2.3
    pair = make()
    engine, trace = (pair.client, pair.client_trace) if side == "client" else (pair.server, pair.server_trace)
    assert engine is not None
    before = len(trace.sent)
    engine.close(7, "secret")
    pair.flush()
    closes = [(packet.packet_type, packet.frames[0]) for packet in trace.sent[before:]]

    assert types == [packet_type for packet_type, _ in closes]
    for packet_type, frame in closes:
        assert (APPLICATION if packet_type is PacketType.ONE_RTT else HIDDEN) == frame


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        pytest.param(ConnectionCloseFrame(0, 0, b"", True), type(None), id="application, no error"),
        pytest.param(ConnectionCloseFrame(NO_ERROR, 0, b"", False), type(None), id="transport, no error"),
        pytest.param(ConnectionCloseFrame(7, 0, b"why", True), ApplicationError, id="application"),
        pytest.param(
            ConnectionCloseFrame(FLOW_CONTROL_ERROR, 8, b"why", False), TransportError, id="transport"
        ),
        pytest.param(
            ConnectionCloseFrame(CRYPTO_ERROR + 42, 6, b"why", False), CertificateError, id="certificate"
        ),
        pytest.param(
            ConnectionCloseFrame(CRYPTO_ERROR + 40, 6, b"\xff", False), TransportError, id="bad UTF-8"
        ),
    ],
)
def test_close_of_the_peer(frame: ConnectionCloseFrame, kind: type[QuicError | None]) -> None:
    error = error_from_peer(frame)

    assert kind is type(error)
    if isinstance(error, ApplicationError | TransportError):
        assert frame.error_code == error.code
        assert not error.is_local
        assert frame.reason.decode("utf-8", "replace") == error.reason


@pytest.mark.parametrize("side", ["client", "server"])
def test_both_ends_forget_after_three_probe_timeouts(side: str) -> None:  # RFC 9000 §10.2
    pair = confirmed_pair()
    assert pair.server is not None
    engine = pair.client if side == "client" else pair.server
    before = pair.now
    engine.close()
    pair.run_until(
        lambda: pair.client.is_terminated and pair.server is not None and pair.server.is_terminated
    )

    # A clock in floating point rounds.
    assert 3 * engine.parts.pto() - 1e-9 <= pair.now - before < 1.0
