"""Retry and Version Negotiation at a client, genuine and forged. RFC 9000 §6.2, §17.2.5.2."""

from dataclasses import replace

import pytest

from qcore.admission import always_retry
from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.errors import VersionMismatch
from qcore.packing.habits import PacketHabits
from qcore.packing.initial_flight import InitialPolicy
from qcore.testing import Pair
from qcore.testing.pair import SERVER_ADDRESS
from qtls.retry import integrity_tag
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.frames import PingFrame
from qwire.headers import parse_long_header
from qwire.unprotected import Retry, VersionNegotiation

from .crafting import Cheat, early_pair, first_flight

OTHER = 0x0A0A0A0A
CHOSEN = b"chosen by a server"


class Dialling:
    """A client that has sent its first flight, and whoever answers it."""

    def __init__(self, config: QuicConfig | None = None) -> None:
        self.pair = Pair(client_config=config)
        self.engine: QuicEngine = self.pair.client
        self.trace = self.pair.client_trace
        flight = first_flight(self.engine, self.pair.now)
        header = parse_long_header(flight[0])
        self.original_cid, self.local_cid = header.destination_cid, header.source_cid
        self.version = header.version

    def hear(self, data: bytes) -> list[bytes]:
        """Give a datagram to the client; what it sends thereupon."""
        self.engine.receive([Datagram(data, SERVER_ADDRESS)], self.pair.now)
        return first_flight(self.engine, self.pair.now)

    def retry(
        self,
        *,
        token: bytes = b"token",
        source_cid: bytes = CHOSEN,
        destination_cid: bytes | None = None,
        version: int | None = None,
        tag_of: bytes | None = None,
    ) -> bytes:
        spoken = self.version if version is None else version
        destination = self.local_cid if destination_cid is None else destination_cid
        draft = Retry(spoken, destination, source_cid, token).without_tag()
        return draft + integrity_tag(draft, self.original_cid if tag_of is None else tag_of, spoken)

    def versions(
        self, *offered: int, destination_cid: bytes | None = None, source_cid: bytes | None = None
    ) -> bytes:
        return VersionNegotiation(
            self.local_cid if destination_cid is None else destination_cid,
            self.original_cid if source_cid is None else source_cid,
            offered,
        ).encode()


BOTH = QuicConfig(versions=(VERSION_1, VERSION_2))


def test_retry_is_followed() -> None:
    dialling = Dialling()
    flight = dialling.hear(dialling.retry())

    assert 1 == dialling.trace.count("retry_received")
    for data in flight:
        header = parse_long_header(data)
        assert (CHOSEN, dialling.local_cid, b"token") == (
            header.destination_cid,
            header.source_cid,
            header.token,
        )
        assert 1200 == len(data)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"tag_of": b"another one"}, id="wrong integrity tag"),
        pytest.param({"destination_cid": b"somebody"}, id="for somebody else"),
        pytest.param({"version": VERSION_2}, id="another version"),
        pytest.param({"token": b""}, id="empty token"),
    ],
)
def test_forged_retry_is_ignored(options: dict[str, bytes]) -> None:
    dialling = Dialling()

    assert [] == dialling.hear(dialling.retry(**options))  # type: ignore[arg-type]  # options of retry
    assert 0 == dialling.trace.count("retry_received")


def test_retry_that_keeps_the_connection_id_is_ignored() -> None:  # RFC 9000 §17.2.5.1
    dialling = Dialling()

    assert [] == dialling.hear(dialling.retry(source_cid=dialling.original_cid))


@pytest.mark.parametrize("size", range(0, 54, 3))
def test_cut_retry_is_ignored(size: int) -> None:
    dialling = Dialling()
    data = dialling.retry()
    assert size < len(data) - 1

    assert [] == dialling.hear(data[:size])
    assert not dialling.engine.is_closed


def test_second_retry_is_ignored() -> None:
    dialling = Dialling()
    dialling.hear(dialling.retry())

    assert [] == dialling.hear(dialling.retry(token=b"second", source_cid=b"second"))
    assert [] == dialling.hear(dialling.retry(token=b"second", source_cid=b"second", tag_of=CHOSEN))
    assert 1 == dialling.trace.count("retry_received")


