"""Connection IDs of the peer. RFC 9000 §5.1.2, §19.15."""

from collections.abc import Callable
from typing import Final

import pytest

from qcore import spaces
from qcore.errors import TransportError
from qcore.ids import RemoteIds
from qwire.constants import CONNECTION_ID_LIMIT_ERROR, FRAME_ENCODING_ERROR, PROTOCOL_VIOLATION
from qwire.frames import Frame, NewConnectionIdFrame, RetireConnectionIdFrame

Written = Callable[..., list[Frame]]
FIRST: Final = b"number-0"


def cid_of(sequence: int) -> bytes:
    return sequence.to_bytes(8, "big")


def token_of(sequence: int) -> bytes:
    return sequence.to_bytes(16, "little")


def new_frame(
    sequence: int, retire_prior_to: int = 0, cid: bytes | None = None, token: bytes | None = None
) -> NewConnectionIdFrame:
    return NewConnectionIdFrame(
        sequence,
        retire_prior_to,
        cid_of(sequence) if cid is None else cid,
        token_of(sequence) if token is None else token,
    )


def new_ids(limit: int = 4, count: int = 0, first: bytes = FIRST) -> RemoteIds:
    ids = RemoteIds(first, limit)
    for sequence in range(1, count + 1):
        ids.receive_new(new_frame(sequence))
    return ids


def test_keeps_spare_ids_and_takes_them_in_order(written: Written) -> None:
    ids = new_ids(count=2)
    ids.receive_new(new_frame(2))
    assert 2 == ids.spare_count

    assert ids.rotate()

    assert cid_of(1) == ids.current_cid == ids.current.cid
    assert [RetireConnectionIdFrame(0)] == written(ids)
    assert ids.rotate()
    assert not ids.rotate()
    assert [RetireConnectionIdFrame(1)] == written(ids)


def test_an_id_for_another_path(written: Written) -> None:  # RFC 9000 §9.5
    ids = new_ids(count=1)
    before = ids.current
    taken = ids.take()
    assert taken is not None
    assert ids.take() is None
    assert FIRST == ids.current_cid

    ids.use(taken)
    ids.retire(before)
    ids.retire(before)

    assert cid_of(1) == ids.current_cid
    assert before.is_retired
    assert [RetireConnectionIdFrame(0)] == written(ids)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(new_frame(3, retire_prior_to=4), FRAME_ENCODING_ERROR, id="T25"),
        pytest.param(new_frame(3, cid=b""), FRAME_ENCODING_ERROR, id="T26"),
        pytest.param(new_frame(3, cid=bytes(21)), FRAME_ENCODING_ERROR, id="too long"),
        pytest.param(new_frame(1, cid=b"other"), PROTOCOL_VIOLATION, id="same number, other ID"),
        pytest.param(new_frame(1, token=bytes(16)), PROTOCOL_VIOLATION, id="same number, other token"),
        pytest.param(new_frame(3, cid=cid_of(1)), PROTOCOL_VIOLATION, id="same ID, other number"),
        pytest.param(new_frame(0, cid=b"other"), PROTOCOL_VIOLATION, id="the first ID"),
    ],
)
def test_refuses_ids_that_cannot_be(frame: NewConnectionIdFrame, code: int) -> None:  # RFC 9000 §19.15
    ids = new_ids(count=2)

    with pytest.raises(TransportError) as caught:
        ids.receive_new(frame)

    assert code == caught.value.code
    assert frame.type == caught.value.frame_type


def test_enforces_the_advertised_limit() -> None:  # RFC 9000 §5.1.1
    ids = new_ids(limit=4, count=3)

    with pytest.raises(TransportError, match="5 connection IDs, 4 allowed") as caught:
        ids.receive_new(new_frame(4))

    assert CONNECTION_ID_LIMIT_ERROR == caught.value.code


def test_an_id_may_make_its_own_room() -> None:  # RFC 9000 §5.1.2
    ids = new_ids(limit=4, count=3)

    ids.receive_new(new_frame(4, retire_prior_to=1))

    assert cid_of(1) == ids.current_cid


