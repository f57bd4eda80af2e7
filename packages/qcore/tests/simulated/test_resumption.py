"""Resumption and 0-RTT on the simulated network: taken, refused, overtaken, lost. RFC 9001 §4.6, RFC 9000 §7.4.1."""

from dataclasses import replace

import pytest

from qcore.admission import always_retry
from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.errors import DatagramsUnavailable, StreamLimitReached, TransportError
from qcore.events import DatagramReceived, EarlyDataDecided, HandshakeCompleted, SessionReceived
from qcore.testing import LinkConfig, Pair, Seeded
from qcore.testing.pair import SERVER_NAME, WALL, throwaway_certificate
from qtls.config import ClientTLS, ServerTLS
from qtls.constants import SECP384R1, X25519
from qtls.resumption import MemorySessionStore, Session
from qwire.constants import PROTOCOL_VIOLATION, VERSION_1, VERSION_2, PacketType
from qwire.frames import CryptoFrame, StreamFrame

LATER = WALL + 60
REQUEST = b"a request in early data"


class Rig:
    """A client that keeps sessions, and a server that takes 0-RTT."""

    def __init__(self, **server: object) -> None:
        made = throwaway_certificate()
        options = {"alpn": ("test",), "early_data": True, **server}
        self.store = MemorySessionStore()
        self.server = ServerTLS(certs=made.chain, **options)  # type: ignore[arg-type]  # fields of ServerTLS
        self.client = ClientTLS(alpn=("test",), ca=made.ca_pem, sessions=self.store)

    def pair(self, **options: object) -> Pair:
        made: dict[str, object] = {"client_tls": self.client, "server_tls": self.server, **options}
        return Pair(**made)  # type: ignore[arg-type]  # the options of Pair

    def first(self, **options: object) -> Session:
        """A connection that brings tickets; returns the newest, which stays in the store."""
        pair = self.pair(**options)
        pair.run_until(lambda: 2 == len(sessions_of(pair)))
        return sessions_of(pair)[-1]


def sessions_of(pair: Pair) -> list[Session]:
    return [event.session for event in pair.client_events if isinstance(event, SessionReceived)]


def decisions(pair: Pair) -> list[bool]:
    return [event.accepted for event in pair.client_events if isinstance(event, EarlyDataDecided)]


def confirmed(pair: Pair) -> bool:
    return pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed


def send_early(pair: Pair, data: bytes = REQUEST) -> int:
    stream = pair.client.open_stream()
    pair.client.send(stream, data, True)
    return stream


def packets(pair: Pair, kind: PacketType) -> int:
    return sum(packet.packet_type is kind for packet in pair.client_trace.sent)


# Resumption


def test_second_connection_resumes() -> None:
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1)
    pair.run_until(lambda: confirmed(pair))

    assert pair.server is not None
    assert pair.client.info.resumed
    assert pair.server.info.resumed
    assert pair.client.info.peer_certificates, "the certificate of the first connection is remembered"


def test_each_ticket_is_used_once() -> None:  # RFC 8446 §C.4
    rig = Rig(tickets=2)
    rig.first()
    silent = replace(rig.server, tickets=0)
    resumed = []
    for seed in range(3):
        pair = rig.pair(server_tls=silent, wall=LATER, seed=seed)
        pair.run_until(lambda pair=pair: confirmed(pair))  # type: ignore[misc]
        resumed.append(pair.client.info.resumed)

    assert [True, True, False] == resumed


def test_tickets_are_kept_under_the_key_that_was_given() -> None:
    rig = Rig()
    session = rig.first()
    rig.store.pop(SERVER_NAME)
    rig.store.pop(SERVER_NAME)
    rig.store.put("server.test:443", session)
    pair = rig.pair(wall=LATER)
    assert not pair.client.can_send_early

    engine = pair.client_router.connect(
        ("10.0.0.3", 443),
        tls=rig.client,
        config=QuicConfig(),
        server_name=SERVER_NAME,
        session_key="server.test:443",
        now=pair.now,
        wall_clock=LATER,
    )
    assert engine.can_send_early


