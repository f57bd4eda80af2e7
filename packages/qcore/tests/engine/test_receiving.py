"""Datagrams to opened packets, without an engine. RFC 9000 §12, RFC 9001 §5."""

from typing import Final

import pytest

from qcore.ackhandler.received import ReceivedPacketHandler
from qcore.batch import Datagram
from qcore.crypto_stream import CryptoStream
from qcore.engine.receiving import MAX_WAITING, OpenedPacket, PacketReceiver
from qcore.errors import TransportError
from qcore.key_phases import KeyPhases
from qcore.packet_space import PacketSpace
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL
from qtls.constants import AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256
from qtls.initial import initial_keys
from qtls.protection import Sealer, opener_from_secret, sealer_from_secret
from qwire.constants import PROTOCOL_VIOLATION, VERSION_1, VERSION_2, PacketType

from .crafting import long_header, protect, short_header

CID: Final = b"local id"
PEER: Final = b"peer"
ADDRESS: Final = ("192.0.2.1", 443)
SUITES: Final = [
    pytest.param(AES_128_GCM_SHA256, id="AES-128"),
    pytest.param(AES_256_GCM_SHA384, id="AES-256"),
    pytest.param(CHACHA20_POLY1305_SHA256, id="ChaCha20"),
]


class Receiving:
    """A receiver with keys for everything, and the sealers of its peer."""

    def __init__(self, suite: int = AES_128_GCM_SHA256, version: int = VERSION_1) -> None:
        self.version = version
        self.spaces = [
            PacketSpace(index, CryptoStream(index), ReceivedPacketHandler(index))
            for index in (INITIAL, HANDSHAKE, APPLICATION)
        ]
        size = 48 if suite == AES_256_GCM_SHA384 else 32
        keys = initial_keys(CID, version)
        secrets = {kind: bytes((at,)) * size for at, kind in enumerate(PacketType)}
        self.sealers: dict[PacketType, Sealer] = {
            PacketType.INITIAL: keys.client_sealer,
            **{
                kind: sealer_from_secret(suite, secrets[kind], version)
                for kind in (PacketType.HANDSHAKE, PacketType.ZERO_RTT, PacketType.ONE_RTT)
            },
        }
        application = self.spaces[APPLICATION]
        self.spaces[INITIAL].opener = keys.client_opener
        self.spaces[HANDSHAKE].opener = opener_from_secret(suite, secrets[PacketType.HANDSHAKE], version)
        application.early_opener = opener_from_secret(suite, secrets[PacketType.ZERO_RTT], version)
        application.phases = KeyPhases(
            self.sealers[PacketType.ONE_RTT], opener_from_secret(suite, secrets[PacketType.ONE_RTT], version)
        )
        application.can_open_application = True
        self.receiver = PacketReceiver(self.spaces, len(CID), version, (VERSION_1, VERSION_2))

    def packet(
        self,
        kind: PacketType,
        number: int = 0,
        payload: bytes = b"\x01" + bytes(30),
        *,
        number_size: int = 2,
        reserved: int = 0,
        spin: bool = False,
        version: int | None = None,
    ) -> bytes:
        if kind is PacketType.ONE_RTT:
            header = short_header(CID, number, number_size, spin=spin, reserved=reserved)
        else:
            spoken = self.version if version is None else version
            header = long_header(
                kind, spoken, CID, PEER, number, number_size, len(payload), reserved=reserved
            )
        return protect(self.sealers[kind], header, number, number_size, payload)

    def open(self, data: bytes) -> OpenedPacket | None:
        """Open the first packet."""
        return self.receiver.open_next(Datagram(data, ADDRESS), 0, 0, 0.0)[0]


KINDS: Final = [
    pytest.param(PacketType.INITIAL, INITIAL, id="Initial"),
    pytest.param(PacketType.ZERO_RTT, APPLICATION, id="0-RTT"),
    pytest.param(PacketType.HANDSHAKE, HANDSHAKE, id="Handshake"),
    pytest.param(PacketType.ONE_RTT, APPLICATION, id="1-RTT"),
]


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(("kind", "space"), KINDS)
def test_packet_is_opened(kind: PacketType, space: int, suite: int, version: int) -> None:
    receiving = Receiving(suite, version)
    data = receiving.packet(kind, 77, b"\x06payload" + bytes(20))
    packet = receiving.open(data)

    assert packet is not None
    assert (kind, space, 77, b"\x06payload" + bytes(20), len(data)) == (
        packet.packet_type,
        packet.space,
        packet.packet_number,
        packet.payload,
        packet.size,
    )
    assert (kind is PacketType.ONE_RTT) == (packet.header is None)


