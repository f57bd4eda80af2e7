"""Packets to datagrams, protected together. RFC 9000 §12.2, RFC 9001 §5.3, §5.4."""

from typing import Final

import pytest

from qcore.packing.builder import PacketBuilder
from qcore.packing.datagram import DatagramWriter, PackedDatagram, protect
from qcore.packing.source import FrameSource
from qcore.spaces import APPLICATION, HANDSHAKE
from qtls.constants import AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256
from qtls.initial import initial_keys
from qtls.protection import Sealer, opener_from_secret, sealer_from_secret
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.frames import CryptoFrame, PingFrame, parse_frames
from qwire.headers import parse_long_header

OWNER: Final = FrameSource()
CID: Final = b"destined"


def packet(
    sealer: Sealer,
    packet_type: PacketType = PacketType.ONE_RTT,
    *,
    number: int = 7,
    number_size: int = 2,
    size: int = 10,
    cid: bytes = CID,
    version: int = VERSION_1,
) -> PacketBuilder:
    """A packet with `size` bytes of CRYPTO."""
    made = PacketBuilder(
        space=HANDSHAKE if packet_type is PacketType.HANDSHAKE else APPLICATION,
        packet_type=packet_type,
        packet_number=number,
        packet_number_size=number_size,
        limit=1_200,
        now=0.0,
        sealer=sealer,
        destination_cid=cid,
        source_cid=b"source",
        version=version,
    )
    made.append(CryptoFrame(number, bytes(size)), OWNER)
    return made


def written(*packets: PacketBuilder, zeros: int = 0) -> PackedDatagram:
    return DatagramWriter().write(list(packets), 0.0, zeros)


def secret_of(suite: int) -> bytes:
    return bytes(48 if suite == AES_256_GCM_SHA384 else 32)


def test_loss_recovery_hears_of_each_packet() -> None:
    sealer = sealer_from_secret(AES_128_GCM_SHA256, bytes(32), VERSION_1)
    packets = [packet(sealer, PacketType.HANDSHAKE, number=number, size=number) for number in (3, 5)]
    packets[1].pad(1)
    datagram = written(*packets, zeros=9)

    assert [3, 5] == [sent.packet_number for sent in datagram.sent]
    assert [HANDSHAKE, HANDSHAKE] == [sent.space for sent in datagram.sent]
    assert [(True, True), (True, True)] == [(sent.ack_eliciting, sent.in_flight) for sent in datagram.sent]
    assert [each.total_size() for each in packets] == [sent.size for sent in datagram.sent]
    assert [[(CryptoFrame(3, bytes(3)), OWNER)], [(CryptoFrame(5, bytes(5)), OWNER)]] == [
        sent.frames for sent in datagram.sent
    ]
    assert sum(each.total_size() for each in packets) + 9 == datagram.size == len(datagram.protect())


