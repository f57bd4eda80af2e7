"""CRYPTO frames into TLS, and alerts into transport errors. RFC 9001 §4.8."""

import pytest

from qcore.ackhandler.received import ReceivedPacketHandler
from qcore.crypto_stream import CryptoStream
from qcore.engine.handshake import Handshake, alert_error
from qcore.errors import CertificateError, TransportError
from qcore.packet_space import PacketSpace
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL
from qtls.constants import Level
from qtls.errors import LocalAlert
from qtls.events import EarlyData, SendCrypto, TlsEvent
from qwire.constants import CRYPTO_BUFFER_EXCEEDED, CRYPTO_ERROR, FRAME_CRYPTO
from qwire.frames import CryptoFrame


class Scripted:
    """Answers with what it was given, and remembers what came in."""

    wall_clock = 0.0
    client_hello = b""

    def __init__(self, *answers: list[TlsEvent] | LocalAlert) -> None:
        self.answers = list(answers)
        self.received: list[tuple[Level, bytes]] = []

    def receive(self, level: Level, data: bytes) -> list[TlsEvent]:
        self.received.append((level, data))
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, LocalAlert):
            raise answer
        return answer

    def export(self, label: bytes, context: bytes, size: int) -> bytes:
        return bytes(size)

    def set_version(self, quic_version: int) -> None: ...


def driver(tls: Scripted) -> Handshake:
    spaces = [
        PacketSpace(space, CryptoStream(space), ReceivedPacketHandler(space))
        for space in (INITIAL, HANDSHAKE, APPLICATION)
    ]
    return Handshake(tls, spaces)


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        *[
            pytest.param(number, CertificateError, id=name)
            for number, name in [
                (42, "bad_certificate"),
                (43, "unsupported_certificate"),
                (44, "certificate_revoked"),
                (45, "certificate_expired"),
                (46, "certificate_unknown"),
                (48, "unknown_ca"),
                (116, "certificate_required"),
            ]
        ],
        pytest.param(10, TransportError, id="unexpected_message"),
        pytest.param(40, TransportError, id="handshake_failure"),
        pytest.param(120, TransportError, id="no_application_protocol"),
    ],
)
def test_alert_becomes_a_transport_error(description: int, kind: type[TransportError]) -> None:
    error = alert_error(LocalAlert(description, "because"))

    assert kind is type(error)
    assert (CRYPTO_ERROR + description, FRAME_CRYPTO, "because") == (
        error.code,
        error.frame_type,
        error.reason,
    )


def test_alert_of_tls_is_raised_as_such() -> None:
    handshake = driver(Scripted(LocalAlert(50, "no sense")))
    with pytest.raises(TransportError) as caught:
        handshake.receive(INITIAL, CryptoFrame(0, b"junk"))
    assert CRYPTO_ERROR + 50 == caught.value.code


def test_bytes_arrive_in_order_and_once() -> None:
    tls = Scripted()
    handshake = driver(tls)
    handshake.receive(INITIAL, CryptoFrame(4, b"efgh"))
    assert [] == tls.received

    handshake.receive(INITIAL, CryptoFrame(0, b"abcdef"))
    handshake.receive(INITIAL, CryptoFrame(2, b"cdefgh"))
    handshake.receive(HANDSHAKE, CryptoFrame(0, b"other"))
    handshake.receive(APPLICATION, CryptoFrame(0, b"later"))
    assert [
        (Level.INITIAL, b"abcdefgh"),
        (Level.HANDSHAKE, b"other"),
        (Level.APPLICATION, b"later"),
    ] == tls.received


def test_what_tls_sends_is_queued_and_the_rest_is_passed_on() -> None:
    early = EarlyData(True)
    tls = Scripted([SendCrypto(Level.INITIAL, b"one"), early, SendCrypto(Level.HANDSHAKE, b"two")])
    handshake = driver(tls)

    assert [early] == handshake.receive(INITIAL, CryptoFrame(0, b"x"))
    assert (0, b"one") == handshake.spaces[INITIAL].crypto.pending()
    assert (0, b"two") == handshake.spaces[HANDSHAKE].crypto.pending()


def test_too_much_is_refused() -> None:  # RFC 9000 §7.5
    with pytest.raises(TransportError) as caught:
        driver(Scripted()).receive(INITIAL, CryptoFrame(1 << 20, b"x"))
    assert CRYPTO_BUFFER_EXCEEDED == caught.value.code
