"""What a packet as a whole has to satisfy before its frames count."""

import pytest

from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.testing import Pair
from qcore.testing.pair import SERVER_ADDRESS
from qwire.constants import NO_ERROR, TP_GREASE_QUIC_BIT, TP_INITIAL_SOURCE_CONNECTION_ID, PacketType
from qwire.frames import ConnectionCloseFrame, PingFrame, StreamFrame
from qwire.transport_parameters import Parameter, TransportParameters

from .crafting import Cheat, confirmed_pair, craft, early_pair, halfway_pair

PING = PingFrame()


def received(cheat: Cheat, packet_type: PacketType) -> int:
    """How many packets of a type the victim has processed."""
    trace = cheat.pair.server_trace if cheat.side == "client" else cheat.pair.client_trace
    return sum(packet.packet_type is packet_type for packet in trace.received)


def dropped(cheat: Cheat) -> list[str]:
    trace = cheat.pair.server_trace if cheat.side == "client" else cheat.pair.client_trace
    return trace.dropped


@pytest.mark.parametrize("side", ["client", "server"])
def test_coalesced_packets_are_all_processed(side: str) -> None:  # RFC 9000 §12.2
    cheat = Cheat(halfway_pair(), side)
    before = received(cheat, PacketType.HANDSHAKE)
    cheat.deliver(
        craft(cheat.engine, PacketType.HANDSHAKE, PING) + craft(cheat.engine, PacketType.HANDSHAKE, PING)
    )

    assert before + 2 == received(cheat, PacketType.HANDSHAKE)


@pytest.mark.parametrize(
    ("side", "second"),
    [
        ("client", PacketType.HANDSHAKE),
        ("client", PacketType.ONE_RTT),
        ("server", PacketType.HANDSHAKE),
    ],
)
def test_coalesced_packet_for_another_connection_id_is_dropped(
    side: str, second: PacketType
) -> None:  # RFC 9000 §12.2
    cheat = Cheat(halfway_pair(), side)
    cid = cheat.engine.parts.packer.headers.destination_cid
    other = bytes((cid[0] ^ 1,)) + cid[1:]
    before = received(cheat, PacketType.HANDSHAKE)
    first = craft(cheat.engine, PacketType.HANDSHAKE, PING)
    cheat.deliver(first + craft(cheat.engine, second, PING, destination_cid=other))

    assert before + 1 == received(cheat, PacketType.HANDSHAKE)
    assert "another connection ID" in dropped(cheat)[-1]
    assert not cheat.victim.parts.receiver.waiting


@pytest.mark.parametrize("side", ["client", "server"])
def test_packet_that_does_not_open_leaves_the_next_ones_alone(side: str) -> None:  # RFC 9000 §12.2
    cheat = Cheat(halfway_pair(), side)
    before = received(cheat, PacketType.HANDSHAKE)
    broken = craft(cheat.engine, PacketType.HANDSHAKE, PING)
    broken = broken[:-1] + bytes((broken[-1] ^ 1,))
    cheat.deliver(broken + craft(cheat.engine, PacketType.HANDSHAKE, PING))

    assert before + 1 == received(cheat, PacketType.HANDSHAKE)


@pytest.mark.parametrize("side", ["client", "server"])
def test_changed_source_connection_id_is_dropped(side: str) -> None:  # RFC 9000 §7.2
    cheat = Cheat(halfway_pair(), side)
    before = received(cheat, PacketType.HANDSHAKE)
    cheat.send(PacketType.HANDSHAKE, PING, source_cid=b"elsewhere")

    assert before == received(cheat, PacketType.HANDSHAKE)
    assert "source connection ID" in dropped(cheat)[-1]


def test_initial_packets_with_another_source_do_not_move_the_peer() -> None:  # RFC 9000 §7.2
    cheat = Cheat(early_pair(), "client")
    before = cheat.victim.parts.packer.headers.destination_cid
    cheat.send(PacketType.INITIAL, PING, source_cid=b"elsewhere", full=True)

    assert before == cheat.victim.parts.packer.headers.destination_cid
    assert "source connection ID" in dropped(cheat)[-1]


