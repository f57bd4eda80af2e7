"""HelloRetryRequest on the simulated network: the second ClientHello, its layout, and losses. RFC 8446 §4.1.4."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from qcore.admission import always_retry
from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.errors import TransportError
from qcore.packing.initial_flight import (
    Crypto,
    FlightContext,
    FlightReason,
    InitialPolicy,
    Padding,
    Ping,
    Placement,
)
from qcore.testing import LinkConfig, Pair
from qcore.testing.pair import throwaway_certificate
from qtls.client_hello import DefaultHello
from qtls.config import ClientTLS, ServerTLS
from qtls.constants import SECP256R1, SECP384R1, X25519, X25519MLKEM768
from qwire.constants import INTERNAL_ERROR, PacketType
from qwire.frames import CryptoFrame, PingFrame


def asking(client: tuple[int, ...], server: tuple[int, ...], **options: object) -> Pair:
    """A pair whose server has to ask for a share, as the client's first group is none of its own."""
    made = throwaway_certificate()
    hello = DefaultHello(share_groups=client[:1])
    both: dict[str, object] = {
        "client_tls": ClientTLS(alpn=("test",), ca=made.ca_pem, groups=client, hello=hello),
        "server_tls": ServerTLS(certs=made.chain, alpn=("test",), groups=server),
        **options,
    }
    return Pair(**both)  # type: ignore[arg-type]  # the options of Pair


def confirmed(pair: Pair) -> bool:
    return pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed


@pytest.mark.parametrize(
    ("client", "server", "name"),
    [
        pytest.param((X25519, SECP384R1), (SECP384R1,), "secp384r1", id="to P-384"),
        pytest.param((SECP384R1, X25519), (X25519,), "x25519", id="to X25519"),
        pytest.param((X25519, SECP256R1), (SECP256R1,), "secp256r1", id="to P-256"),
        pytest.param((X25519, X25519MLKEM768), (X25519MLKEM768,), "X25519MLKEM768", id="to X25519MLKEM768"),
        pytest.param((X25519MLKEM768, SECP384R1), (SECP384R1,), "secp384r1", id="from X25519MLKEM768"),
    ],
)
def test_handshake_goes_on_with_the_group_asked_for(
    client: tuple[int, ...], server: tuple[int, ...], name: str
) -> None:
    pair = asking(client, server)
    start = pair.now
    pair.run_until(lambda: pair.client.is_established)

    assert pytest.approx(0.06) == pair.now - start, "two round trips"
    pair.run_until(lambda: confirmed(pair))
    assert pair.server is not None
    assert name == pair.client.info.group == pair.server.info.group
    assert pair.client.export(b"label", b"", 32) == pair.server.export(b"label", b"", 32)


