"""First flights from hostile and from incomplete input."""

import random

import pytest

from qmimic.capture import CapturedFlow
from qmimic.fingerprint import FlightCollector, fingerprint
from qmimic.fingerprint.flight import MAX_CONNECTIONS, MAX_FRAGMENTS, HelloReassembler
from qmimic.fingerprint.hello import parse_client_hello
from qtls.initial import initial_keys
from qwire.buffer import Writer
from qwire.constants import VERSION_1, PacketType
from qwire.errors import DecodeError
from qwire.frames import CryptoFrame, Frame, MaxDataFrame, PingFrame
from qwire.headers import append_long_header

CID = bytes(range(8))


def initial(frames: list[Frame], packet_number: int = 0, cid: bytes = CID) -> bytes:
    """A sealed Initial packet with these frames."""
    payload = Writer()
    for frame in frames:
        frame.append(payload)
    body = payload.getvalue().ljust(20, b"\0")
    header = Writer()
    append_long_header(header, PacketType.INITIAL, VERSION_1, cid, b"", b"", packet_number, 2, len(body) + 16)
    sealer = initial_keys(cid, VERSION_1).client_sealer
    clear = header.getvalue()
    ciphertext = sealer.seal(packet_number, clear, body)
    mask = sealer.masks(ciphertext[2:18])
    first = clear[0] ^ mask[0] & 0x0F
    number = bytes(a ^ b for a, b in zip(clear[-2:], mask[1:3], strict=True))
    return bytes([first]) + clear[1:-2] + number + ciphertext


@pytest.fixture(scope="module")
def hello(chromium_flights: list[CapturedFlow]) -> bytes:
    [found] = fingerprint(chromium_flights[0].client_payloads)
    return found.flight.client_hello


def halves(hello: bytes) -> tuple[CryptoFrame, CryptoFrame]:
    return CryptoFrame(0, hello[:900]), CryptoFrame(900, hello[900:])


def test_order_of_packets_does_not_matter(hello: bytes) -> None:
    one, two = halves(hello)
    forward = fingerprint([initial([one], 0), initial([two, PingFrame()], 1)])
    backward = fingerprint([initial([two, PingFrame()], 1), initial([one], 0)])

    assert forward[0].v2 == backward[0].v2
    assert [6] == sorted(set(backward[0].flight.first.frame_types) - {0})


def test_duplicates_change_nothing(hello: bytes) -> None:
    one, two = halves(hello)
    first = initial([one], 0)

    assert 1 == len(fingerprint([first, first, initial([one], 7), initial([two], 1), initial([two], 8)]))


@pytest.mark.parametrize("number", [33, 255])
def test_high_packet_numbers_are_taken_on_request_only(hello: bytes, number: int) -> None:
    one, two = halves(hello)
    datagrams = [initial([one], number), initial([two], number + 1)]

    assert [] == fingerprint(datagrams)
    assert 1 == len(fingerprint(datagrams, any_pn=True))


def test_packets_with_other_frames_are_no_first_flight(hello: bytes) -> None:
    one, two = halves(hello)

    assert [] == fingerprint([initial([one, MaxDataFrame(5)], 0), initial([two], 1)])


def test_connections_interleave(hello: bytes) -> None:
    one, two = halves(hello)
    cids = [bytes([number]) * 8 for number in range(50)]
    datagrams = [initial([one], 0, cid) for cid in cids] + [initial([two], 1, cid) for cid in cids]

    assert cids == [item.connection for item in fingerprint(datagrams)]


def test_other_versions_do_not_disturb(hello: bytes) -> None:
    one, two = halves(hello)
    probe = bytearray(initial([one], 0))
    probe[1:5] = bytes.fromhex("1a2a3a4a")

    assert 1 == len(fingerprint([bytes(probe), initial([one], 0), initial([two], 1)]))


def test_state_is_bounded(hello: bytes) -> None:
    collector = FlightCollector()
    one, _ = halves(hello)
    datagram = bytearray(initial([one], 0))
    for number in range(MAX_CONNECTIONS + 100):
        datagram[6:14] = number.to_bytes(8, "big")
        collector.receive(bytes(datagram))

    assert MAX_CONNECTIONS == collector.connection_count


def test_fragments_are_bounded() -> None:
    reassembler = HelloReassembler()
    taken = [reassembler.add(2 * number + 1, b"x") for number in range(MAX_FRAGMENTS + 1)]

    assert [True] * MAX_FRAGMENTS + [False] == taken
    assert reassembler.client_hello() is None


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        pytest.param(5, b"x", id="inside"),
        pytest.param(0, b"xxxxxxxxxxxx", id="around"),
        pytest.param(9, b"xx", id="at the end"),
        pytest.param(65_536, b"x", id="too far"),
    ],
)
def test_overlaps_and_far_offsets_are_refused(offset: int, data: bytes) -> None:
    reassembler = HelloReassembler()

    assert reassembler.add(4, b"123456")
    assert not reassembler.add(offset, data)


def test_every_beginning_of_a_hello_is_refused(hello: bytes) -> None:
    for size in range(len(hello)):
        with pytest.raises(DecodeError):
            parse_client_hello(hello[:size])


def test_mutated_hellos_parse_or_are_refused(hello: bytes) -> None:
    chance = random.Random(1)
    for _ in range(3_000):
        data = bytearray(hello)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        one, two = halves(bytes(data))
        try:
            parse_client_hello(bytes(data))
        except DecodeError:
            assert [] == fingerprint([initial([one], 0), initial([two], 1)])


def test_mutated_datagrams_never_raise(chromium_flights: list[CapturedFlow]) -> None:
    chance = random.Random(2)
    datagrams = [data for flow in chromium_flights[:40] for data in flow.client_payloads]
    for _ in range(20):
        mutated = []
        for data in datagrams:
            changed = bytearray(data)
            changed[chance.randrange(60)] = chance.randrange(256)
            mutated.append(bytes(changed[: chance.choice((len(changed), chance.randrange(1, 1250)))]))
        fingerprint(mutated, any_pn=True)


def test_noise_gives_nothing() -> None:
    chance = random.Random(3)

    assert [] == fingerprint(chance.randbytes(chance.randrange(1, 1500)) for _ in range(3_000))