@pytest.mark.parametrize("number_size", [1, 2, 3, 4])
@pytest.mark.parametrize(("kind", "space"), KINDS)
def test_packet_number_is_restored(kind: PacketType, space: int, number_size: int) -> None:  # RFC 9000 A.3
    receiving = Receiving()
    receiving.spaces[space].largest_received = 1_000_000
    packet = receiving.open(receiving.packet(kind, 1_000_050, number_size=number_size))

    assert packet is not None
    assert 1_000_050 == packet.packet_number


@pytest.mark.parametrize("spin", [False, True])
def test_spin_bit_is_read(spin: bool) -> None:  # RFC 9000 §17.4
    receiving = Receiving()
    packet = receiving.open(receiving.packet(PacketType.ONE_RTT, spin=spin))

    assert packet is not None
    assert spin is packet.spin


def test_coalesced_packets_are_found_one_by_one() -> None:  # RFC 9000 §12.2
    receiving = Receiving()
    parts = [receiving.packet(kind.values[0]) for kind in KINDS]  # type: ignore[arg-type]  # a PacketType
    data = b"".join(parts)
    position, kinds = 0, []
    while position < len(data):
        packet, position = receiving.receiver.open_next(Datagram(data, ADDRESS), position, 0, 0.0)
        assert packet is not None
        kinds.append(packet.packet_type)

    assert [kind.values[0] for kind in KINDS] == kinds


@pytest.mark.parametrize(("kind", "space"), KINDS)
def test_every_changed_bit_makes_it_fail(kind: PacketType, space: int) -> None:  # RFC 9001 §5.3
    receiving = Receiving()
    data = receiving.packet(kind, 5, b"\x01" * 4, number_size=2)
    for index in range(len(data)):
        for bit in (0x01, 0x80):
            broken = data[:index] + bytes((data[index] ^ bit,)) + data[index + 1 :]
            assert receiving.open(broken) is None, f"byte {index}"


@pytest.mark.parametrize(("kind", "space"), KINDS)
def test_every_cut_makes_it_fail(kind: PacketType, space: int) -> None:
    receiving = Receiving()
    data = receiving.packet(kind)
    for size in range(1, len(data)):
        assert receiving.open(data[:size]) is None, f"{size} bytes"
        assert receiving.receiver.drop_reason


@pytest.mark.parametrize(
    ("kind", "reserved"),
    [
        (PacketType.INITIAL, 0x04),
        (PacketType.INITIAL, 0x08),
        (PacketType.ZERO_RTT, 0x0C),
        (PacketType.HANDSHAKE, 0x04),
        (PacketType.ONE_RTT, 0x08),
        (PacketType.ONE_RTT, 0x10),
    ],
)
def test_reserved_bits_are_a_violation(kind: PacketType, reserved: int) -> None:  # RFC 9000 §17.2, §17.3.1
    receiving = Receiving()
    with pytest.raises(TransportError, match="reserved bits") as caught:
        receiving.open(receiving.packet(kind, reserved=reserved))
    assert PROTOCOL_VIOLATION == caught.value.code


@pytest.mark.parametrize(("kind", "space"), KINDS)
def test_packet_without_the_fixed_bit_is_dropped(kind: PacketType, space: int) -> None:  # RFC 9000 §17.2
    receiving = Receiving()
    data = receiving.packet(kind)

    assert receiving.open(bytes((data[0] & ~0x40,)) + data[1:]) is None
    assert "fixed bit is 0" in receiving.receiver.drop_reason


@pytest.mark.parametrize(("kind", "space"), KINDS)
def test_fixed_bit_may_be_greased_when_we_said_so(kind: PacketType, space: int) -> None:  # RFC 9287 §3
    receiving = Receiving()
    receiving.receiver.requires_fixed_bit = False
    if kind is PacketType.ONE_RTT:
        header = short_header(CID, 0, 2)
    else:
        header = long_header(kind, VERSION_1, CID, PEER, 0, 2, 20)
    header = bytes((header[0] & ~0x40,)) + header[1:]
    packet = receiving.open(protect(receiving.sealers[kind], header, 0, 2, bytes(20)))

    assert packet is not None
    assert kind is packet.packet_type