def test_refuses_further_ids_of_a_peer_without(written: Written) -> None:  # RFC 9000 §19.15
    ids = new_ids(first=b"")

    with pytest.raises(TransportError, match="empty") as caught:
        ids.receive_new(new_frame(1))

    assert PROTOCOL_VIOLATION == caught.value.code
    assert not ids.rotate()
    assert [] == written(ids)


def test_retire_prior_to_moves_on_and_gives_back(written: Written) -> None:
    ids = new_ids(limit=4, count=2)
    taken = ids.take()
    assert taken is not None

    ids.receive_new(new_frame(3, retire_prior_to=2))

    assert cid_of(2) == ids.current_cid
    assert taken.is_retired
    ids.use(taken)
    assert cid_of(2) == ids.current_cid
    assert [RetireConnectionIdFrame(0), RetireConnectionIdFrame(1)] == written(ids)
    assert 1 == ids.spare_count


def test_an_id_that_comes_late_is_given_back_at_once(written: Written) -> None:  # RFC 9000 §19.15
    ids = new_ids()
    ids.receive_new(new_frame(3, retire_prior_to=3))
    (retired,) = written(ids)
    assert RetireConnectionIdFrame(0) == retired

    ids.receive_new(new_frame(2))
    ids.receive_new(new_frame(2))

    assert [RetireConnectionIdFrame(2)] == written(ids)
    assert cid_of(3) == ids.current_cid


def test_retirements_are_repeated_until_acknowledged(written: Written) -> None:
    ids = new_ids(count=1)
    ids.rotate()
    assert [] == written(ids, space=spaces.INITIAL)
    assert [] == written(ids, room=1)
    (frame,) = written(ids)

    ids.on_lost(frame)
    ids.on_lost(frame)
    assert [frame] == written(ids)
    ids.on_lost(frame)
    ids.on_acked(frame)
    assert [] == written(ids)
    ids.on_lost(frame)
    assert [] == written(ids)


def test_a_peer_that_withholds_acknowledgements_is_cut_off() -> None:  # attack M3
    ids = new_ids(limit=4)

    with pytest.raises(TransportError, match="not acknowledged") as caught:
        for sequence in range(1, 100_000):
            ids.receive_new(new_frame(sequence, retire_prior_to=sequence))
    assert CONNECTION_ID_LIMIT_ERROR == caught.value.code
    assert caught.value.reason.startswith("8 retired")


def test_a_peer_that_acknowledges_may_go_on(written: Written) -> None:
    ids = new_ids(limit=4)

    for sequence in range(1, 1000):
        ids.receive_new(new_frame(sequence, retire_prior_to=sequence))
        for frame in written(ids):
            ids.on_acked(frame)

    assert cid_of(999) == ids.current_cid


def test_the_servers_choice_replaces_the_first() -> None:  # RFC 9000 §7.2
    ids = new_ids()
    ids.replace_first(b"chosen")
    ids.set_first_token(token_of(0))

    assert b"chosen" == ids.current_cid == ids.current.cid
    assert ids.is_reset_token(token_of(0))


def test_only_tokens_of_ids_in_use_count() -> None:  # RFC 9000 §10.3.1
    ids = new_ids(count=2)
    ids.set_first_token(token_of(0))
    assert ids.is_reset_token(token_of(0))
    assert not ids.is_reset_token(token_of(1))
    assert not ids.is_reset_token(bytes(16)[:15])

    ids.rotate()

    assert ids.is_reset_token(token_of(1))
    assert not ids.is_reset_token(token_of(2))


def test_the_preferred_address_brings_number_one() -> None:
    ids = new_ids()
    ids.add_preferred(b"elsewhere", token_of(1))

    with pytest.raises(TransportError):
        ids.receive_new(new_frame(1))
    taken = ids.take()
    assert taken is not None
    assert (1, b"elsewhere") == (taken.sequence, taken.cid)