def test_ticket_is_dated_when_it_comes() -> None:
    # The age is told to the server, which takes no 0-RTT when it is off by more than ten seconds.
    rig = Rig()
    slow = LinkConfig(delay=3.0)
    session = rig.first(
        to_client=slow,
        to_server=slow,
        client_config=QuicConfig(handshake_timeout=60),
        server_config=QuicConfig(handshake_timeout=60),
    )

    assert session.issued_at >= WALL + 9.0


def test_tickets_may_come_late() -> None:  # post-handshake messages, RFC 8446 §4.6.1
    rig = Rig()
    pair = rig.pair()
    pair.run_until(lambda: pair.client.is_established)
    pair.to_client.drop(3)
    pair.run_until(lambda: 2 == len(sessions_of(pair)))


# 0-RTT that is taken


def test_early_data_arrives_with_the_first_flight() -> None:
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1)
    assert pair.client.can_send_early
    stream = send_early(pair)
    start = pair.now
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert pytest.approx(0.015) == pair.now - start
    assert REQUEST == pair.received["server", stream]
    pair.run_until(lambda: confirmed(pair))
    assert pair.server is not None
    assert [True] == decisions(pair)
    assert pair.client.info.early_accepted
    assert pair.server.info.early_accepted
    completed = [event for event in pair.client_events if isinstance(event, HandshakeCompleted)]
    assert [(True, True)] == [(event.is_resumed, event.early_data_accepted) for event in completed]


def test_server_answers_within_one_round_trip() -> None:
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1)
    stream = send_early(pair)
    start = pair.now
    pair.run_until(lambda: ("server", stream) in pair.finished)
    assert pair.server is not None
    pair.server.send(stream, b"answer", True)
    pair.run_until(lambda: ("client", stream) in pair.finished)

    assert pytest.approx(0.03) == pair.now - start


def test_much_early_data_arrives_whole() -> None:
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=2)
    data = Seeded("early")(60_000)
    stream = send_early(pair, data)
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert data == pair.received["server", stream]
    assert packets(pair, PacketType.ZERO_RTT) > 5


def test_datagrams_may_go_early() -> None:  # RFC 9221 §3
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1)
    assert pair.client.send_datagram(b"early")
    pair.run_until(lambda: DatagramReceived(b"early") in pair.server_events)
    pair.run_until(lambda: pair.client.is_established)

    assert [True] == decisions(pair)


def test_datagrams_need_a_remembered_limit() -> None:  # RFC 9221 §3
    rig = Rig()
    rig.first(server_config=QuicConfig(datagrams=False))
    pair = rig.pair(wall=LATER)
    assert pair.client.can_send_early
    with pytest.raises(DatagramsUnavailable):
        pair.client.send_datagram(b"early")

    pair.run_until(lambda: pair.client.is_established)
    assert pair.client.send_datagram(b"now")


def test_remembered_limits_hold_for_early_data() -> None:  # RFC 9000 §7.4.1
    rig = Rig()
    small = QuicConfig(max_bidi=2, stream_window=1_000, connection_window=1_500)
    rig.first(server_config=small)
    pair = rig.pair(wall=LATER, seed=1, server_config=small)
    streams = [send_early(pair, bytes(2_000)) for _ in range(2)]
    with pytest.raises(StreamLimitReached):
        pair.client.open_stream()
    pair.client.events()
    pair.to_client.filter(lambda datagram: False)
    pair.run_for(0.1)

    assert 1_500 == sum(len(pair.received["server", stream]) for stream in streams)


