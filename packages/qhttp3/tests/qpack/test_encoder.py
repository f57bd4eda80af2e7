import json
import random
from pathlib import Path

import pytest

from qhttp3.qpack import Decoder, DecoderStreamError, Encoder, EncoderPolicy, Insert, instructions
from qhttp3.qpack.encoder import MAX_OUTSTANDING
from qhttp3.qpack.static_table import FIELDS

VECTORS = Path(__file__).parent.parent / "vectors"
Field = tuple[bytes, bytes]

REQUEST: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"www.example.com"),
    (b":path", b"/index.html"),
    (b"user-agent", b"a browser with a long name"),
    (b"accept", b"text/html"),
]
EVERYTHING = EncoderPolicy(insert=Insert.EVERYTHING)


def encoder(policy: EncoderPolicy = EVERYTHING, capacity: int = 4096, blocked: int = 10) -> Encoder:
    made = Encoder(policy)
    made.set_limits(capacity, blocked)
    return made


def test_without_limits_the_static_table_is_all() -> None:
    made = Encoder(EVERYTHING)
    section = made.encode(0, REQUEST)

    assert section.startswith(b"\0\0")
    assert b"" == made.take_instructions()
    assert REQUEST == Decoder().decode(0, section)


def test_the_inserts_of_the_specification() -> None:  # RFC 9204 appendix B.2
    fields = [(b":authority", b"www.example.com"), (b":path", b"/sample/path")]
    made = encoder(EncoderPolicy(insert=Insert.EVERYTHING, capacity=220), 220, 100)
    section = made.encode(4, fields)
    step = json.loads((VECTORS / "rfc9204-appB-qpack.json").read_text())["exchange"][1]

    # The specification shows plain strings; shorter Huffman ones are ours. Tables and meaning are the same.
    decoder = Decoder(220, 100)
    decoder.receive(made.take_instructions())
    assert fields == decoder.decode(4, section)
    assert step["size_after"] == decoder.table.size == made.table.size
    assert b"\x84" == decoder.take_instructions()


def test_everything_is_inserted_and_then_referred_to() -> None:
    made = encoder()
    first = made.encode(0, REQUEST)
    inserts = made.take_instructions()
    second = made.encode(4, REQUEST)

    assert inserts.startswith(instructions.set_capacity(4096))
    assert 4 == made.table.inserted  # two are in the static table
    assert first == second
    assert 2 + 6 == len(second)
    assert b"" == made.take_instructions()


def test_repeated_fields_are_inserted_the_second_time() -> None:
    made = encoder(EncoderPolicy())
    made.encode(0, REQUEST)

    assert 0 == made.table.inserted
    made.encode(4, [*REQUEST[:3], (b":path", b"/other"), *REQUEST[4:]])
    assert 3 == made.table.inserted
    made.encode(8, [*REQUEST[:3], (b":path", b"/third"), *REQUEST[4:]])
    assert 3 == made.table.inserted


def test_an_unknown_name_with_other_values_is_inserted_for_its_name() -> None:
    made = encoder(EncoderPolicy())
    decoder = Decoder(4096, 10)
    for stream_id in range(0, 16, 4):
        fields = [(b"x-request-identifier", b"%d" % stream_id)]
        section = made.encode(stream_id, fields)
        decoder.receive(made.take_instructions())
        assert fields == decoder.decode(stream_id, section)

    assert 1 == made.table.inserted
    assert len(section) < 8


def test_secrets_are_neither_inserted_nor_indexed() -> None:  # RFC 9204 §7.1.3
    made = encoder()
    section = made.encode(0, [(b"authorization", b"\xff\xff")])

    assert 0 == made.table.inserted
    assert b"\0\0\x7f\x45\x02\xff\xff" == section


def test_policy_names_what_is_inserted() -> None:
    made = encoder(
        EncoderPolicy(
            insert=Insert.EVERYTHING,
            only=frozenset((b"user-agent", b"accept")),
            never=frozenset((b"accept",)),
        )
    )
    made.encode(0, REQUEST)

    assert 1 == made.table.inserted


