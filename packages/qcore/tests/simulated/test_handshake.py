"""Handshakes on the simulated network: every packet lost once, Retry, versions, limits."""

import pytest

from qcore.admission import always_retry
from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.errors import HandshakeTimeout, TransportError, VersionMismatch
from qcore.events import ConnectionEnded, HandshakeCompleted, TokenReceived
from qcore.testing import LinkConfig, Pair
from qcore.testing.pair import START
from qtls.config import ClientTLS, ServerTLS
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.datagram import split
from qwire.frames import AckFrame, CryptoFrame, HandshakeDoneFrame


def confirmed(pair: Pair) -> bool:
    return pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed


def test_handshake_takes_one_round_trip() -> None:
    pair = Pair()
    start = pair.now

    pair.run_until(lambda: pair.client.is_established)

    assert pair.now - start == pytest.approx(0.03)
    assert 0 == pair.client_trace.count("probe_sent")


def test_both_sides_agree_on_what_was_negotiated() -> None:
    pair = Pair()
    pair.run_until(lambda: confirmed(pair))

    assert pair.server is not None
    assert "test" == pair.client.info.alpn == pair.server.info.alpn
    assert "server.test" == pair.server.info.server_name
    assert pair.client.info.cipher_suite == pair.server.info.cipher_suite
    assert pair.client.export(b"label", b"context", 32) == pair.server.export(b"label", b"context", 32)
    assert sum(isinstance(event, HandshakeCompleted) for event in pair.client_events) == 1


def test_client_datagrams_with_initial_packets_are_full() -> None:  # RFC 9000 §14.1
    sizes: list[int] = []

    def note(datagram: Datagram) -> bool:
        if datagram.data[0] & 0xF0 == 0xC0:
            sizes.append(len(datagram.data))
        return True

    pair = Pair()
    pair.to_server.filter(note)
    pair.run_until(lambda: confirmed(pair))

    assert sizes
    assert all(size >= 1200 for size in sizes)


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_any_one_datagram_may_be_lost(direction: str, index: int) -> None:
    pair = Pair(seed=index)
    link = getattr(pair, direction)
    seen = 0

    def keep(datagram: Datagram) -> bool:
        nonlocal seen
        seen += 1
        return seen - 1 != index

    link.filter(keep)
    pair.run_until(lambda: confirmed(pair), limit=10)


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_any_one_datagram_may_be_corrupted(direction: str, index: int) -> None:
    pair = Pair(seed=index)
    link = getattr(pair, direction)
    seen = 0

    def damage(datagram: Datagram) -> bool:
        nonlocal seen
        seen += 1
        if seen - 1 == index:
            at = len(datagram.data) // 2
            datagram.data = datagram.data[:at] + bytes((datagram.data[at] ^ 1,)) + datagram.data[at + 1 :]
        return True

    link.filter(damage)
    pair.run_until(lambda: confirmed(pair), limit=10)


def test_handshake_survives_heavy_loss() -> None:
    for seed in range(30):
        link = LinkConfig(loss=0.3, max_loss_run=3)
        pair = Pair(
            to_server=link,
            to_client=link,
            seed=seed,
            client_config=QuicConfig(handshake_timeout=60),
            server_config=QuicConfig(handshake_timeout=60),
        )
        pair.run_until(lambda pair=pair: confirmed(pair), limit=60)  # type: ignore[misc]


def test_client_sends_again_what_the_acknowledgement_leaves_out() -> None:  # RFC 9002 §6.2.3
    # Half of the ClientHello is lost, and follows the ACK of the other half long before a probe timeout.
    pair = Pair()
    pair.to_server.filter(lambda _: 2 != pair.to_server.sent)
    start = pair.now
    pair.run_until(lambda: pair.client.is_established)

    assert pair.now - start < 0.1


def test_server_repeats_its_flight_when_the_client_does() -> None:  # RFC 9002 §6.2.3
    # The server's flight is lost, and repeated when the client's comes again, whatever the server's own timer says.
    pair = Pair()
    pair.to_client.filter(lambda _: pair.now > START + 0.5)
    start = pair.now
    pair.run_until(lambda: pair.client.is_established)

    first_timeout = 0.333 + 4 * 0.333 / 2
    assert pytest.approx(first_timeout + 0.03, abs=0.01) == pair.now - start


