"""Which path is in use. RFC 9000 §9."""

import math
from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from qcore.batch import Address
from qcore.paths.migration import LAST_ROUNDS, LINGER_PTOS, MAX_PATHS, Migration, PathManager
from qcore.paths.path import NEW_PATH_PTO, PROBE_TIMEOUTS, UNLIMITED, Path
from qwire.frames import Frame, PathChallengeFrame, PathResponseFrame

Written = Callable[..., list[Frame]]
HOME: Final = ("192.0.2.1", 4433)
NEXT_PORT: Final = ("192.0.2.1", 4434)
ELSEWHERE: Final = ("198.51.100.7", 4433)
PTO: Final = 0.1


def new_manager(is_client: bool = False, validated: bool = True) -> PathManager:
    return PathManager(HOME, is_client=is_client, validated=validated, random=Random(1).randbytes)


def arrive(
    paths: PathManager,
    address: Address,
    *,
    is_probing: bool = False,
    is_newest: bool = True,
    confirmed: bool = True,
    now: float = 0.0,
) -> Migration | None:
    path = paths.on_datagram(address, 1200)
    assert path is not None
    return paths.on_packet(
        path, is_probing=is_probing, is_newest=is_newest, confirmed=confirmed, now=now, pto=PTO
    )


def answer(paths: PathManager, path: Path, written: Written) -> Path | None:
    (frame,) = written(path)
    assert isinstance(frame, PathChallengeFrame)
    return paths.receive_response(PathResponseFrame(frame.data), 0.0, PTO)


def test_bytes_are_counted_per_path() -> None:
    paths = new_manager(validated=False)
    paths.on_datagram(HOME, 1200)
    arrive(paths, ELSEWHERE)
    paths.on_datagram(ELSEWHERE, 50)

    assert {HOME: 1200, ELSEWHERE: 1250} == {path.address: path.received for path in paths.paths()}


def test_nothing_changes_as_long_as_the_address_stays() -> None:
    paths = new_manager()

    assert arrive(paths, HOME) is None
    assert math.inf == paths.next_timeout()


@pytest.mark.parametrize(
    ("address", "address_changed"),
    [pytest.param(NEXT_PORT, False, id="port"), pytest.param(ELSEWHERE, True, id="host")],
)
def test_a_server_follows_and_probes_both_paths(
    written: Written, address: Address, address_changed: bool
) -> None:  # RFC 9000 §9.3, §9.4
    paths = new_manager()

    migration = arrive(paths, address)

    assert migration is not None
    assert (address, HOME) == (migration.path.address, migration.old.address)
    assert address_changed is migration.address_changed
    assert paths.active is migration.path
    assert 3600 == paths.active.budget()
    assert migration.path is answer(paths, migration.path, written)
    assert migration.old is answer(paths, migration.old, written)
    assert LINGER_PTOS * PTO == pytest.approx(paths.next_timeout())
    assert paths.handle_timeout(paths.next_timeout(), PTO) is None
    assert [migration.path] == paths.paths()


@pytest.mark.parametrize(
    "hint",
    [{"is_probing": True}, {"is_newest": False}, {"confirmed": False}],
    ids=lambda hint: next(iter(hint)),
)
def test_other_packets_move_nothing(hint: dict[str, bool]) -> None:  # RFC 9000 §9.3
    paths = new_manager()

    assert arrive(paths, ELSEWHERE, **hint) is None
    assert HOME == paths.active.address
    assert paths.find(ELSEWHERE) is not None


def test_returns_to_the_validated_path_when_the_new_one_fails(written: Written) -> None:  # RFC 9000 §9.3.2
    paths = new_manager()
    migration = arrive(paths, ELSEWHERE)
    assert migration is not None
    answer(paths, migration.old, written)

    back = None
    while back is None:
        back = paths.handle_timeout(paths.next_timeout(), PTO)

    assert (HOME, ELSEWHERE) == (back.path.address, back.old.address)
    assert paths.active.validated
    assert [HOME] == [path.address for path in paths.paths()]
    assert not paths.is_lost