class Mixed:
    """Pieces in reverse order with PING and PADDING between them, half of them in each of two datagrams."""

    def __init__(self) -> None:
        self.flights: list[FlightContext] = []

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]]:
        self.flights.append(flight)
        plan: list[list[Placement]] = [[], []]
        for start, stop in flight.ranges:
            cuts = [start + (stop - start) * part // 6 for part in range(7)]
            pieces = [Crypto(first, last) for first, last in pairwise(cuts) if first < last]
            for index, piece in enumerate(reversed(pieces)):
                plan[index & 1] += [piece, Ping(), Padding(3)]
        return [each for each in plan if each]


def mixed_config(layout: Mixed) -> QuicConfig:
    return QuicConfig(initial=InitialPolicy(layout=layout, datagram_size=1250))


def test_second_hello_is_laid_out_again() -> None:
    layout = Mixed()
    pair = asking((X25519, SECP384R1), (SECP384R1,), client_config=mixed_config(layout))
    pair.run_until(lambda: confirmed(pair))

    assert [FlightReason.FIRST, FlightReason.SECOND_HELLO] == [flight.reason for flight in layout.flights]
    first, second = layout.flights
    assert (0, len(first.crypto)) == (first.base, second.base)
    assert b"\x01" == first.crypto[:1] == second.crypto[:1], "both are whole ClientHello messages"
    assert [(0, len(second.crypto))] == list(second.ranges)
    assert first.crypto[6:38] == second.crypto[6:38], "the same random"

    frames = [
        frame
        for packet in pair.client_trace.sent
        if packet.packet_type is PacketType.INITIAL
        for frame in packet.frames
    ]
    offsets = [
        frame.offset for frame in frames if isinstance(frame, CryptoFrame) and frame.offset >= second.base
    ]
    assert 6 == len(offsets)
    assert max(offsets) == offsets[0], "in the order of the layout"
    assert any(isinstance(frame, PingFrame) for frame in frames)


def test_second_hello_fills_its_datagrams_like_the_first() -> None:
    sizes: list[int] = []
    pair = asking((X25519, SECP384R1), (SECP384R1,), client_config=mixed_config(Mixed()))

    def note(datagram: Datagram) -> bool:
        if 0xC0 == datagram.data[0] & 0xF0:
            sizes.append(len(datagram.data))
        return True

    pair.to_server.filter(note)
    pair.run_until(lambda: confirmed(pair))

    assert len(sizes) >= 4
    assert {1250} == set(sizes)


@pytest.mark.parametrize("layout", [pytest.param(False, id="in order"), pytest.param(True, id="mixed")])
@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_any_one_datagram_may_be_lost(direction: str, index: int, layout: bool) -> None:
    pair = asking(
        (X25519, X25519MLKEM768, SECP384R1),
        (X25519MLKEM768,),
        seed=index,
        client_config=mixed_config(Mixed()) if layout else None,
    )
    seen = 0

    def keep(datagram: Datagram) -> bool:
        nonlocal seen
        seen += 1
        return seen - 1 != index

    getattr(pair, direction).filter(keep)
    pair.run_until(lambda: confirmed(pair), limit=10)


def test_heavy_loss_is_survived() -> None:
    for seed in range(30):
        link = LinkConfig(loss=0.25, max_loss_run=3, reorder=0.2, duplicate=0.1)
        slow = QuicConfig(handshake_timeout=60)
        pair = asking(
            (X25519, SECP384R1),
            (SECP384R1,),
            seed=seed,
            to_server=link,
            to_client=link,
            client_config=replace(slow, initial=InitialPolicy(layout=Mixed())) if seed & 1 else slow,
            server_config=slow,
        )
        pair.run_until(lambda pair=pair: confirmed(pair), limit=60)  # type: ignore[misc]


def test_address_may_have_to_be_proved_first() -> None:  # RFC 9000 §8.1.2
    layout = Mixed()
    pair = asking((X25519, SECP384R1), (SECP384R1,), admit=always_retry, client_config=mixed_config(layout))
    pair.run_until(lambda: confirmed(pair))

    reasons = [flight.reason for flight in layout.flights]
    assert [FlightReason.FIRST, FlightReason.RETRY, FlightReason.SECOND_HELLO] == reasons
    assert "secp384r1" == pair.client.info.group


class OnlyOnce:
    """A layout that cannot do what comes after its first flight."""

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        return None if flight.reason is FlightReason.FIRST else [[Crypto(0, 10)]]


def test_layout_that_fails_ends_the_connection() -> None:
    pair = asking(
        (X25519, SECP384R1),
        (SECP384R1,),
        client_config=QuicConfig(initial=InitialPolicy(layout=OnlyOnce())),
    )
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, TransportError)
    assert INTERNAL_ERROR == pair.client.error.code
    assert "leaves byte 10" in pair.client.error.reason


def test_no_common_group_is_told() -> None:
    pair = asking((X25519,), (SECP384R1,))
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, TransportError)
    assert 0x128 == pair.client.error.code  # handshake_failure