def test_client_asks_for_the_keys_that_it_lacks() -> None:  # RFC 9002 §6.2.3
    # Of the server's first flight only Handshake packets arrive; without greased bits they can be told apart.
    pair = Pair(client_config=QuicConfig(grease=False))

    def without_initials(datagram: Datagram) -> bool:
        if pair.now < START + 0.02:
            data = datagram.data
            parts = [part for part in split(data) if part.packet_type is PacketType.HANDSHAKE]
            datagram.data = b"".join(data[part.start : part.end] for part in parts)
        return bool(datagram.data)

    pair.to_client.filter(without_initials)
    start = pair.now
    pair.run_until(lambda: pair.client.is_established)

    assert pair.now - start < 0.1


def test_retry_proves_the_address() -> None:  # RFC 9000 §8.1.2
    pair = Pair(admit=always_retry)
    pair.run_until(lambda: confirmed(pair))

    assert 1 == pair.client_trace.count("retry_received")
    initials = [packet for packet in pair.client_trace.sent if packet.packet_type is PacketType.INITIAL]
    numbers = [packet.packet_number for packet in initials]
    assert numbers == sorted(set(numbers)), "packet numbers go on after a Retry"


def test_damaged_retry_token_is_as_good_as_lost() -> None:  # RFC 9000 §8.1.3
    pair = Pair(admit=always_retry)
    damaged = 0

    def damage(datagram: Datagram) -> bool:
        nonlocal damaged
        if pair.client_trace.count("retry_received") and damaged < 2:
            damaged += 1
            data = datagram.data
            at = 6 + data[5]  # behind both connection IDs and the length of the token
            at += 1 + data[at] + 2 + 20
            datagram.data = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        return True

    pair.to_server.filter(damage)
    pair.run_until(lambda: confirmed(pair))

    assert 2 == damaged


def test_server_gives_a_token_for_the_next_connection() -> None:  # RFC 9000 §8.1.3
    pair = Pair()
    pair.run_until(lambda: any(isinstance(event, TokenReceived) for event in pair.client_events))


def test_forged_retry_is_ignored() -> None:  # RFC 9000 §17.2.5.2
    pair = Pair(admit=always_retry)

    def forge(datagram: Datagram) -> bool:
        if datagram.data[0] & 0xF0 == 0xF0:
            datagram.data = datagram.data[:-1] + bytes((datagram.data[-1] ^ 1,))
        return True

    pair.to_client.filter(forge)
    pair.run_for(1.0)

    assert 0 == pair.client_trace.count("retry_received")
    assert not pair.client.is_established


def test_version_negotiation_finds_the_common_version() -> None:  # RFC 9000 §6.2
    pair = Pair(
        client_config=QuicConfig(versions=(VERSION_2, VERSION_1)),
        server_config=QuicConfig(versions=(VERSION_1,)),
    )
    pair.run_until(lambda: confirmed(pair))

    assert VERSION_1 == pair.client.info.version
    assert 1 == pair.client_trace.count("version_negotiated")


def test_first_flight_of_a_version_that_is_not_preferred() -> None:  # RFC 9368 §2.3
    pair = Pair(client_config=QuicConfig(versions=(VERSION_2, VERSION_1), original_version=VERSION_1))
    first: list[int] = []
    pair.to_server.filter(lambda datagram: not first.append(int.from_bytes(datagram.data[1:5], "big")))  # type: ignore[func-returns-value]
    pair.run_until(lambda: confirmed(pair))

    assert VERSION_1 == first[0]
    assert (VERSION_1, (VERSION_2, VERSION_1)) == pair.client_trace.parameters[True].version_information


def test_server_hears_the_first_version_until_the_client_follows() -> None:  # RFC 9369 §4.1
    # The server has gone over to the other version, and everything that would tell the client so is lost.
    pair = Pair(server_config=QuicConfig(versions=(VERSION_2, VERSION_1)))
    pair.to_client.filter(lambda _: pair.now > START + 1.5)
    pair.run_until(lambda: confirmed(pair))

    assert [] == pair.server_trace.dropped
    hellos = [
        packet
        for packet in pair.server_trace.received
        if packet.packet_type is PacketType.INITIAL
        and any(isinstance(frame, CryptoFrame) for frame in packet.frames)
    ]
    assert 4 <= len(hellos), "the repeated ones are read, too"
    assert VERSION_2 == pair.client.info.version


