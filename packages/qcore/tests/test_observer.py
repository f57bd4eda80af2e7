"""Every event that can be watched does happen, with what it promises."""

from collections.abc import Callable

import pytest

from qcore.admission import always_retry
from qcore.config import QuicConfig
from qcore.observer import Observer
from qcore.testing import LinkConfig, Pair
from qcore.testing.pair import SERVER_ADDRESS, SERVER_NAME, WALL, throwaway_certificate
from qtls.config import ClientTLS
from qwire.constants import VERSION_1, VERSION_2, PacketType

from .engine.observing import EVENTS


class Listening(Observer):
    """Notes every call with its arguments by name."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, object]]] = []

    def __getattribute__(self, name: str) -> object:
        if name not in EVENTS:
            return object.__getattribute__(self, name)
        parameters = EVENTS[name]

        def note(*arguments: object) -> None:
            self.calls.append((name, dict(zip(parameters, arguments, strict=True))))

        return note

    def of(self, name: str) -> list[dict[str, object]]:
        return [arguments for called, arguments in self.calls if called == name]


def watched(pair: Pair, config: QuicConfig | None = None) -> Listening:
    """Let an observer of ours watch a client that takes the place of the pair's own."""
    observer = Listening()
    pair.client = pair.client_router.connect(
        SERVER_ADDRESS,
        tls=ClientTLS(alpn=("test",), ca=throwaway_certificate().ca_pem),
        config=config or QuicConfig(),
        server_name=SERVER_NAME,
        now=pair.now,
        wall_clock=WALL,
        observer=observer,
    )
    return observer


def transfer(pair: Pair, size: int) -> None:
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(size), True)
    pair.run_until(lambda: ("server", stream) in pair.finished)


def plain() -> Listening:
    pair = Pair()
    observer = watched(pair)
    transfer_after_handshake(pair)
    pair.client.close(7, "enough")
    pair.run_until(lambda: pair.client.is_terminated)
    return observer


def transfer_after_handshake(pair: Pair) -> None:
    pair.run_until(lambda: pair.client.is_confirmed)
    transfer(pair, 50_000)


def lossy() -> Listening:
    link = LinkConfig(loss=0.2, reorder=0.2, duplicate=0.1, corrupt=0.05)
    pair = Pair(to_server=link, to_client=link, seed=5)
    observer = watched(pair)
    transfer_after_handshake(pair)
    return observer


def retried() -> Listening:
    pair = Pair(admit=always_retry)
    observer = watched(pair)
    transfer_after_handshake(pair)
    return observer


def negotiated() -> Listening:
    pair = Pair(server_config=QuicConfig(versions=(VERSION_1,)))
    observer = watched(pair, QuicConfig(versions=(VERSION_2, VERSION_1)))
    transfer_after_handshake(pair)
    return observer


def updated() -> Listening:
    pair = Pair()
    observer = watched(pair)
    transfer_after_handshake(pair)
    assert pair.client.update_keys()
    transfer(pair, 5_000)
    assert pair.server is not None
    pair.server.ping()  # RFC 9001 §6.1: something of the new phase has to be acknowledged
    pair.run_for(2.0)
    assert pair.server.update_keys()
    pair.server.ping()
    pair.run_for(2.0)
    return observer


def moved() -> Listening:
    pair = Pair()
    observer = watched(pair)
    transfer_after_handshake(pair)
    pair.client_sockets[1] = ("10.0.0.9", 9)
    path = pair.client.paths.add(1, pair.now)
    pair.client.paths.probe(path, pair.now)
    pair.run_for(1.0)
    pair.client.paths.switch(path, pair.now)
    pair.run_for(3.0)
    return observer


def buffered() -> Listening:
    # The server's first datagram is late, so that its Handshake packets come before their keys.
    pair = Pair()
    observer = watched(pair)
    pair.to_client.drop(1)
    transfer_after_handshake(pair)
    return observer


SCENARIOS = [plain, lossy, retried, negotiated, updated, moved, buffered]


def test_every_event_happens() -> None:
    seen = {name for scenario in SCENARIOS for name, _ in scenario().calls}

    assert [] == sorted(set(EVENTS) - seen)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_time_never_goes_back(scenario: Callable[[], Listening]) -> None:
    times = [arguments["now"] for _, arguments in scenario().calls]

    assert times == sorted(times)  # type: ignore[type-var]  # floats all of them


def test_states_follow_one_another() -> None:
    states = [(call["old"], call["new"]) for call in plain().of("connection_state")]

    assert [
        ("handshaking", "established"),
        ("established", "confirmed"),
        ("confirmed", "closing"),
        ("closing", "closed"),
    ] == states


def test_close_is_told_once() -> None:
    (closed,) = plain().of("connection_closed")
    del closed["now"]

    assert {"is_local": True, "code": 7, "is_application": True, "reason": "enough"} == closed


def test_both_sides_parameters_are_told() -> None:
    assert [True, False] == [call["is_local"] for call in plain().of("parameters_set")]


def test_sizes_of_datagrams_are_those_of_their_packets() -> None:
    observer = plain()
    packets = sum(call["size"] for call in observer.of("packet_sent"))  # type: ignore[misc]  # ints
    datagrams = sum(call["size"] for call in observer.of("datagrams_sent"))  # type: ignore[misc]  # ints

    assert packets == datagrams


def test_keys_come_and_go_by_level() -> None:
    observer = plain()

    assert {"handshake", "1rtt"} <= {call["level"] for call in observer.of("keys_installed")}
    assert ["initial", "handshake"] == [call["level"] for call in observer.of("keys_discarded")]


def test_key_updates_are_told_with_who_began() -> None:  # RFC 9001 §6
    assert [(1, True), (2, False)] == [
        (call["generation"], call["is_local"]) for call in updated().of("keys_updated")
    ]


def test_what_happens_to_paths_is_told() -> None:  # RFC 9000 §8.2.3, §9
    observer = moved()

    for name, path_id in [
        ("path_added", 1),
        ("path_validated", 1),
        ("path_changed", 1),
        ("path_abandoned", 0),
    ]:
        assert [(path_id, SERVER_ADDRESS)] == [
            (call["path_id"], call["address"]) for call in observer.of(name)
        ]


def test_chosen_protocol_and_version_are_told() -> None:
    observer = negotiated()

    assert ["test"] == [call["alpn"] for call in observer.of("alpn_chosen")]
    assert VERSION_1 == observer.of("version_negotiated")[0]["chosen"]


def test_losses_name_their_trigger() -> None:
    triggers = {call["trigger"] for call in lossy().of("packet_lost")}

    assert triggers <= {"reordering_threshold", "time_threshold", "pto_expired"}
    assert len(triggers) >= 2


def test_packets_are_told_with_type_and_number() -> None:
    sent = plain().of("packet_sent")

    assert PacketType.INITIAL is sent[0]["packet_type"]
    assert 0 == sent[0]["packet_number"]
    assert {PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ONE_RTT} == {
        call["packet_type"] for call in sent
    }


def test_base_class_ignores_everything() -> None:
    assert {name for name in vars(Observer) if not name.startswith("_")} == set(EVENTS)
    observer = Observer()
    observer.connection_state(0.0, "handshaking", "established")
    observer.packet_dropped(0.0, "no reason", 5)
    observer.path_validated(0.0, 1, SERVER_ADDRESS)