def test_small_datagram_with_an_initial_packet_is_dropped_by_a_server() -> None:  # RFC 9000 §14.1
    cheat = Cheat(early_pair(), "client")
    before = received(cheat, PacketType.INITIAL)
    full = craft(cheat.engine, PacketType.INITIAL, PING, full=True)
    assert 1200 == len(full)
    cheat.deliver(craft(cheat.engine, PacketType.INITIAL, bytes(1000) + b"\x01"))
    assert before == received(cheat, PacketType.INITIAL)

    cheat.deliver(full)
    assert before + 1 == received(cheat, PacketType.INITIAL)


def test_small_datagram_with_an_initial_packet_is_taken_by_a_client() -> None:  # RFC 9000 §14.1
    cheat = Cheat(early_pair(), "server")
    cheat.send(PacketType.INITIAL, PING)

    assert 1 == received(cheat, PacketType.INITIAL)


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("packet_type", [PacketType.HANDSHAKE, PacketType.ONE_RTT])
def test_packet_is_processed_once(side: str, packet_type: PacketType) -> None:  # RFC 9000 §12.3
    cheat = Cheat(halfway_pair() if packet_type is PacketType.HANDSHAKE else confirmed_pair(), side)
    before = received(cheat, packet_type)
    data = craft(cheat.engine, packet_type, PING)
    cheat.deliver(data, data)
    cheat.deliver(data)

    assert before + 1 == received(cheat, packet_type)
    assert ["duplicate"] * 2 == dropped(cheat)[-2:]


def test_client_drops_datagrams_of_strangers() -> None:  # RFC 9000 §9.3
    cheat = Cheat(confirmed_pair(), "server")
    before = received(cheat, PacketType.ONE_RTT)
    data = craft(cheat.engine, PacketType.ONE_RTT, PING)
    cheat.victim.receive([Datagram(data, ("192.0.2.66", 4433))], cheat.pair.now)
    assert before == received(cheat, PacketType.ONE_RTT)

    cheat.victim.receive([Datagram(data, SERVER_ADDRESS)], cheat.pair.now)
    assert before + 1 == received(cheat, PacketType.ONE_RTT)


def test_nothing_is_processed_after_a_close_in_the_same_packet() -> None:  # RFC 9000 §10.2.2
    cheat = Cheat(confirmed_pair(), "client")
    close = ConnectionCloseFrame(NO_ERROR, 0, b"", False)
    cheat.send(PacketType.ONE_RTT, close)
    before = received(cheat, PacketType.ONE_RTT)
    cheat.send(PacketType.ONE_RTT, StreamFrame(0, 0, b"late", False))

    assert cheat.victim.is_closed
    assert before == received(cheat, PacketType.ONE_RTT)
    assert [] == cheat.answer(), "nothing is sent while draining"


def test_one_rtt_packets_wait_for_the_handshake() -> None:  # RFC 9001 §5.7
    cheat = Cheat(halfway_pair(), "client")
    cheat.send(PacketType.ONE_RTT, StreamFrame(0, 0, b"early bird", True))
    assert 0 == received(cheat, PacketType.ONE_RTT)

    pair = cheat.pair
    pair.run_until(lambda: ("server", 0) in pair.finished)
    assert b"early bird" == pair.received["server", 0]


def test_waiting_packets_are_bounded() -> None:
    cheat = Cheat(halfway_pair(), "client")
    for _ in range(40):
        cheat.send(PacketType.ONE_RTT, PING, full=True)

    assert 10 == len(cheat.victim.parts.receiver.waiting)
    assert 30 == dropped(cheat).count("too many packets wait for keys")


def test_waiting_packet_is_kept_without_its_neighbours() -> None:
    cheat = Cheat(early_pair(), "server")
    initial = craft(cheat.engine, PacketType.INITIAL, bytes(500) + b"\x01")
    handshake = craft(cheat.engine, PacketType.HANDSHAKE, PING)
    cheat.deliver(initial + handshake)

    assert [handshake] == [datagram.data for datagram in cheat.victim.parts.receiver.waiting]


def test_greased_bit_is_taken_from_the_first_packet_on() -> None:  # RFC 9287 §3
    entries = [Parameter(TP_INITIAL_SOURCE_CONNECTION_ID, b""), Parameter(TP_GREASE_QUIC_BIT, b"")]
    pair = Pair(client_config=QuicConfig(parameters=TransportParameters(entries)))

    assert not pair.client.parts.receiver.requires_fixed_bit
    assert Pair(client_config=QuicConfig(grease=False)).client.parts.receiver.requires_fixed_bit