def test_an_eager_policy_announces_the_capacity_at_once() -> None:
    made = encoder(EncoderPolicy(insert=Insert.EVERYTHING, eager_capacity=True), 1000)

    assert instructions.set_capacity(1000) == made.take_instructions()


def test_no_more_streams_are_blocked_than_the_peer_allows() -> None:  # RFC 9204 §2.1.2
    made = encoder(blocked=1)
    decoder = Decoder(4096, 1)
    sections = {stream_id: made.encode(stream_id, [(b"x", b"%d" % stream_id)]) for stream_id in (0, 4, 8)}

    assert decoder.decode(0, sections[0]) is None
    assert [(b"x", b"4")] == decoder.decode(4, sections[4])
    assert [(b"x", b"8")] == decoder.decode(8, sections[8])
    assert [0] == decoder.receive(made.take_instructions())
    assert [(b"x", b"0")] == decoder.resume(0)


def test_a_policy_may_wait_for_the_peer() -> None:
    made = encoder(EncoderPolicy(insert=Insert.EVERYTHING, may_block=False))
    first = made.encode(0, REQUEST)

    assert b"\0\0" == first[:2]
    made.receive(instructions.insert_count_increment(4))
    assert b"\0\0" != made.encode(4, REQUEST)[:2]


def test_entries_in_use_are_not_evicted() -> None:  # RFC 9204 §2.1.1
    made = encoder(capacity=90)
    decoder = Decoder(90, 10)
    held = made.encode(0, [(b"x", b"1"), (b"x", b"2")])
    made.encode(4, [(b"x", b"3")])
    decoder.receive(made.take_instructions())

    assert 2 == made.table.inserted
    assert [(b"x", b"1"), (b"x", b"2")] == decoder.decode(0, held)
    made.receive(decoder.take_instructions())
    made.encode(8, [(b"x", b"4")])
    assert 3 == made.table.inserted


def test_entries_the_peer_may_not_have_are_not_evicted() -> None:
    made = encoder(EncoderPolicy(insert=Insert.EVERYTHING, may_block=False), capacity=70)
    made.encode(0, [(b"x", b"1"), (b"x", b"2")])
    made.encode(4, [(b"x", b"3")])
    assert 2 == made.table.inserted

    made.receive(instructions.insert_count_increment(2))
    made.encode(8, [(b"x", b"3")])
    assert 3 == made.table.inserted


def test_an_entry_near_eviction_is_duplicated() -> None:  # RFC 9204 §2.1.1.1
    made = encoder(capacity=340)  # ten entries of 34 bytes
    decoder = Decoder(340, 10)

    def send(stream_id: int, value: int) -> None:
        fields = [(b"x", b"%d" % value)]
        section = made.encode(stream_id, fields)
        decoder.receive(made.take_instructions())
        assert fields == decoder.decode(stream_id, section)
        made.receive(decoder.take_instructions())

    for number in range(9):
        send(4 * number, number)
    send(40, 0)
    assert 10 == made.table.inserted
    entry = decoder.table.get(9)
    assert entry is not None
    assert (b"x", b"0") == entry.field


def test_no_inserts_while_the_encoder_stream_has_no_room() -> None:  # RFC 9204 §2.1.3
    made = encoder()
    section = made.encode(0, REQUEST, can_insert=False)

    assert b"" == made.take_instructions()
    assert REQUEST == Decoder().decode(0, section)


def test_a_peer_that_acknowledges_nothing_is_not_remembered_for_ever() -> None:
    made = encoder(blocked=10_000)
    for number in range(MAX_OUTSTANDING + 100):
        made.encode(4 * number, REQUEST)

    assert MAX_OUTSTANDING == made._outstanding_count
    assert b"\0\0" == made.encode(0, REQUEST)[:2]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(instructions.insert_count_increment(0), "increment 0", id="increment of 0"),  # rigs Q3
        pytest.param(
            instructions.insert_count_increment(5), "increment 5", id="increment beyond what was sent"
        ),
        pytest.param(instructions.section_acknowledgment(8), "stream 8", id="acknowledgment of nothing"),
        pytest.param(instructions.section_acknowledgment(0) * 2, "stream 0", id="acknowledgment twice"),
    ],
)
def test_refuses_senseless_decoder_instructions(data: bytes, reason: str) -> None:  # RFC 9204 §4.4
    made = encoder()
    made.encode(0, REQUEST)
    with pytest.raises(DecoderStreamError, match=reason):
        made.receive(data)