def test_no_common_version_is_an_error() -> None:
    pair = Pair(
        client_config=QuicConfig(versions=(VERSION_2,)), server_config=QuicConfig(versions=(VERSION_1,))
    )
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, VersionMismatch)
    assert "0x1" in str(pair.client.error)


def test_version_2_works_throughout() -> None:  # RFC 9369
    pair = Pair(
        client_config=QuicConfig(versions=(VERSION_2,)), server_config=QuicConfig(versions=(VERSION_2,))
    )
    pair.run_until(lambda: confirmed(pair))

    assert pair.server is not None
    assert VERSION_2 == pair.client.info.version == pair.server.info.version


def test_server_upgrades_to_the_version_it_prefers() -> None:  # RFC 9368 §2.3
    pair = Pair(
        client_config=QuicConfig(versions=(VERSION_1, VERSION_2)),
        server_config=QuicConfig(versions=(VERSION_2, VERSION_1)),
    )
    pair.run_until(lambda: confirmed(pair))

    assert pair.server is not None
    assert VERSION_2 == pair.client.info.version == pair.server.info.version


def test_server_sends_at_most_three_times_what_it_got() -> None:  # RFC 9000 §8.1
    pair = Pair()
    seen = 0

    def one_datagram(datagram: Datagram) -> bool:
        nonlocal seen
        seen += 1
        return seen == 1

    pair.to_server.filter(one_datagram)
    sent: list[int] = []
    pair.to_client.filter(lambda datagram: not sent.append(len(datagram.data)))  # type: ignore[func-returns-value]
    pair.run_for(9.0)

    assert sum(sent) <= 3 * 1200


def test_silence_ends_in_a_timeout() -> None:
    pair = Pair(client_config=QuicConfig(handshake_timeout=3.0))
    pair.to_server.filter(lambda datagram: False)
    pair.run_until(lambda: pair.client.is_closed, limit=5)

    assert isinstance(pair.client.error, HandshakeTimeout)
    assert isinstance(pair.client.error, TimeoutError)


def test_wrong_alpn_is_told_to_both_sides() -> None:
    from qcore.testing.pair import throwaway_certificate

    made = throwaway_certificate()
    pair = Pair(server_tls=ServerTLS(certs=made.chain, alpn=("other",)))
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, TransportError)
    assert 0x178 == pair.client.error.code
    assert not pair.client.error.is_local


def test_untrusted_certificate_is_refused() -> None:
    pair = Pair(client_tls=ClientTLS(alpn=("test",), ca=other_authority()))
    pair.run_until(lambda: pair.server is not None and pair.server.is_closed)

    ended = [event for event in pair.client_events if isinstance(event, ConnectionEnded)]
    assert 1 == len(ended)
    assert isinstance(ended[0].error, TransportError)
    assert ended[0].error.is_local
    assert 0x100 <= ended[0].error.code < 0x200


def other_authority() -> bytes:
    from qcore.testing.pair import WALL
    from qtls.adapters.self_signed import Authority

    return Authority(wall_clock=WALL).pem


def test_keys_are_discarded_when_they_are_of_no_use() -> None:  # RFC 9001 §4.9
    pair = Pair()
    pair.run_until(lambda: confirmed(pair))

    assert 2 == pair.client_trace.count("keys_discarded") == pair.server_trace.count("keys_discarded")
    assert 1 == len(pair.server_trace.frames_sent(HandshakeDoneFrame))


def test_handshake_goes_on_past_a_window_full_of_early_data() -> None:  # RFC 9002 §6.2.1
    # The client's Finished is lost while 1-RTT packets, which the server cannot open yet, fill the window.
    pair = Pair()
    pair.run_until(lambda: pair.client.is_established)
    pair.to_server.drop(1)
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(40_000), True)

    pair.run_until(lambda: ("server", stream) in pair.finished, limit=10)


def test_initial_acks_are_sent_at_once() -> None:  # RFC 9000 §13.2.1
    pair = Pair()
    pair.run_until(lambda: confirmed(pair))

    first = next(packet for packet in pair.server_trace.sent)
    kinds = [type(frame) for frame in first.frames]
    assert [AckFrame, CryptoFrame] == kinds[:2]