def test_limits_may_grow() -> None:  # RFC 9000 §7.4.1
    rig = Rig()
    rig.first(server_config=QuicConfig(max_bidi=1, stream_window=1_000))
    pair = rig.pair(wall=LATER, seed=1)
    stream = send_early(pair, bytes(50_000))
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert [True] == decisions(pair)
    for _ in range(20):
        pair.client.open_stream()


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_any_one_datagram_of_a_resumption_may_be_lost(direction: str, index: int) -> None:
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=index)
    seen = 0

    def keep(datagram: Datagram) -> bool:
        nonlocal seen
        seen += 1
        return seen - 1 != index

    getattr(pair, direction).filter(keep)
    data = Seeded(f"early {index}")(4_000)
    stream = send_early(pair, data)
    pair.run_until(lambda: ("server", stream) in pair.finished and confirmed(pair), limit=10)

    assert data == pair.received["server", stream]
    assert pair.client.info.resumed


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_any_one_datagram_of_a_rejection_may_be_lost(direction: str, index: int) -> None:
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=index, server_tls=replace(rig.server, early_data=False))
    seen = 0

    def keep(datagram: Datagram) -> bool:
        nonlocal seen
        seen += 1
        return seen - 1 != index

    getattr(pair, direction).filter(keep)
    send_early(pair, bytes(4_000))
    pair.run_until(lambda: pair.client.is_established, limit=10)
    assert [False] == decisions(pair)
    data = Seeded(f"again {index}")(4_000)
    stream = send_early(pair, data)
    pair.run_until(lambda: ("server", stream) in pair.finished and confirmed(pair), limit=10)

    assert data == pair.received["server", stream]


def test_early_data_survives_heavy_loss() -> None:
    taken = 0
    for seed in range(30):
        link = LinkConfig(loss=0.25, max_loss_run=3, reorder=0.2, duplicate=0.1)
        rig = Rig()
        rig.first()
        slow = QuicConfig(handshake_timeout=60)
        pair = rig.pair(
            wall=LATER, seed=seed, to_server=link, to_client=link, client_config=slow, server_config=slow
        )
        data = Seeded(f"early {seed}")(20_000)
        stream = send_early(pair, data)
        pair.run_until(lambda pair=pair, stream=stream: ("server", stream) in pair.finished, limit=60)  # type: ignore[misc]
        assert data == pair.received["server", stream], f"seed {seed}"
        pair.run_until(lambda pair=pair: confirmed(pair), limit=60)  # type: ignore[misc]
        taken += pair.client.info.early_accepted

    assert 30 == taken


def test_early_data_that_overtakes_the_initial_is_kept() -> None:  # RFC 9000 §5.2.2
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1)
    held: list[Datagram] = []

    def hold_initials(datagram: Datagram) -> bool:
        if 0xC0 == datagram.data[0] & 0xF0 and not pair.server:
            held.append(datagram)
            return False
        return True

    pair.to_server.filter(hold_initials)
    data = Seeded("overtaking")(3_000)
    stream = send_early(pair, data)
    pair.run_for(0.02)
    assert pair.server is None
    assert held
    for datagram in held:
        for engine in pair.router.receive([Datagram(datagram.data, pair.client_address)], pair.now):
            pair.server = engine
    held.clear()
    start = pair.now
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert start == pair.now, "what came before was not kept"
    assert data == pair.received["server", stream]


def test_early_data_goes_again_after_a_retry() -> None:  # RFC 9000 §17.2.5.3
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1, admit=always_retry)
    stream = send_early(pair)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    pair.run_until(lambda: confirmed(pair))

    assert 1 == pair.client_trace.count("retry_received")
    assert [True] == decisions(pair)
    numbers = [
        packet.packet_number for packet in pair.client_trace.sent if packet.packet_type is PacketType.ZERO_RTT
    ]
    assert len(numbers) >= 2
    assert numbers == sorted(set(numbers)), "packet numbers go on after a Retry"


def test_keys_of_early_data_go_in_time() -> None:  # RFC 9001 §4.9.3
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1)
    send_early(pair)
    pair.run_until(lambda: confirmed(pair))
    assert pair.server is not None
    assert pair.client.parts.spaces[2].early_sealer is None
    pair.run_for(2.0)

    assert pair.server.parts.spaces[2].early_opener is None


