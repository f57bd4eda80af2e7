"""A client that moves on purpose, and a server that prefers another address. RFC 9000 §9."""

from dataclasses import replace

import pytest

from qcore.batch import Address, Datagram
from qcore.config import QuicConfig
from qcore.errors import ConnectionClosed, PathUnavailable, TransportError, UsageError
from qcore.events import PathAbandoned, PathChanged, PathValidated, PreferredAddressOffered
from qcore.testing import LinkConfig, Pair, Seeded
from qcore.testing.pair import CLIENT_ADDRESS, SERVER_ADDRESS
from qwire.constants import NO_VIABLE_PATH
from qwire.frames import PathChallengeFrame, PathResponseFrame, RetireConnectionIdFrame

from .test_scenarios_connection import established, transfer

SECOND: Address = ("10.0.7.1", 50_700)
PREFERRED: Address = ("10.0.0.3", 444)


def two_sockets(**options: object) -> Pair:
    """An established connection whose client can be reached at `SECOND` too, by its socket 1."""
    pair = established(**options)
    pair.client_sockets[1] = SECOND
    pair.run_for(0.5)
    return pair


def of_kind(pair: Pair, *kinds: type) -> list[object]:
    return [event for event in pair.client_events if isinstance(event, kinds)]


def cut_first_path(pair: Pair) -> None:
    pair.to_server.filter(lambda datagram: datagram.local != 0)
    pair.to_client.filter(lambda datagram: datagram.address != CLIENT_ADDRESS)


def test_probed_path_takes_over() -> None:  # RFC 9000 §9.1, §9.2
    pair = two_sockets()
    assert pair.server is not None
    path = pair.client.paths.add(1, pair.now)
    pair.run_for(0.5)
    assert not pair.client_trace.frames_sent(PathChallengeFrame)
    pair.client.paths.probe(path, pair.now)
    pair.run_for(0.5)
    assert [PathValidated(path)] == of_kind(pair, PathValidated, PathChanged)
    assert CLIENT_ADDRESS == pair.server.address

    pair.client.paths.switch(path, pair.now)
    pair.run_for(0.1)

    assert [PathValidated(path), PathChanged(path, SERVER_ADDRESS)] == of_kind(
        pair, PathValidated, PathChanged
    )
    assert SECOND == pair.server.address
    transfer(pair, 200_000)


def test_both_sides_show_other_connection_ids_on_another_path() -> None:  # RFC 9000 §9.5
    pair = two_sockets()
    seen: dict[tuple[str, object], set[bytes]] = {}

    def note(side: str, place: object, datagram: Datagram) -> bool:
        seen.setdefault((side, place), set()).add(datagram.data[1:9])
        return True

    pair.to_server.filter(lambda datagram: note("to server", datagram.local, datagram))
    pair.to_client.filter(lambda datagram: note("to client", datagram.address, datagram))
    transfer(pair, 5_000)
    path = pair.client.paths.add(1, pair.now)
    pair.client.paths.probe(path, pair.now)
    pair.run_for(0.5)
    pair.client.paths.switch(path, pair.now)
    transfer(pair, 5_000)
    pair.run_for(3.0)

    assert not seen["to server", 0] & seen["to server", 1]
    assert not seen["to client", CLIENT_ADDRESS] & seen["to client", SECOND]
    for trace in (pair.client_trace, pair.server_trace):
        assert [RetireConnectionIdFrame(0)] == trace.frames_sent(RetireConnectionIdFrame)
    assert [PathAbandoned(0, False)] == of_kind(pair, PathAbandoned)


def test_estimates_begin_anew_on_another_path() -> None:  # RFC 9000 §9.4
    pair = two_sockets()
    transfer(pair, 1_000_000)
    before = pair.client.stats()
    for link in (pair.to_server, pair.to_client):
        link.config = replace(link.config, delay=0.1)
    path = pair.client.paths.add(1, pair.now)
    pair.client.paths.probe(path, pair.now)
    pair.run_for(1.0)
    assert before.minimum_rtt == pair.client.stats().minimum_rtt  # the probe tells nothing of the path in use
    pair.client.paths.switch(path, pair.now)
    after = pair.client.stats()

    assert after.congestion_window < before.congestion_window
    assert pytest.approx(0.2) == after.smoothed_rtt  # what the probe took
    assert 1_200 == after.datagram_size
    assert 0 == after.bytes_in_flight
    pair.run_for(3.0)
    assert 1_400 < pair.client.stats().datagram_size


