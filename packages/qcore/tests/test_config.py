"""What is configured is what is sent, and what is sent is what is enforced."""

import pickle
from dataclasses import replace

import pytest

from qcore.config import ACTIVE_CONNECTION_ID_LIMIT, QuicConfig, local_parameters
from qcore.packing.initial_flight import InitialPolicy
from qcore.testing import Pair
from qcore.testing.pair import CLIENT_ADDRESS, SERVER_ADDRESS
from qtls.constants import EXT_QUIC_TRANSPORT_PARAMETERS
from qwire.constants import (
    CONNECTION_ID_LIMIT_ERROR,
    FLOW_CONTROL_ERROR,
    STREAM_LIMIT_ERROR,
    TP_GREASE_QUIC_BIT,
    VERSION_1,
    VERSION_2,
    PacketType,
)
from qwire.frames import DatagramFrame, Frame, NewConnectionIdFrame, StreamFrame
from qwire.transport_parameters import Parameter, TransportParameters

from .engine.crafting import Cheat, confirmed_pair, first_flight
from .engine.sites import Site, Wire
from .packing.opening import crypto_of, open_flight

MIB = 1 << 20


def varint(value: int) -> bytes:
    return (
        (0xC0 << 56 | value).to_bytes(8, "big")
        if value >= 1 << 30
        else (0x80 << 24 | value).to_bytes(4, "big")
    )


# Out of order, with an unknown entry and integers longer than they need be.
ODD = TransportParameters(
    [
        Parameter(0x3127, b"\x01\x02\x03"),
        Parameter(0x04, varint(15_728_640)),
        Parameter(0x0F, b"overwritten", length_size=2),
        Parameter(0x01, varint(30_000)),
        Parameter(0x1B + 31 * 77, b"grease", id_size=8),
        Parameter(0x05, varint(6_291_456)),
        Parameter(0x09, b"\x40\x67"),
        Parameter(0x0E, b"\x08"),
        Parameter(0x20, varint(65_536), id_size=2, length_size=4),
    ]
)


def told(hello: bytes) -> bytes:
    """The transport parameters in a ClientHello."""
    at = 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at] + 2
    while at < len(hello):
        kind, size = int.from_bytes(hello[at : at + 2], "big"), int.from_bytes(hello[at + 2 : at + 4], "big")
        if kind == EXT_QUIC_TRANSPORT_PARAMETERS:
            return hello[at + 4 : at + 4 + size]
        at += 4 + size
    raise AssertionError("no transport parameters")


@pytest.mark.parametrize("cid_size", [0, 8, 20])
def test_parameters_are_sent_byte_by_byte_as_given(cid_size: int) -> None:
    config = QuicConfig(parameters=ODD, initial=InitialPolicy(source_cid_size=cid_size))
    pair = Pair(client_config=config)
    packets = open_flight(first_flight(pair.client, pair.now))
    source_cid = packets[0].header.source_cid
    entries = [
        Parameter(entry.id, source_cid, entry.id_size, entry.length_size) if entry.id == 0x0F else entry
        for entry in ODD.entries
    ]

    assert cid_size == len(source_cid)
    assert TransportParameters(entries).encode() == told(crypto_of(packets))
    assert pair.client.parts.parameters.encode() == told(crypto_of(packets))
    pair.run_until(lambda: pair.client.is_confirmed)


@pytest.mark.parametrize("number", [0x11, 0xFF73DB])
def test_prescribed_version_follows_negotiation(number: int) -> None:  # RFC 9368 §4
    prescribed = bytes.fromhex("00000001 6b3343cf 00000001")
    parameters = TransportParameters([Parameter(number, prescribed), Parameter(0x4000, b"\0\0\0\1")])
    config = QuicConfig(versions=(VERSION_1, VERSION_2), parameters=parameters)

    sent = [local_parameters(config, b"", version=version) for version in (VERSION_1, VERSION_2)]

    assert [prescribed, bytes.fromhex("6b3343cf") + prescribed[4:]] == [each.get(number) for each in sent]
    assert [b"\0\0\0\1"] * 2 == [each.get(0x4000) for each in sent]


def test_server_puts_its_own_entries_in_front() -> None:
    pair = Pair(server_config=QuicConfig(parameters=ODD))
    pair.run_until(lambda: pair.client.is_confirmed)
    peer = pair.client.info.peer_parameters
    assert peer is not None

    assert [entry.id for entry in ODD.entries] == [entry.id for entry in peer.entries][2:]
    assert [0x00, 0x02] == [entry.id for entry in peer.entries][:2]


