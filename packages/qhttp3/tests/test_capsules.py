import random

import pytest

from qhttp3.capsules import DATAGRAM, MAX_CAPSULE_SIZE, Capsule, CapsuleReader, encode_capsule
from qhttp3.errors import H3_DATAGRAM_ERROR, StreamViolation

CLOSE = 0x2843
WANTED = frozenset((DATAGRAM, CLOSE))


def test_wanted_capsules_are_found_however_the_bytes_come() -> None:
    body = (
        encode_capsule(DATAGRAM, b"one")
        + encode_capsule(0x17, bytes(300))
        + encode_capsule(CLOSE)
        + encode_capsule(DATAGRAM, bytes(5000))
    )
    expected = [Capsule(DATAGRAM, b"one"), Capsule(CLOSE, b""), Capsule(DATAGRAM, bytes(5000))]
    for seed in range(50):
        choice = random.Random(seed)
        reader = CapsuleReader(WANTED)
        found: list[Capsule] = []
        position = 0
        while position < len(body):
            size = choice.choice((1, 2, 3, 50, 700))
            found += reader.receive(body[position : position + size])
            position += size
        reader.finish()
        assert expected == found


def test_what_nobody_wants_is_not_kept() -> None:
    reader = CapsuleReader(WANTED)
    head = encode_capsule(0x17, b"")[:-1] + bytes.fromhex("c000000100000000")  # 4 GiB follow
    assert [] == reader.receive(head)
    for _ in range(100):
        assert [] == reader.receive(bytes(1 << 16))
    with pytest.raises(StreamViolation):
        reader.finish()


def test_a_capsule_beyond_the_limit_is_refused_by_its_header() -> None:
    head = bytes.fromhex("00") + (MAX_CAPSULE_SIZE + 1 | 0x8000_0000).to_bytes(4, "big")
    with pytest.raises(StreamViolation) as caught:
        CapsuleReader(WANTED).receive(head)
    assert H3_DATAGRAM_ERROR == caught.value.code


@pytest.mark.parametrize("size", range(1, 5))
def test_a_body_that_ends_within_a_capsule_is_refused(size: int) -> None:  # RFC 9297 §3.3
    reader = CapsuleReader(WANTED)
    assert [] == reader.receive(encode_capsule(DATAGRAM, b"one")[:size])
    with pytest.raises(StreamViolation):
        reader.finish()