def test_returns_to_the_last_validated_of_several(written: Written) -> None:
    paths = new_manager()
    arrive(paths, NEXT_PORT)
    home = paths.find(HOME)
    assert home is not None
    answer(paths, home, written)
    arrive(paths, ELSEWHERE)

    back = None
    while back is None:
        back = paths.handle_timeout(paths.next_timeout(), PTO)

    assert HOME == back.path.address


def test_moving_back_to_a_validated_path_needs_no_proof(written: Written) -> None:
    paths = new_manager()
    arrive(paths, ELSEWHERE)

    migration = arrive(paths, HOME)

    assert migration is not None
    assert paths.active.validated
    assert HOME == paths.active.address


def test_a_dead_old_path_is_forgotten(written: Written) -> None:
    paths = new_manager()
    migration = arrive(paths, NEXT_PORT)
    assert migration is not None
    answer(paths, migration.path, written)

    while paths.next_timeout() < math.inf:
        assert paths.handle_timeout(paths.next_timeout(), PTO) is None

    assert [NEXT_PORT] == [path.address for path in paths.paths()]
    assert not paths.is_lost


def test_lost_when_no_path_answers() -> None:
    paths = new_manager()
    arrive(paths, ELSEWHERE)

    while paths.next_timeout() < math.inf:
        assert paths.handle_timeout(paths.next_timeout(), PTO) is None

    assert paths.is_lost


def test_forged_addresses_cost_nothing() -> None:  # attack A4
    paths = new_manager()

    for port in range(1, 10_000):
        assert paths.on_datagram(("203.0.113.9", port), 1200) is not None

    assert [HOME] == [path.address for path in paths.paths()]


def test_paths_are_bounded(written: Written) -> None:
    paths = new_manager()
    for port in range(1, 1000):
        arrive(paths, ("203.0.113.9", port))
        assert len(paths.paths()) <= MAX_PATHS

    assert paths.find(HOME) is not None
    assert ("203.0.113.9", 999) == paths.active.address


def test_an_unknown_answer_is_ignored() -> None:
    assert new_manager().receive_response(PathResponseFrame(bytes(8)), 0.0, PTO) is None


def test_a_client_hears_only_its_server() -> None:  # RFC 9000 §9.3
    paths = new_manager(is_client=True)

    assert paths.on_datagram(ELSEWHERE, 1200) is None
    assert paths.on_datagram(HOME, 1200) is paths.active


def two_paths() -> tuple[PathManager, Path]:
    """A client with a second socket."""
    paths = new_manager(is_client=True)
    paths.on_datagram(HOME, 1200)
    return paths, paths.add(HOME, 1)


def test_a_client_adds_a_path_probes_it_and_moves(written: Written) -> None:  # RFC 9000 §9.1, §9.2
    paths, path = two_paths()
    assert [] == written(path)
    paths.probe(path, 0.0, PTO)
    assert paths.active is not path
    assert path is answer(paths, path, written)

    migration = paths.switch(path, 1.0, PTO)

    assert (path, 0) == (paths.active, migration.old.local)
    assert migration.address_changed
    assert 1.0 + LINGER_PTOS * PTO == paths.next_timeout()
    assert paths.handle_timeout(paths.next_timeout(), PTO) is None
    assert [migration.old] == paths.take_dropped()
    assert [path] == paths.paths()


def test_a_client_may_keep_the_path_before(written: Written) -> None:
    paths, path = two_paths()
    paths.probe(path, 0.0, PTO)
    answer(paths, path, written)
    old = paths.switch(path, 1.0, PTO, keep_old=True).old

    assert math.inf == paths.next_timeout()
    assert paths.switch(old, 2.0, PTO, keep_old=True).path is old
    assert math.inf == paths.next_timeout()