def chrome_like(**values: int) -> QuicConfig:
    limits = {0x04: 15_728_640, 0x05: 6_291_456, 0x06: 6_291_456, 0x07: 6_291_456, 0x08: 100, 0x09: 103}
    limits.update({int(key[1:], 16): value for key, value in values.items()})
    return QuicConfig(
        parameters=TransportParameters(
            [*(Parameter(number, varint(value)) for number, value in limits.items()), Parameter(0x0F, b"")]
        ),
        # None of these counts.
        stream_window=1_000,
        connection_window=1_000,
        max_bidi=1,
        max_uni=1,
    )


def test_advertised_stream_window_is_the_window() -> None:  # RFC 9000 §4.1
    pair = confirmed_pair(client_config=chrome_like(), auto_read=False)
    assert pair.server is not None
    stream = pair.client.open_stream()
    pair.client.send(stream, b"x")
    pair.run_for(0.1)
    pair.server.send(stream, bytes(6_291_456 + 10_000))
    pair.run_for(30.0)

    cheat = Cheat(pair, "server")
    cheat.send(PacketType.ONE_RTT, StreamFrame(stream, 6_291_455, b"\0", False))
    assert cheat.code is None
    data, _ = pair.client.read(stream)
    assert 6_291_456 == len(data)


def test_one_byte_beyond_the_advertised_stream_window() -> None:
    pair = confirmed_pair(client_config=chrome_like())
    stream = pair.client.open_stream()
    cheat = Cheat(pair, "server")
    cheat.send(PacketType.ONE_RTT, StreamFrame(stream, 6_291_455, b"\0", False))
    assert cheat.code is None

    cheat.send(PacketType.ONE_RTT, StreamFrame(stream, 6_291_456, b"\0", False))
    assert FLOW_CONTROL_ERROR == cheat.code


def test_one_byte_beyond_the_advertised_connection_window() -> None:
    pair = confirmed_pair(client_config=chrome_like(x04=10_000))
    one, other = pair.client.open_stream(), pair.client.open_stream()
    cheat = Cheat(pair, "server")
    cheat.send(PacketType.ONE_RTT, StreamFrame(one, 3_999, b"\0", False))
    cheat.send(PacketType.ONE_RTT, StreamFrame(other, 5_999, b"\0", False))
    assert cheat.code is None

    cheat.send(PacketType.ONE_RTT, StreamFrame(other, 6_000, b"\0", False))
    assert FLOW_CONTROL_ERROR == cheat.code


@pytest.mark.parametrize(
    ("first", "count"), [pytest.param(1, 100, id="bidirectional"), pytest.param(3, 103, id="unidirectional")]
)
def test_advertised_number_of_streams(first: int, count: int) -> None:  # RFC 9000 §4.6
    cheat = Cheat(confirmed_pair(client_config=chrome_like()), "server")
    cheat.send(PacketType.ONE_RTT, StreamFrame(first + 4 * (count - 1), 0, b"x", False))
    assert cheat.code is None

    cheat.send(PacketType.ONE_RTT, StreamFrame(first + 4 * count, 0, b"x", False))
    assert STREAM_LIMIT_ERROR == cheat.code


@pytest.mark.parametrize(
    ("kind", "first", "window"),
    [("bidi_local", 0, 1_111), ("bidi_remote", 1, 2_222), ("uni", 3, 3_333)],
)
def test_each_kind_of_stream_has_its_window(kind: str, first: int, window: int) -> None:  # RFC 9000 §18.2
    pair = confirmed_pair(client_config=chrome_like(x05=1_111, x06=2_222, x07=3_333))
    assert 0 == pair.client.open_stream()
    cheat = Cheat(pair, "server")
    cheat.send(PacketType.ONE_RTT, StreamFrame(first, window - 1, b"x", False))
    assert cheat.code is None

    cheat.send(PacketType.ONE_RTT, StreamFrame(first, window, b"x", False))
    assert FLOW_CONTROL_ERROR == cheat.code


@pytest.mark.parametrize("limit", [2, 5, 8])
def test_advertised_number_of_connection_ids(limit: int) -> None:  # RFC 9000 §5.1.1
    pair = confirmed_pair(client_config=chrome_like(x0e=limit))
    issued = {frame.sequence_number for frame in pair.server_trace.frames_sent(NewConnectionIdFrame)}
    assert set(range(1, limit)) == issued
    assert not pair.client.is_closed

    cheat = Cheat(pair, "server")
    cheat.send(PacketType.ONE_RTT, NewConnectionIdFrame(limit, 0, b"one more", bytes(16)))
    assert CONNECTION_ID_LIMIT_ERROR == cheat.code


def test_default_number_of_connection_ids() -> None:
    assert 4 == ACTIVE_CONNECTION_ID_LIMIT
    pair = confirmed_pair()

    assert 3 == len(pair.server_trace.frames_sent(NewConnectionIdFrame))
    cheat = Cheat(pair, "server")
    cheat.send(PacketType.ONE_RTT, NewConnectionIdFrame(4, 0, b"one more", bytes(16)))
    assert CONNECTION_ID_LIMIT_ERROR == cheat.code