@pytest.mark.parametrize(
    ("kind", "payload_size", "number_size"),
    [(PacketType.HANDSHAKE, 2, 1), (PacketType.HANDSHAKE, 0, 3), (PacketType.ONE_RTT, 2, 1)],
)
def test_packet_too_short_for_a_sample_is_dropped(
    kind: PacketType, payload_size: int, number_size: int
) -> None:  # RFC 9001 §5.4.2
    receiving = Receiving()
    header = (
        short_header(CID, 0, number_size)
        if kind is PacketType.ONE_RTT
        else long_header(kind, VERSION_1, CID, PEER, 0, number_size, payload_size)
    )
    ciphertext = receiving.sealers[kind].seal(0, header, bytes(payload_size))

    assert receiving.open(header + ciphertext) is None
    assert "too short to be sampled" == receiving.receiver.drop_reason


def test_shortest_packet_is_opened() -> None:
    receiving = Receiving()
    packet = receiving.open(receiving.packet(PacketType.ONE_RTT, 0, b"\x01\x00\x00", number_size=1))

    assert packet is not None


def test_other_version_is_dropped() -> None:
    receiving = Receiving()

    assert receiving.open(receiving.packet(PacketType.HANDSHAKE, version=VERSION_2)) is None
    assert receiving.receiver.changed_version is None
    assert "version of another connection" == receiving.receiver.drop_reason


def test_other_version_is_reported_to_a_client_that_has_heard_nothing() -> None:  # RFC 9368 §2.3
    receiving = Receiving()
    receiving.receiver.is_version_change_allowed = True
    data = receiving.packet(PacketType.HANDSHAKE, version=VERSION_2)

    assert (None, 0) == receiving.receiver.open_next(Datagram(data, ADDRESS), 0, 0, 0.0)
    assert VERSION_2 == receiving.receiver.changed_version


def test_version_that_is_not_configured_is_never_taken() -> None:
    receiving = Receiving()
    receiving.receiver.is_version_change_allowed = True
    receiving.receiver.versions = (VERSION_1,)

    assert receiving.open(receiving.packet(PacketType.HANDSHAKE, version=VERSION_2)) is None
    assert receiving.receiver.changed_version is None


def test_discarded_keys_open_nothing() -> None:  # RFC 9001 §4.9
    receiving = Receiving()
    receiving.spaces[HANDSHAKE].discard()

    assert receiving.open(receiving.packet(PacketType.HANDSHAKE)) is None
    assert "keys are discarded" == receiving.receiver.drop_reason


@pytest.mark.parametrize("kind", [PacketType.HANDSHAKE, PacketType.ZERO_RTT, PacketType.ONE_RTT])
def test_packets_wait_for_keys_within_bounds(kind: PacketType) -> None:  # RFC 9001 §5.7
    receiving = Receiving()
    receiving.spaces[HANDSHAKE].opener = None
    receiving.spaces[APPLICATION].early_opener = None
    receiving.spaces[APPLICATION].can_open_application = False
    receiver = receiving.receiver
    data = receiving.packet(kind)
    for _ in range(MAX_WAITING):
        assert receiving.open(data) is None
        assert "" == receiver.drop_reason
    assert receiving.open(data) is None
    assert "too many packets wait for keys" == receiver.drop_reason

    assert [data] * 10 == [datagram.data for datagram in receiver.take_waiting()]
    assert [] == receiver.waiting


def test_masks_of_a_batch_are_those_of_single_packets() -> None:
    for suite in (AES_128_GCM_SHA256, CHACHA20_POLY1305_SHA256):
        receiving = Receiving(suite)
        datagrams = [Datagram(receiving.packet(PacketType.ONE_RTT, number), ADDRESS) for number in range(5)]
        datagrams.insert(2, Datagram(receiving.packet(PacketType.INITIAL, 9), ADDRESS))
        datagrams.insert(3, Datagram(b"\x40short", ADDRESS))
        receiving.receiver.prepare(datagrams)
        numbers = []
        for index, datagram in enumerate(datagrams):
            packet, _ = receiving.receiver.open_next(datagram, 0, index, 0.0)
            numbers.append(None if packet is None else packet.packet_number)

        assert [0, 1, 9, None, 2, 3, 4] == numbers