def test_early_packets_keep_the_first_version() -> None:  # RFC 9369 §4.1
    rig = Rig()
    rig.first()
    pair = rig.pair(
        wall=LATER,
        seed=1,
        server_config=QuicConfig(versions=(VERSION_2, VERSION_1)),
        to_server=LinkConfig(rate=1e6),
    )
    data = Seeded("version")(20_000)
    stream = send_early(pair, data)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    pair.run_until(lambda: confirmed(pair))

    assert VERSION_2 == pair.client.info.version
    assert data == pair.received["server", stream]
    assert [True] == decisions(pair)


# 0-RTT that is refused


def is_rejected_cleanly(pair: Pair) -> None:
    """Early streams are gone, new ones work, and the server has seen nothing of what was sent early."""
    early = send_early(pair, b"early, and never to be seen" * 300)
    pair.run_until(lambda: pair.client.is_established)
    assert [False] == decisions(pair)
    assert not pair.client.info.early_accepted
    again = send_early(pair, b"again")
    assert early == again, "stream IDs start over"
    pair.run_until(lambda: ("server", again) in pair.finished)
    assert b"again" == pair.received["server", again]
    pair.run_until(lambda: confirmed(pair))
    order = [type(event) for event in pair.client_events]
    assert order.index(EarlyDataDecided) < order.index(HandshakeCompleted)


def test_server_without_early_data_rejects_it() -> None:
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1, server_tls=replace(rig.server, early_data=False))
    is_rejected_cleanly(pair)
    assert pair.client.info.resumed


def test_config_without_early_data_rejects_it() -> None:
    rig = Rig()
    rig.first()
    is_rejected_cleanly(rig.pair(wall=LATER, seed=1, server_config=QuicConfig(early_data=False)))


def test_tickets_of_a_server_without_early_data_do_not_offer_it() -> None:
    rig = Rig()
    rig.first(server_config=QuicConfig(early_data=False))
    pair = rig.pair(wall=LATER, seed=1)

    assert not pair.client.can_send_early
    with pytest.raises(StreamLimitReached):
        pair.client.open_stream()


def test_client_without_early_data_offers_none() -> None:
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1, client_config=QuicConfig(early_data=False))
    assert not pair.client.can_send_early
    pair.run_until(lambda: confirmed(pair))

    assert [] == decisions(pair)
    assert pair.client.info.resumed


def test_restarted_server_rejects_early_data() -> None:
    rig = Rig()
    rig.first()
    made = throwaway_certificate()
    restarted = ServerTLS(certs=made.chain, alpn=("test",), early_data=True)
    pair = rig.pair(wall=LATER, seed=1, server_tls=restarted)
    is_rejected_cleanly(pair)
    assert not pair.client.info.resumed


def test_other_protocol_rejects_early_data() -> None:  # RFC 8446 §4.2.10
    rig = Rig()
    rig.first()
    pair = rig.pair(
        wall=LATER,
        seed=1,
        client_tls=replace(rig.client, alpn=("newer", "test")),
        server_tls=replace(rig.server, alpn=("newer", "test")),
    )
    is_rejected_cleanly(pair)
    assert "newer" == pair.client.info.alpn


def test_hello_retry_request_rejects_early_data() -> None:  # RFC 8446 §4.2.10
    rig = Rig()
    rig.first()
    pair = rig.pair(
        wall=LATER,
        seed=1,
        client_tls=replace(rig.client, groups=(X25519, SECP384R1)),
        server_tls=replace(rig.server, groups=(SECP384R1,)),
    )
    is_rejected_cleanly(pair)
    assert pair.client.info.resumed, "the ticket still counts"


def test_version_negotiation_rejects_early_data() -> None:
    rig = Rig()
    rig.first(client_config=QuicConfig(versions=(VERSION_2,)))
    pair = rig.pair(
        wall=LATER,
        seed=1,
        client_config=QuicConfig(versions=(VERSION_2, VERSION_1)),
        server_config=QuicConfig(versions=(VERSION_1,)),
    )
    assert pair.client.can_send_early
    is_rejected_cleanly(pair)


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"max_bidi": 99}, id="streams"),
        pytest.param({"max_uni": 99}, id="unidirectional streams"),
        pytest.param({"stream_window": 1 << 19}, id="stream data"),
        pytest.param({"connection_window": 1 << 20}, id="connection data"),
        pytest.param({"datagrams": False}, id="datagrams"),
    ],
)
def test_lower_limits_reject_early_data(limits: dict[str, int]) -> None:  # RFC 9000 §7.4.1
    rig = Rig()
    rig.first()
    is_rejected_cleanly(rig.pair(wall=LATER, seed=1, server_config=QuicConfig(**limits)))  # type: ignore[arg-type]