def test_retry_after_a_packet_was_heard_is_ignored() -> None:
    cheat = Cheat(early_pair(), "server")
    cheat.send(PacketType.INITIAL, PingFrame())
    client = cheat.victim
    cheat.answer()
    original = client.parts.handshake  # the client goes on with what it has
    draft = Retry(
        VERSION_1, cheat.engine.parts.packer.headers.destination_cid, CHOSEN, b"token"
    ).without_tag()
    cheat.deliver(draft + bytes(16))

    assert original is client.parts.handshake
    assert 0 == cheat.pair.client_trace.count("retry_received")


def test_version_negotiation_is_followed() -> None:
    dialling = Dialling(BOTH)
    flight = dialling.hear(dialling.versions(VERSION_2, OTHER))

    assert 1 == dialling.trace.count("version_negotiated")
    assert {VERSION_2} == {parse_long_header(data).version for data in flight}
    assert {dialling.original_cid} == {parse_long_header(data).destination_cid for data in flight}


def test_version_negotiation_without_a_common_version_is_the_end() -> None:
    dialling = Dialling(BOTH)

    assert [] == dialling.hear(dialling.versions(OTHER, 0x1A2A3A4A))
    assert isinstance(dialling.engine.error, VersionMismatch)
    assert "0xa0a0a0a, 0x1a2a3a4a" in str(dialling.engine.error)


@pytest.mark.parametrize(
    ("offered", "options"),
    [
        pytest.param((VERSION_1, VERSION_2), {}, id="lists our version"),
        pytest.param((VERSION_2,), {"destination_cid": b"somebody"}, id="for somebody else"),
        pytest.param((VERSION_2,), {"source_cid": b"somebody"}, id="from somebody else"),
        pytest.param((), {}, id="no version in it"),
    ],
)
def test_forged_version_negotiation_is_ignored(
    offered: tuple[int, ...], options: dict[str, bytes]
) -> None:  # RFC 9000 §6.2
    dialling = Dialling(BOTH)

    assert [] == dialling.hear(dialling.versions(*offered, **options))
    assert not dialling.engine.is_closed
    assert 0 == dialling.trace.count("version_negotiated")


def test_list_with_our_version_ends_the_attempt_of_a_client_that_heeds_it() -> None:
    policy = InitialPolicy(habits=PacketHabits(heeds_any_negotiation=True))
    dialling = Dialling(replace(BOTH, initial=policy))

    assert [] == dialling.hear(dialling.versions(VERSION_1, VERSION_2))
    assert isinstance(dialling.engine.error, VersionMismatch)
    assert "asked for another version, of 0x1, 0x6b3343cf" in str(dialling.engine.error)


def test_second_version_negotiation_is_ignored() -> None:
    dialling = Dialling(BOTH)
    dialling.hear(dialling.versions(VERSION_2))

    assert [] == dialling.hear(dialling.versions(VERSION_1))
    assert [] == dialling.hear(dialling.versions(OTHER))
    assert not dialling.engine.is_closed


def test_version_negotiation_after_a_packet_was_heard_is_ignored() -> None:  # RFC 9000 §6.2
    cheat = Cheat(early_pair(), "server")
    cheat.send(PacketType.INITIAL, PingFrame())
    packer = cheat.engine.parts.packer
    cheat.deliver(
        VersionNegotiation(packer.headers.destination_cid, packer.headers.source_cid, (OTHER,)).encode()
    )

    assert not cheat.victim.is_closed


def test_retry_and_version_negotiation_in_a_row() -> None:
    dialling = Dialling(BOTH)
    dialling.hear(dialling.versions(VERSION_2))
    dialling.version = VERSION_2
    flight = dialling.hear(dialling.retry())

    assert {(VERSION_2, CHOSEN, b"token")} == {
        (header.version, header.destination_cid, header.token) for header in map(parse_long_header, flight)
    }


def test_packet_numbers_go_on() -> None:  # RFC 9000 §17.2.5.3
    dialling = Dialling(BOTH)
    dialling.hear(dialling.versions(VERSION_2))
    dialling.version = VERSION_2
    dialling.hear(dialling.retry())
    numbers = [packet.packet_number for packet in dialling.trace.sent]

    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 6


def test_handshake_completes_after_both() -> None:
    pair = Pair(
        client_config=QuicConfig(versions=(VERSION_2, VERSION_1)),
        server_config=QuicConfig(versions=(VERSION_1,)),
        admit=always_retry,
    )
    pair.run_until(lambda: pair.client.is_confirmed)

    assert 1 == pair.client_trace.count("retry_received")
    assert 1 == pair.client_trace.count("version_negotiated")
