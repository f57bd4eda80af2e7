"""Connection IDs that we issue. RFC 9000 §5.1.1, §19.16."""

from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from qcore import spaces
from qcore.errors import TransportError
from qcore.ids import LocalIds, RandomIds
from qcore.ids.local import MAX_ACTIVE
from qwire.constants import PROTOCOL_VIOLATION
from qwire.frames import Frame, NewConnectionIdFrame, RetireConnectionIdFrame

Written = Callable[..., list[Frame]]
FIRST: Final = bytes(range(8))
ORIGINAL: Final = b"original"


def token_of(cid: bytes) -> bytes:
    return (cid * 16)[:16]


def new_ids(size: int = 8, original: bytes | None = None, first: bytes = FIRST) -> LocalIds:
    generator = RandomIds(size, Random(1).randbytes)
    return LocalIds(first=first, generator=generator, reset_token=token_of, original=original)


def test_supplies_the_peer_up_to_its_limit(written: Written) -> None:
    ids = new_ids()
    ids.set_peer_limit(4)
    assert [] == written(ids)

    ids.issue()

    frames = [frame for frame in written(ids) if isinstance(frame, NewConnectionIdFrame)]
    assert [(1, 0), (2, 0), (3, 0)] == [(frame.sequence_number, frame.retire_prior_to) for frame in frames]
    assert [token_of(frame.connection_id) for frame in frames] == [
        frame.stateless_reset_token for frame in frames
    ]
    assert [FIRST, *(frame.connection_id for frame in frames)] == ids.active()
    assert [] == written(ids)


def test_a_huge_limit_is_not_used_up() -> None:
    ids = new_ids()
    ids.set_peer_limit(1 << 40)
    ids.issue()

    assert MAX_ACTIVE == len(ids.active())


def test_the_limit_may_come_after_the_start(written: Written) -> None:
    ids = new_ids()
    ids.issue()
    assert 2 == len(ids.active())
    ids.set_peer_limit(3)

    assert 3 == len(ids.active())
    assert 2 == len(written(ids))


def test_frames_wait_for_room_and_for_their_space(written: Written) -> None:
    ids = new_ids()
    ids.set_peer_limit(4)
    ids.issue()

    assert [] == written(ids, space=spaces.HANDSHAKE)
    assert 1 == len(written(ids, room=40))
    assert 2 == len(written(ids))


def test_a_retired_id_is_replaced(written: Written) -> None:
    ids = new_ids()
    ids.issue()
    written(ids)
    ids.drain_changes()
    second = ids.active()[1]

    ids.receive_retire(RetireConnectionIdFrame(0), second)
    ids.receive_retire(RetireConnectionIdFrame(0), second)

    (frame,) = written(ids)
    assert isinstance(frame, NewConnectionIdFrame)
    assert 2 == frame.sequence_number
    assert ([frame.connection_id], [FIRST]) == ids.drain_changes()
    assert ids.owns(second)
    assert not ids.owns(FIRST)


@pytest.mark.parametrize(
    ("sequence", "destination", "reason"),
    [
        pytest.param(2, FIRST, "never issued", id="not issued"),
        pytest.param(0, FIRST, "used by its retirement", id="in use by the packet"),
    ],
)
def test_refuses_impossible_retirements(
    sequence: int, destination: bytes, reason: str
) -> None:  # RFC 9000 §19.16
    ids = new_ids()
    ids.issue()

    with pytest.raises(TransportError, match=reason) as caught:
        ids.receive_retire(RetireConnectionIdFrame(sequence), destination)

    assert PROTOCOL_VIOLATION == caught.value.code


def test_empty_ids_are_neither_issued_nor_retired(written: Written) -> None:  # RFC 9000 §5.1.1, §19.16
    ids = new_ids(size=0, first=b"")
    ids.set_peer_limit(8)
    ids.issue()

    assert [] == written(ids)
    assert ([b""], []) == ids.drain_changes()
    with pytest.raises(TransportError, match="empty"):
        ids.receive_retire(RetireConnectionIdFrame(0), b"")


def test_a_lost_frame_is_sent_again_while_the_id_is_good(written: Written) -> None:
    ids = new_ids()
    ids.set_peer_limit(3)
    ids.issue()
    first, second = written(ids)
    ids.receive_retire(RetireConnectionIdFrame(1), FIRST)
    replacement = written(ids)

    ids.on_lost(first)
    assert [] == written(ids)
    ids.on_lost(second)
    ids.on_lost(second)
    assert [second] == written(ids)
    assert 1 == len(replacement)


def test_a_flood_of_retirements_queues_no_more_than_the_limit(written: Written) -> None:  # attack M3
    ids = new_ids()
    ids.set_peer_limit(8)
    ids.issue()
    for sequence in range(1, 10_000):
        ids.receive_retire(RetireConnectionIdFrame(sequence), FIRST)

    assert 8 == len(ids.active())
    assert 7 == len(written(ids))
    added, removed = ids.drain_changes()
    assert (8, 0) == (len(added), len(removed))


def test_the_original_destination_leads_here_for_a_while() -> None:
    ids = new_ids(original=ORIGINAL)
    assert ([FIRST, ORIGINAL], []) == ids.drain_changes()
    assert ids.owns(ORIGINAL)

    ids.drop_original()
    ids.drop_original()

    assert ([], [ORIGINAL]) == ids.drain_changes()
    assert not ids.owns(ORIGINAL)
    assert ([], []) == ids.drain_changes()


def test_the_preferred_address_takes_number_one(written: Written) -> None:  # RFC 9000 §5.1.1
    ids = new_ids()

    cid, token = ids.reserve()

    assert token_of(cid) == token
    assert [FIRST, cid] == ids.active()
    ids.set_peer_limit(3)
    ids.issue()
    (frame,) = written(ids)
    assert isinstance(frame, NewConnectionIdFrame)
    assert 2 == frame.sequence_number
    with pytest.raises(ValueError, match="second connection ID"):
        ids.reserve()