def test_cancellation_of_any_stream_is_fine() -> None:  # RFC 9204 §4.4.2
    made = encoder()
    made.encode(0, REQUEST)
    made.receive(instructions.stream_cancellation(0) + instructions.stream_cancellation(400))

    assert 0 == made._outstanding_count
    with pytest.raises(DecoderStreamError):
        made.receive(instructions.section_acknowledgment(0))


def test_a_different_limit_after_early_data_is_refused() -> None:  # RFC 9204 §3.2.3
    made = encoder(capacity=4096)
    made.encode(0, REQUEST)
    with pytest.raises(DecoderStreamError, match="remembered"):
        made.set_limits(2048, 10)


def random_field(rng: random.Random) -> Field:
    if rng.random() < 0.3:
        return rng.choice(FIELDS)
    name = rng.choice(FIELDS)[0] if rng.random() < 0.5 else b"x-%d" % rng.randrange(8)
    return name, bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 5, 40))))


@pytest.mark.parametrize("seed", range(60))
def test_any_order_of_arrival_decodes_the_same(seed: int) -> None:
    rng = random.Random(seed)
    capacity, blocked = rng.choice((0, 100, 220, 512, 4096)), rng.choice((0, 1, 16))
    policy = EncoderPolicy(
        insert=rng.choice(list(Insert)),
        capacity=rng.choice((150, 400, 4096)),
        may_block=rng.random() < 0.7,
        draining=rng.choice((0.0, 0.25, 0.5)),
    )
    made, decoder = encoder(policy, capacity, blocked), Decoder(capacity, blocked)
    pool = [random_field(rng) for _ in range(40)]
    pending = b""
    waiting: dict[int, list[Field]] = {}
    for stream_id in range(0, 400, 4):
        fields = [rng.choice(pool) for _ in range(rng.randrange(1, 12))]
        section = made.encode(stream_id, fields)
        pending += made.take_instructions()
        cut = rng.choice((0, len(pending), rng.randrange(len(pending) + 1)))
        for ready in decoder.receive(pending[:cut]):
            assert waiting.pop(ready) == decoder.resume(ready)
        pending = pending[cut:]
        decoded = decoder.decode(stream_id, section)
        if decoded is None:
            waiting[stream_id] = fields
        else:
            assert fields == decoded
        if rng.random() < 0.5:
            made.receive(decoder.take_instructions())
    for ready in decoder.receive(pending):
        assert waiting.pop(ready) == decoder.resume(ready)
    made.receive(decoder.take_instructions())

    assert {} == waiting
    assert 0 == made._outstanding_count
    assert {} == made._blocked
    assert made.table.size == decoder.table.size


@pytest.mark.parametrize("seed", range(30))
def test_agrees_with_ls_qpack(seed: int) -> None:
    pylsqpack = pytest.importorskip("pylsqpack")
    rng = random.Random(seed)
    capacity, blocked = rng.choice((0, 220, 4096)), rng.choice((0, 16))
    made, theirs = (
        encoder(EncoderPolicy(insert=rng.choice(list(Insert))), capacity, blocked),
        pylsqpack.Decoder(capacity, blocked),
    )
    their_encoder, decoder = pylsqpack.Encoder(), Decoder(capacity, blocked)
    decoder.receive(their_encoder.apply_settings(capacity, blocked))
    pool = [random_field(rng) for _ in range(30)]
    for stream_id in range(0, 200, 4):
        fields = [rng.choice(pool) for _ in range(rng.randrange(1, 12))]
        section = made.encode(stream_id, fields)
        theirs.feed_encoder(made.take_instructions())
        said, decoded = theirs.feed_header(stream_id, section)
        assert fields == decoded
        made.receive(said)

        inserted, section = their_encoder.encode(stream_id, fields)
        decoder.receive(inserted)
        assert fields == decoder.decode(stream_id, section)
        their_encoder.feed_decoder(decoder.take_instructions())