def test_replayed_early_data_is_rejected() -> None:  # RFC 8446 §8
    rig = Rig()
    session = rig.first()
    decided = []
    for _ in range(2):
        rig.store.put(SERVER_NAME, session)
        pair = rig.pair(wall=LATER, seed=1)  # the same seed: the same ClientHello, byte for byte
        send_early(pair)
        pair.run_until(lambda pair=pair: pair.client.is_established)  # type: ignore[misc]
        decided += decisions(pair)

    assert [True, False] == decided


def test_server_that_takes_early_data_with_lower_limits_is_left() -> None:  # RFC 9000 §7.4.1
    rig = Rig()
    session = rig.first()
    # What the client believes to remember is more than this server ever gave.
    more = Rig()
    richer = more.first(server_config=QuicConfig(max_bidi=1_000))
    rig.store.pop(SERVER_NAME)
    rig.store.put(SERVER_NAME, replace(session, transport_parameters=richer.transport_parameters))
    pair = rig.pair(wall=LATER, seed=1)
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, TransportError)
    assert PROTOCOL_VIOLATION == pair.client.error.code
    assert "initial_max_streams_bidi is 100, was 1000" in pair.client.error.reason


def test_rejected_early_packets_do_not_hold_up_others() -> None:
    # The waiting list has ten places: 0-RTT packets that will never be opened must not take them.
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1, server_tls=replace(rig.server, early_data=False))
    send_early(pair, bytes(16_000))
    pair.run_until(lambda: pair.client.is_established)

    assert pair.server is not None
    assert [] == pair.server.parts.receiver.waiting


def test_waiting_for_keys_is_no_part_of_a_round_trip() -> None:  # RFC 9002 §5.3
    # The ServerHello is lost, and what acknowledges the 0-RTT packets waits until it has come again.
    rig = Rig()
    rig.first()
    pair = rig.pair(wall=LATER, seed=1)
    send_early(pair, bytes(5_000))
    seen = 0

    def lose_the_server_hello(datagram: Datagram) -> bool:
        nonlocal seen
        seen += 0xC0 == datagram.data[0] & 0xF0
        return 0xC0 != datagram.data[0] & 0xF0 or pair.now > 1_000.5

    pair.to_client.filter(lose_the_server_hello)
    pair.run_until(lambda: confirmed(pair))

    assert seen > 1
    assert pair.client.stats().smoothed_rtt < 0.1


def tickets_after(pair: Pair, start: float) -> float:
    pair.run_until(lambda: 2 == len(sessions_of(pair)))
    return pair.now - start


def test_tickets_follow_what_the_server_says_first() -> None:
    # neqo throws away a ticket that comes before the SETTINGS of HTTP/3.
    pair = Rig().pair()
    pair.run_until(lambda: pair.server is not None and pair.server.is_established)
    assert pair.server is not None
    pair.server.send(pair.server.open_stream(), b"settings")
    start = pair.now
    assert pytest.approx(0.015) == tickets_after(pair, start)

    order = [
        type(frame)
        for packet in pair.client_trace.received
        if packet.packet_type is PacketType.ONE_RTT
        for frame in packet.frames
    ]
    assert order.index(StreamFrame) < order.index(CryptoFrame)


def test_tickets_do_not_wait_for_a_silent_server() -> None:
    pair = Rig().pair()
    pair.run_until(lambda: pair.server is not None and pair.server.is_established)

    assert pytest.approx(0.05 + 0.015) == tickets_after(pair, pair.now)