def test_packets_are_long_enough_for_a_sample() -> None:  # RFC 9001 §5.4.2
    sealer = sealer_from_secret(AES_128_GCM_SHA256, bytes(32), VERSION_1)
    small = PacketBuilder(APPLICATION, PacketType.ONE_RTT, 0, 1, 100, 0.0, sealer, CID)
    small.append(PingFrame(), OWNER)

    assert 1 + len(CID) + 1 + 3 + 16 == len(written(small).protect())


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
@pytest.mark.parametrize(
    "suite",
    [
        pytest.param(AES_128_GCM_SHA256, id="AES-128"),
        pytest.param(AES_256_GCM_SHA384, id="AES-256"),
        pytest.param(CHACHA20_POLY1305_SHA256, id="ChaCha20"),
    ],
)
@pytest.mark.parametrize("packet_type", [PacketType.HANDSHAKE, PacketType.ZERO_RTT, PacketType.ONE_RTT])
@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([(number, 2) for number in range(20)], id="one after another"),
        pytest.param([(number, 1 + number % 4) for number in range(20)], id="in other sizes"),
        pytest.param([(number, 1 + number // 5) for number in range(20)], id="in growing sizes"),
        pytest.param([(number * number, 2) for number in range(20)], id="with gaps"),
    ],
)
def test_pass_is_opened_again(
    numbers: list[tuple[int, int]], packet_type: PacketType, suite: int, version: int
) -> None:
    sealer = sealer_from_secret(suite, secret_of(suite), version)
    opener = opener_from_secret(suite, secret_of(suite), version)
    datagrams = protect(
        [
            written(
                packet(sealer, packet_type, number=number, number_size=size, size=number, version=version)
            )
            for number, size in numbers
        ]
    )

    assert 20 == len(datagrams)
    for (number, size), data in zip(numbers, datagrams, strict=True):
        number_at = 9 if packet_type is PacketType.ONE_RTT else parse_long_header(data).packet_number_offset
        header = opener.unprotect(data, 0, number_at)
        assert number == int.from_bytes(header[number_at:], "big")
        assert size == len(header) - number_at
        payload = opener.open(number, header, data[len(header) :])
        assert payload is not None
        assert CryptoFrame(number, bytes(number)) == parse_frames(payload)[0]


def test_pass_is_what_it_is_datagram_by_datagram() -> None:
    one = sealer_from_secret(AES_128_GCM_SHA256, b"1" * 32, VERSION_1)
    two = sealer_from_secret(AES_128_GCM_SHA256, b"2" * 32, VERSION_1)
    datagrams = [
        written(packet(one, PacketType.HANDSHAKE), packet(one, number=1)),
        written(packet(one, number=2)),
        written(packet(one, number=3)),
        written(packet(one, number=4, cid=b"another")),
        written(packet(one, number=5, cid=b"another"), zeros=3),
        written(packet(one, number=6, cid=b"another")),
        written(packet(two, number=7, cid=b"another")),
        written(packet(two, number=8, cid=b"another"), packet(two, number=9, cid=b"another")),
        written(packet(two, number=10, cid=b"another")),
    ]

    assert [datagram.protect() for datagram in datagrams] == protect(datagrams)
    assert [datagram.size for datagram in datagrams] == [len(data) for data in protect(datagrams)]
    assert [] == protect([])


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
@pytest.mark.parametrize("side", ["client", "server"])
def test_initial_packets_are_opened_by_the_other_side(side: str, version: int) -> None:  # RFC 9001 §5.2
    keys = initial_keys(b"original", version)
    sealer, opener, other = (
        (keys.client_sealer, keys.client_opener, keys.server_opener)
        if side == "client"
        else (keys.server_sealer, keys.server_opener, keys.client_opener)
    )
    initial = packet(sealer, PacketType.INITIAL, number_size=1, version=version)
    data = written(initial).protect()
    clear = opener.unprotect(data, 0, parse_long_header(data).packet_number_offset)

    assert initial.header() == clear
    assert initial.payload == opener.open(7, clear, data[len(clear) :])
    assert other.open(7, clear, data[len(clear) :]) is None


def test_packets_of_several_keys_are_joined_in_order() -> None:
    one = sealer_from_secret(AES_128_GCM_SHA256, b"1" * 32, VERSION_1)
    two = sealer_from_secret(CHACHA20_POLY1305_SHA256, b"2" * 32, VERSION_1)
    openers = {
        one: opener_from_secret(AES_128_GCM_SHA256, b"1" * 32, VERSION_1),
        two: opener_from_secret(CHACHA20_POLY1305_SHA256, b"2" * 32, VERSION_1),
    }
    order = (two, two, one)
    data = written(*[packet(sealer, PacketType.HANDSHAKE) for sealer in order], zeros=3).protect()

    position = 0
    for sealer in order:
        parsed = parse_long_header(data, position)
        clear = openers[sealer].unprotect(data, position, parsed.packet_number_offset)
        assert openers[sealer].open(7, clear, data[position + len(clear) : parsed.end]) is not None
        position = parsed.end
    assert bytes(3) == data[position:]
