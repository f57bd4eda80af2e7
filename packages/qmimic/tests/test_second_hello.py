"""After a HelloRetryRequest every profile sends a second ClientHello, laid out as the first was. RFC 8446 §4.1.4."""

from dataclasses import replace

import pytest

from qcore.admission import Admit, always_retry
from qcore.batch import Datagram
from qcore.packing.initial_flight import InOrder
from qcore.testing import Pair, Seeded
from qcore.testing.pair import throwaway_certificate
from qmimic import profile, profiles
from qmimic.profile import DrawnClient
from qtls.config import ServerTLS
from qtls.constants import SECP384R1
from qtls.messages.client_hello import ClientHello
from qwire.constants import PacketType
from qwire.frames import CryptoFrame

NAMES = [each.name for each in profiles()]


def asked_again(drawn: DrawnClient, admit: Admit | None = None) -> Pair:
    """A drawn client at a server that wants P-384, for which no client sends a share."""
    made = throwaway_certificate()
    return Pair(
        client_config=drawn.quic,
        client_tls=replace(drawn.tls, ca=made.ca_pem),
        server_tls=ServerTLS(certs=made.chain, alpn=("h3",), groups=(SECP384R1,)),
        admit=admit,
    )


def crypto_frames(pair: Pair) -> list[CryptoFrame]:
    """CRYPTO frames of Initial packets as the client sent them."""
    return [
        frame
        for packet in pair.client_trace.sent
        if packet.packet_type is PacketType.INITIAL
        for frame in packet.frames
        if isinstance(frame, CryptoFrame)
    ]


def hellos(pair: Pair) -> list[ClientHello]:
    """The messages in the client's Initial CRYPTO stream."""
    stream = bytearray()
    for frame in sorted(crypto_frames(pair), key=lambda frame: frame.offset):
        stream[frame.offset : frame.offset + len(frame.data)] = frame.data
    size = 4 + int.from_bytes(stream[1:4], "big")
    return [ClientHello(bytes(stream[:size])), ClientHello(bytes(stream[size:]))]


@pytest.mark.parametrize(
    "admit", [pytest.param(None, id="at once"), pytest.param(always_retry, id="after Retry")]
)
@pytest.mark.parametrize("name", NAMES)
def test_profile_answers_a_hello_retry_request(name: str, admit: Admit | None) -> None:
    for seed in range(5):
        drawn = profile(name).draw(Seeded(f"{name} {seed}"))
        pair = asked_again(drawn, admit)
        sizes: list[int] = []

        def note(datagram: Datagram, sizes: list[int] = sizes) -> bool:
            if 0xC0 == datagram.data[0] & 0xF0:
                sizes.append(len(datagram.data))
            return True

        pair.to_server.filter(note)
        pair.run_until(lambda pair=pair: pair.client.is_confirmed)  # type: ignore[misc]

        assert "secp384r1" == pair.client.info.group
        assert {drawn.quic.initial.datagram_size} == set(sizes), f"seed {seed}"
        first, second = hellos(pair)
        assert (first.random, first.cipher_suites) == (second.random, second.cipher_suites)
        assert [SECP384R1] == [group for group, _ in second.key_shares()]
        pieces = [frame for frame in crypto_frames(pair) if frame.offset >= len(first.raw)]
        if not isinstance(drawn.quic.initial.layout, InOrder):
            assert len(pieces) > 1, f"seed {seed}: the second ClientHello was not laid out"