def test_a_move_without_a_probe_is_taken_back_if_nobody_answers() -> None:  # RFC 9000 §9.3.2
    paths, path = two_paths()
    old = paths.switch(path, 0.0, PTO).old
    assert UNLIMITED == path.budget()  # the server is known to be there

    back = None
    while back is None:
        back = paths.handle_timeout(paths.next_timeout(), PTO)

    assert (old, path) == (back.path, back.old)
    assert [path] == paths.take_dropped()


def test_paths_are_told_apart_by_sockets_too() -> None:
    paths, path = two_paths()

    assert paths.on_datagram(HOME, 50, 1) is path
    assert paths.on_datagram(HOME, 50, 2) is None
    assert paths.on_datagram(HOME, 50) is paths.active
    assert (path, None) == (paths.get(path.id), paths.get(99))


def test_a_server_answers_a_probe_by_one_of_its_own(written: Written) -> None:
    paths = new_manager()

    assert arrive(paths, ELSEWHERE, is_probing=True) is None
    path = paths.find(ELSEWHERE)
    assert path is not None
    answer(paths, path, written)
    arrive(paths, ELSEWHERE)

    assert paths.active is path
    assert UNLIMITED == path.budget()


def test_where_there_is_no_way_back_validation_gets_more_time() -> None:  # RFC 9000 §8.2.4
    paths = new_manager(validated=False)
    arrive(paths, ELSEWHERE)
    end = 0.0
    while not paths.is_lost:
        end = paths.next_timeout()
        paths.handle_timeout(end, PTO)

    assert LAST_ROUNDS * PROBE_TIMEOUTS * NEW_PATH_PTO == pytest.approx(end)


def test_address_that_is_heard_is_not_given_up() -> None:  # RFC 9000 §8.2.4
    paths = new_manager(validated=False)
    arrive(paths, ELSEWHERE)
    for _ in range(50):
        paths.on_datagram(ELSEWHERE, 40)
        paths.handle_timeout(paths.next_timeout(), PTO)
    assert not paths.is_lost

    for _ in range(50):
        paths.handle_timeout(min(paths.next_timeout(), 1e9), PTO)
    assert paths.is_lost


# During the handshake, RFC 9000 §8.1


def arrive_early(paths: PathManager, address: Address) -> Path:
    """A packet of the handshake, the newest, and what the engine does about it."""
    path = paths.on_datagram(address, 1200)
    assert path is not None
    if path is not paths.active:
        paths.follow(path, 0.0, PTO)
    return path


def test_handshake_follows_the_client_and_owes_it_three_times_what_it_sent() -> None:
    paths = new_manager(validated=False)
    arrive_early(paths, HOME)
    paths.active.on_sent(3000)
    arrive_early(paths, NEXT_PORT)

    assert NEXT_PORT == paths.active.address
    assert 3600 == paths.active.budget()
    arrive_early(paths, HOME)
    assert HOME == paths.active.address
    assert 4200 == paths.active.budget()


def test_handshake_packet_proves_the_only_address() -> None:
    paths = new_manager(validated=False)
    path = arrive_early(paths, HOME)
    paths.on_handshake_packet(path)

    assert path.validated


@pytest.mark.parametrize("address", [HOME, NEXT_PORT])
def test_handshake_packet_proves_neither_of_two_addresses(address: Address) -> None:
    paths = new_manager(validated=False)
    arrive_early(paths, HOME)
    arrive_early(paths, NEXT_PORT)
    path = arrive_early(paths, address)
    paths.on_handshake_packet(path)

    assert not any(path.validated for path in paths.paths())


def test_address_that_the_handshake_did_not_prove_is_challenged_after_it(written: Written) -> None:
    paths = new_manager(validated=False)
    arrive_early(paths, HOME)
    arrive_early(paths, NEXT_PORT)
    paths.on_confirmed(0.0, PTO)

    assert paths.active is answer(paths, paths.active, written)
    assert paths.active.validated


def test_address_that_is_proved_is_not_challenged_after_the_handshake(written: Written) -> None:
    paths = new_manager()
    paths.on_confirmed(0.0, PTO)

    assert [] == written(paths.active)
