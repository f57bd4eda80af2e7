"""The send buffer under random loss and acknowledgement."""

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from qcore.streams.send_buffer import GATHERED, SMALL_WRITE, SendBuffer

SIZES = st.one_of(st.integers(0, 50), st.sampled_from([SMALL_WRITE - 1, SMALL_WRITE, 5000, GATHERED + 1]))


@given(st.lists(SIZES, max_size=12), st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=150)
def test_everything_arrives_under_loss(writes: Sequence[int], seed: int) -> None:
    random = Random(seed)
    written = random.randbytes(sum(writes))
    buffer = SendBuffer()
    arrived: dict[int, int] = {}
    acked: set[int] = set()
    flying: list[tuple[int, bytes]] = []
    position = 0
    pending = list(writes)

    while pending or flying or buffer.next_offset < buffer.end or buffer.has_lost:
        if pending and random.random() < 0.5:
            size = pending.pop(0)
            buffer.write(written[position : position + size])
            position += size
        lost = buffer.peek_lost()
        if lost is not None:
            size = random.randint(1, len(lost[1]))
            flying.append((lost[0], buffer.take_lost(size)))
        elif buffer.next_offset < buffer.end:
            offset = buffer.next_offset
            flying.append((offset, buffer.take(min(random.randint(1, 3000), buffer.end - offset))))
        if flying and random.random() < 0.7:
            offset, data = flying.pop(random.randrange(len(flying)))
            fate = random.random()
            if fate < 0.3:
                buffer.on_lost(offset, data)
            else:
                for index, value in enumerate(data):
                    assert arrived.setdefault(offset + index, value) == value
                if fate < 0.4:  # it arrived, but counts as lost first
                    buffer.on_lost(offset, data)
                    flying.append((offset, data))
                else:
                    buffer.on_acked(offset, len(data))
                    acked |= set(range(offset, offset + len(data)))
        assert len(acked) == buffer.acked

    assert written == bytes([arrived[index] for index in range(len(written))])
    assert buffer.is_all_acked
    assert 0 == buffer.buffered


def test_a_large_write_is_cut_once_and_not_copied() -> None:
    data = Random(3).randbytes(20 << 20)
    buffer = SendBuffer()

    buffer.write(data)
    parts: list[bytes] = []
    while buffer.next_offset < buffer.end:
        parts.append(buffer.take(min(1200, buffer.end - buffer.next_offset)))

    assert data == b"".join(parts)


def test_a_whole_chunk_leaves_as_it_came() -> None:
    data = bytes(SMALL_WRITE)
    buffer = SendBuffer()
    buffer.write(data)

    assert data is buffer.take(SMALL_WRITE)


def test_a_frame_joins_small_writes() -> None:
    buffer = SendBuffer()
    for word in (b"one ", b"two ", b"three"):
        buffer.write(word)

    assert b"one two three" == buffer.take(13)


def test_bytes_given_back_twice_are_sent_once() -> None:
    buffer = SendBuffer()
    buffer.write(b"abcdef")
    first = buffer.take(4)
    buffer.on_lost(0, first)
    again = buffer.take_lost(4)
    buffer.on_lost(0, first)
    buffer.on_lost(0, again)

    assert b"ab" == buffer.take_lost(2)
    assert b"cd" == buffer.take_lost(2)
    assert not buffer.has_lost


def test_what_was_acknowledged_meanwhile_is_not_sent_again() -> None:
    buffer = SendBuffer()
    buffer.write(b"abcdefgh")
    data = buffer.take(8)
    buffer.on_acked(2, 3)
    buffer.on_lost(0, data)

    assert (0, b"ab") == buffer.peek_lost()
    buffer.take_lost(2)
    assert (5, b"fgh") == buffer.peek_lost()
    buffer.on_acked(5, 3)
    assert not buffer.has_lost


def test_discard_keeps_what_was_sent() -> None:
    buffer = SendBuffer()
    buffer.write(bytes(5000))
    buffer.on_lost(0, buffer.take(100))

    buffer.discard()

    assert 100 == buffer.end == buffer.next_offset
    assert not buffer.has_lost