@pytest.mark.parametrize("is_probed", [True, False])
def test_download_goes_on_when_the_first_path_dies(is_probed: bool) -> None:
    link = LinkConfig(rate=1_250_000, loss=0.01)
    pair = two_sockets(to_server=link, to_client=link, seed=4)
    assert pair.server is not None
    stream = pair.client.open_stream()
    pair.client.send(stream, b"?", True)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    data = Seeded("download")(1_500_000)
    pair.server.send(stream, data, True)
    pair.run_for(0.4)
    cut_first_path(pair)
    pair.run_for(0.3)
    path = pair.client.paths.add(1, pair.now)
    if is_probed:
        pair.client.paths.probe(path, pair.now)
        pair.run_until(lambda: bool(of_kind(pair, PathValidated)))
    pair.client.paths.switch(path, pair.now)
    start = pair.now
    pair.run_until(lambda: ("client", stream) in pair.finished)

    assert data == pair.received["client", stream]
    assert pair.now - start < 3.0


def test_path_on_which_nobody_answers_is_given_up() -> None:  # RFC 9000 §8.2.4
    pair = two_sockets()
    pair.to_server.filter(lambda datagram: datagram.local != 1)
    path = pair.client.paths.add(1, pair.now)
    pair.client.paths.probe(path, pair.now)
    transfer(pair, 50_000)
    pair.run_for(4.0)

    assert [PathAbandoned(path, True)] == of_kind(pair, PathValidated, PathChanged, PathAbandoned)
    assert [1] == [frame.sequence_number for frame in pair.client_trace.frames_sent(RetireConnectionIdFrame)]
    assert 0 == pair.client.stats().packets_lost  # the path in use has not suffered
    transfer(pair, 50_000)


def test_move_to_a_dead_path_is_taken_back() -> None:  # RFC 9000 §9.3.2
    pair = two_sockets()
    assert pair.server is not None
    pair.to_server.filter(lambda datagram: datagram.local != 1)
    path = pair.client.paths.add(1, pair.now)
    pair.client.paths.switch(path, pair.now)
    transfer(pair, 50_000)

    assert [PathChanged(path, SERVER_ADDRESS), PathChanged(0, SERVER_ADDRESS)] == of_kind(pair, PathChanged)
    assert CLIENT_ADDRESS == pair.server.address
    assert 0 == pair.client.paths.active_id


def test_client_may_go_to_and_fro_between_paths_that_it_keeps() -> None:
    pair = two_sockets()
    assert pair.server is not None
    path = pair.client.paths.add(1, pair.now)
    for target, address in [(path, SECOND), (0, CLIENT_ADDRESS)] * 3:
        pair.client.paths.switch(target, pair.now, keep_old=True)
        transfer(pair, 20_000)
        assert address == pair.server.address
        pair.run_for(2.0)

    assert not of_kind(pair, PathAbandoned)


def test_closed_path_gives_its_connection_id_back() -> None:  # RFC 9000 §5.1.2
    pair = two_sockets()
    path = pair.client.paths.add(1, pair.now)
    pair.client.paths.close(path, pair.now)
    pair.run_for(1.0)
    pair.client.paths.close(path, pair.now)

    assert [RetireConnectionIdFrame(1)] == pair.client_trace.frames_sent(RetireConnectionIdFrame)
    assert [PathAbandoned(path, False)] == of_kind(pair, PathAbandoned)
    with pytest.raises(UsageError, match="in use"):
        pair.client.paths.close(0, pair.now)


def test_paths_can_be_added_as_often_as_the_server_gives_connection_ids() -> None:
    pair = two_sockets()
    for number in range(2, 40):
        pair.client_sockets[number] = ("10.0.9.1", 50_000 + number)
        path = pair.client.paths.add(number, pair.now)
        pair.client.paths.probe(path, pair.now)
        pair.run_for(0.2)
        pair.client.paths.switch(path, pair.now)
        transfer(pair, 2_000)
        pair.run_for(1.0)

    assert (
        39
        == len(
            {(type(event), event.path_id) for event in pair.client_events if isinstance(event, PathValidated)}
        )
        + 1
    )


@pytest.mark.parametrize(
    ("address", "is_kept"), [(("10.0.0.1", 9), True), (("10.0.0.9", 9), False)], ids=["port", "host"]
)
def test_server_keeps_its_estimates_when_only_the_port_changes(
    address: Address, is_kept: bool
) -> None:  # RFC 9000 §9.4
    pair = established()
    assert pair.server is not None
    transfer(pair, 1_000_000)
    pair.run_for(1.0)
    before = pair.server.stats()
    pair.client_address = address
    pair.client.ping()
    pair.run_for(0.02)
    after = pair.server.stats()

    assert address == pair.server.address
    assert is_kept is (before.congestion_window == after.congestion_window)
    assert is_kept is (before.smoothed_rtt == after.smoothed_rtt)
    assert is_kept is (before.datagram_size == after.datagram_size)


# When another path cannot be had


def test_no_path_before_the_handshake_is_confirmed() -> None:  # RFC 9000 §9
    pair = Pair()

    with pytest.raises(PathUnavailable, match="confirmed"):
        pair.client.paths.add(1, pair.now)