@pytest.mark.parametrize(("size", "code"), [(97, None), (98, 0x0A)], ids=["as advertised", "one byte more"])
def test_advertised_datagram_size(size: int, code: int | None) -> None:  # RFC 9221 §3: with type and length
    cheat = Cheat(confirmed_pair(client_config=chrome_like(x20=100)), "server")
    frame: Frame = DatagramFrame(bytes(size))
    assert (100 if code is None else 101) == frame.size()
    cheat.send(PacketType.ONE_RTT, frame)

    assert code == cheat.code


def test_datagrams_that_were_not_advertised() -> None:  # RFC 9221 §3
    cheat = Cheat(confirmed_pair(client_config=QuicConfig(datagrams=False)), "server")
    cheat.send(PacketType.ONE_RTT, DatagramFrame(b""))

    assert 0x0A == cheat.code


def test_same_configuration_dials_any_number_of_times() -> None:
    config = chrome_like(x0e=8)
    here, there = Site(CLIENT_ADDRESS), Site(SERVER_ADDRESS).listen()
    wire = Wire(here, there)
    seen: set[bytes] = set()
    for number in range(20):
        engine = here.dial(SERVER_ADDRESS, wire.now, config=config)
        seen.add(engine.parts.packer.headers.source_cid)
        wire.settle()
        stream = engine.open_stream()
        engine.send(stream, b"number %d" % number, True)
        wire.settle()
        server = there.engines[-1]
        assert (b"number %d" % number, True) == server.read(stream)
        assert engine.is_confirmed
        assert server.info.peer_parameters is not None
        assert 15_728_640 == server.info.peer_parameters.initial_max_data

    assert 20 == len(seen) == len(there.engines)
    assert chrome_like(x0e=8).parameters == config.parameters


# Without parameters of one's own


def test_fields_become_parameters() -> None:
    config = QuicConfig(
        idle_timeout=12.5,
        stream_window=1_000,
        connection_window=2_000,
        max_bidi=3,
        max_uni=4,
        max_ack_delay=0.05,
        max_datagram_frame_size=500,
        migration=False,
        grease=False,
    )
    made = local_parameters(config, b"source", version=VERSION_2)

    assert 12_500 == made.max_idle_timeout
    assert [1_000] * 3 == [
        made.initial_max_stream_data_bidi_local,
        made.initial_max_stream_data_bidi_remote,
        made.initial_max_stream_data_uni,
    ]
    assert 2_000 == made.initial_max_data
    assert (3, 4) == (made.initial_max_streams_bidi, made.initial_max_streams_uni)
    assert 50 == made.max_ack_delay
    assert 500 == made.max_datagram_frame_size
    assert made.disable_active_migration
    assert b"source" == made.initial_source_connection_id
    assert (VERSION_2, (VERSION_1, VERSION_2)) == made.version_information
    made.validate(is_client=True)


def test_grease_is_an_entry_to_ignore() -> None:  # RFC 9000 §18.1
    for _ in range(50):
        plain = local_parameters(QuicConfig(grease=False), b"x", version=VERSION_1)
        greased = local_parameters(QuicConfig(grease=True), b"x", version=VERSION_1)
        assert (False, True) == (plain.grease_quic_bit, greased.grease_quic_bit)  # RFC 9287 §3
        (extra,) = [
            entry
            for entry in greased.entries
            if entry not in plain.entries and entry.id != TP_GREASE_QUIC_BIT
        ]
        assert 27 == extra.id % 31
        assert extra.id < 1 << 62
        greased.validate(is_client=True)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("versions", (), "at least one"),
        ("original_version", 0x1A2A3A4A, "0x1a2a3a4a is not one of versions"),
        ("stream_window", 0, "stream_window"),
        ("connection_window", 0, "connection_window"),
        ("send_buffer", 0, "send_buffer"),
        ("max_bidi", -1, "max_bidi"),
        ("max_uni", (1 << 60) + 1, "max_uni"),
        ("max_udp_payload", 1199, "1200"),
    ],
)
def test_configuration_that_is_refused(field: str, value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        QuicConfig(**{field: value})  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("number", [0x01, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0E, 0x20])
def test_parameters_that_this_side_cannot_read_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="truncated"):
        QuicConfig(parameters=TransportParameters([Parameter(number, b"\x40")]))


def test_configuration_can_be_pickled() -> None:
    config = QuicConfig(parameters=ODD, initial=InitialPolicy(packet_number_sizes=(1, 2)))

    assert config == pickle.loads(pickle.dumps(config))
    assert replace(config, token=b"x") != config
