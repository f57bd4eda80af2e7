"""One path. RFC 9000 §8.1, §8.2."""

import math
from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from qcore import spaces
from qcore.batch import Address
from qcore.paths.path import MAX_RESPONSES, NEW_PATH_PTO, UNLIMITED, Path, PathState, is_same_place
from qwire.frames import Frame, PathChallengeFrame, PathResponseFrame

Written = Callable[..., list[Frame]]
ADDRESS: Final = ("192.0.2.1", 4433)
RANDOM: Final = Random(1).randbytes
PTO: Final = 0.1


def challenge_of(frames: list[Frame]) -> bytes:
    (frame,) = frames
    assert isinstance(frame, PathChallengeFrame)
    return frame.data


def respond(path: Path, data: bytes, now: float = 0.0) -> bool:
    return path.receive_response(PathResponseFrame(data), RANDOM, now, PTO)


def test_sends_three_times_what_it_received() -> None:  # RFC 9000 §8.1, attack A2
    path = Path(ADDRESS)
    assert 0 == path.budget()

    path.on_received(1200)
    path.on_sent(3000)
    assert 600 == path.budget()
    path.on_sent(700)
    assert -100 == path.budget()
    path.set_validated()
    assert UNLIMITED == path.budget()
    assert PathState.VALIDATED is path.state


def test_validates_by_an_answer(written: Written) -> None:  # RFC 9000 §8.2.3
    path = Path(ADDRESS)
    path.on_received(1200)
    assert not path.has_frames(spaces.APPLICATION)
    path.start_validation(RANDOM, 1.0, PTO)
    assert path.has_frames(spaces.APPLICATION)

    data = challenge_of(written(path))

    assert 8 == len(data)
    assert not path.has_frames(spaces.APPLICATION)
    assert not respond(path, bytes(8))
    assert PathState.PROBING is path.state
    assert respond(path, data, 1.25)
    assert path.validated
    assert 1.25 == path.rtt  # the fixture writes packets at time 0
    assert math.inf == path.deadline
    assert not respond(path, data)


def test_repeats_challenges_with_new_data_and_growing_pauses(written: Written) -> None:  # RFC 9000 §8.2.1
    path = Path(ADDRESS)
    path.start_validation(RANDOM, 0.0, PTO)
    sent = [challenge_of(written(path))]
    times = [0.0]

    while path.state is PathState.PROBING:
        now = path.deadline
        assert not path.handle_timeout(RANDOM, now - 0.001)
        if not path.handle_timeout(RANDOM, now):
            times.append(now)
            sent.append(challenge_of(written(path)))

    assert [0.0, 0.1, 0.3, 0.7, 1.5] == pytest.approx(times)
    assert len(sent) == len(set(sent))
    assert 3 * NEW_PATH_PTO == now
    assert PathState.FAILED is path.state
    assert [] == written(path)
    assert not respond(path, sent[0])


def test_any_challenge_may_be_answered(written: Written) -> None:
    path = Path(ADDRESS)
    path.on_received(1200)
    path.start_validation(RANDOM, 0.0, PTO)
    first = challenge_of(written(path))
    path.handle_timeout(RANDOM, path.deadline)
    challenge_of(written(path))

    assert respond(path, first)


def test_an_answer_to_a_small_datagram_proves_the_address_and_not_the_size(written: Written) -> None:
    path = Path(ADDRESS)  # RFC 9000 §8.2.3
    path.on_received(100)
    path.start_validation(RANDOM, 0.0, PTO)

    assert not respond(path, challenge_of(written(path)))
    assert path.validated
    assert PathState.PROBING is path.state
    assert respond(path, challenge_of(written(path)))
    assert math.inf == path.deadline


def test_a_path_that_carries_small_datagrams_only_fails(written: Written) -> None:  # RFC 9000 §8.2.3
    path = Path(ADDRESS)
    path.on_received(100)
    path.start_validation(RANDOM, 0.0, PTO)
    respond(path, challenge_of(written(path)))

    while not path.handle_timeout(RANDOM, path.deadline):
        assert 1 == len(written(path))

    assert path.has_failed
    assert not path.validated


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (("192.0.2.1", 4433), True),
        (("::ffff:192.0.2.1", 4433, 0, 0), True),
        (("192.0.2.1", 4434), False),
        (("192.0.2.2", 4433), False),
    ],
)
def test_addresses_are_compared_in_both_forms(other: Address, expected: bool) -> None:
    assert expected is is_same_place(ADDRESS, other)
    assert expected is is_same_place(other, ADDRESS)


def test_a_slow_path_gets_more_time() -> None:  # RFC 9000 §8.2.4
    path = Path(ADDRESS)
    path.start_validation(RANDOM, 0.0, 2.0)
    path.start_validation(RANDOM, 1.0, 2.0)

    while not path.handle_timeout(RANDOM, path.deadline):
        last = path.deadline

    assert 6.0 == last


def test_a_known_path_stays_good_while_it_is_probed(written: Written) -> None:  # RFC 9000 §9.3.3
    path = Path(ADDRESS, validated=True)
    path.start_validation(RANDOM, 0.0, PTO)

    assert UNLIMITED == path.budget()
    assert respond(path, challenge_of(written(path)))


def test_address_that_fails_counts_from_nothing(written: Written) -> None:  # RFC 9000 §8.1
    path = Path(ADDRESS, validated=True)
    path.on_received(5_000)
    path.on_sent(100_000)
    path.start_validation(RANDOM, 0.0, PTO)
    path.on_received(40)
    while not path.handle_timeout(RANDOM, path.deadline):
        pass

    assert (0, True) == (path.budget(), path.was_heard)
    path.on_received(40)
    assert 120 == path.budget()


def test_answers_challenges_one_per_packet(written: Written) -> None:  # RFC 9000 §8.2.2
    path = Path(ADDRESS, validated=True)
    path.receive_challenge(PathChallengeFrame(b"first..."))
    path.receive_challenge(PathChallengeFrame(b"second.."))

    assert path.has_frames(spaces.APPLICATION)
    assert [] == written(path, space=spaces.HANDSHAKE)
    assert [] == written(path, room=8)
    assert [PathResponseFrame(b"first...")] == written(path)
    assert [PathResponseFrame(b"second..")] == written(path)
    assert [] == written(path)


def test_a_lost_answer_is_not_repeated(written: Written) -> None:  # RFC 9000 §13.3
    path = Path(ADDRESS, validated=True)
    path.receive_challenge(PathChallengeFrame(b"question"))
    (frame,) = written(path)

    path.on_lost(frame)

    assert [] == written(path)


def test_a_flood_of_challenges_keeps_the_newest(written: Written) -> None:  # attack M2
    path = Path(ADDRESS, validated=True)
    for number in range(100_000):
        path.receive_challenge(PathChallengeFrame(number.to_bytes(8, "big")))

    answered = [frame for _ in range(20) for frame in written(path)]

    newest = range(100_000 - MAX_RESPONSES, 100_000)
    assert [PathResponseFrame(number.to_bytes(8, "big")) for number in newest] == answered