def test_no_path_where_the_server_forbids_it() -> None:  # RFC 9000 §18.2
    pair = established(server_config=QuicConfig(migration=False))

    with pytest.raises(PathUnavailable, match="allow"):
        pair.client.paths.add(1, pair.now)
    assert PREFERRED == pair.client.parts.paths.get(pair.client.paths.add(1, pair.now, PREFERRED)).address  # type: ignore[union-attr]  # it was just added


def test_no_path_without_a_spare_connection_id() -> None:  # RFC 9000 §9.5
    pair = established()
    with pytest.raises(PathUnavailable, match="many"):
        for number in range(1, 9):
            pair.client.paths.add(number, pair.now)
    pair = established()
    while pair.client.parts.remote_ids.take():
        pass
    with pytest.raises(PathUnavailable, match="spare"):
        pair.client.paths.add(1, pair.now)


def test_mistakes_are_told() -> None:
    pair = two_sockets()
    assert pair.server is not None
    path = pair.client.paths.add(1, pair.now)

    with pytest.raises(UsageError, match="server"):
        pair.server.paths.add(1, pair.now)
    with pytest.raises(UsageError, match="already"):
        pair.client.paths.add(1, pair.now)
    with pytest.raises(UsageError, match="no path"):
        pair.client.paths.switch(path + 1, pair.now)
    pair.client.close()
    with pytest.raises(ConnectionClosed):
        pair.client.paths.add(2, pair.now)


def test_server_that_is_left_everywhere_ends_silently() -> None:  # RFC 9000 §9.3.2
    pair = established(
        server_config=QuicConfig(idle_timeout=60.0), client_config=QuicConfig(idle_timeout=60.0)
    )
    assert pair.server is not None
    pair.client_address = ("10.0.0.9", 9)
    pair.client.ping()
    pair.run_for(0.02)
    pair.to_server.filter(lambda datagram: False)
    pair.run_until(lambda: pair.server is not None and pair.server.is_closed, limit=30)
    sent = pair.to_client.sent
    pair.run_for(1.0)

    error = pair.server.error
    assert isinstance(error, TransportError)
    assert (NO_VIABLE_PATH, True) == (error.code, error.is_local)
    assert sent == pair.to_client.sent


# Preferred addresses


def with_preferred(*addresses: tuple[str, int], **options: object) -> Pair:
    config = QuicConfig(preferred_addresses=addresses)
    pair = established(server_config=config, **options)
    pair.server_sockets[5] = PREFERRED
    pair.run_for(0.5)
    return pair


def test_client_moves_to_the_preferred_address() -> None:  # RFC 9000 §9.6
    pair = with_preferred(PREFERRED[:2], ("fd00::3", 444))
    assert pair.server is not None
    assert [PreferredAddressOffered(PREFERRED)] == of_kind(pair, PreferredAddressOffered)
    path = pair.client.paths.add(0, pair.now, PREFERRED)
    with pytest.raises(PathUnavailable, match="answer"):  # RFC 9000 §21.5.3: it may be a victim's
        pair.client.paths.switch(path, pair.now)
    pair.client.paths.probe(path, pair.now)
    pair.run_until(lambda: bool(of_kind(pair, PathValidated)), 5)
    pair.client.paths.switch(path, pair.now)
    transfer(pair, 100_000)
    pair.run_for(3.0)

    assert PREFERRED == pair.client.address
    assert 5 == pair.server.parts.paths.active.local
    assert [RetireConnectionIdFrame(0)] == pair.client_trace.frames_sent(RetireConnectionIdFrame)
    assert not pair.client_trace.frames_sent(PathResponseFrame)[2:]


def test_preferred_address_that_does_not_answer_changes_nothing() -> None:  # RFC 9000 §9.6.1
    pair = with_preferred(PREFERRED[:2])
    pair.to_server.filter(lambda datagram: datagram.address != PREFERRED)
    path = pair.client.paths.add(0, pair.now, PREFERRED)
    pair.client.paths.probe(path, pair.now)
    pair.run_for(5.0)
    transfer(pair, 50_000)

    assert [PathAbandoned(path, True)] == of_kind(pair, PathAbandoned, PathChanged)
    assert SERVER_ADDRESS == pair.client.address


def test_preferred_address_holds_where_migration_is_forbidden() -> None:  # RFC 9000 §18.2
    pair = established(
        server_config=QuicConfig(preferred_addresses=(PREFERRED[:2],)),
        client_config=QuicConfig(migration=False),
    )

    assert not of_kind(pair, PreferredAddressOffered)


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_second_connection_id_is_that_of_the_preferred_address(loss: float) -> None:  # RFC 9000 §5.1.1
    pair = with_preferred(PREFERRED[:2], to_client=LinkConfig(loss=loss), seed=2)
    transfer(pair, 10_000)
    parameters = pair.client_trace.parameters[False]
    assert parameters.preferred_address is not None
    remote_id = pair.client.parts.remote_ids.take()

    assert remote_id is not None
    assert (1, parameters.preferred_address.connection_id) == (remote_id.sequence, remote_id.cid)
