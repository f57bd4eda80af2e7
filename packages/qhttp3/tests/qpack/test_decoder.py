import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhttp3.errors import StreamViolation
from qhttp3.headers import check_request, check_response
from qhttp3.qpack import (
    Decoder,
    DecompressionFailed,
    EncoderStreamError,
    QpackError,
    SectionTooLarge,
    field_lines,
    instructions,
)

VECTORS = Path(__file__).parent.parent / "vectors"
QIFS = VECTORS / "qifs"
Field = tuple[bytes, bytes]


def records(path: Path) -> Iterator[tuple[int, bytes]]:
    data = path.read_bytes()
    position = 0
    while position < len(data):
        stream_id, size = struct.unpack_from(">QI", data, position)
        yield stream_id, data[position + 12 : position + 12 + size]
        position += 12 + size


def header_lists(path: Path) -> list[list[Field]]:
    lists: list[list[Field]] = [[]]
    for line in path.read_bytes().split(b"\n"):
        if line.startswith(b"#"):
            continue
        if line:
            name, _, value = line.partition(b"\t")
            lists[-1].append((name, value))
        elif lists[-1]:
            lists.append([])
    return [fields for fields in lists if fields]


def decode_file(path: Path, capacity: int, blocked: int) -> list[list[Field]]:
    decoder = Decoder(capacity, blocked, 1 << 24, 10_000, initial_capacity=capacity)
    sections: dict[int, list[Field]] = {}
    for stream_id, data in records(path):
        if stream_id == 0:
            for ready in decoder.receive(data):
                resumed = decoder.resume(ready)
                assert resumed is not None
                sections[ready] = resumed
        else:
            fields = decoder.decode(stream_id, data)
            if fields is not None:
                sections[stream_id] = fields
    return [sections[stream_id] for stream_id in sorted(sections)]


ENCODINGS = [path for path in sorted(QIFS.glob("*/*.out.*")) if path.parent.name != "examples"]


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in ENCODINGS]
)
def test_encodings_of_others_decode(path: Path) -> None:
    name, _, capacity, blocked, _ = path.name.rsplit(".", 4)

    assert header_lists(QIFS / f"{name}.qif") == decode_file(path, int(capacity), int(blocked))


def test_there_are_encodings() -> None:
    assert 98 == len(ENCODINGS)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in sorted(QIFS.glob("errors/*"))])
def test_malformed_input_is_refused(path: Path) -> None:
    # err9 and err10 are field sections that RFC 9204 allows; no message may look like that.
    with pytest.raises((QpackError, StreamViolation)):
        for fields in decode_file(path, 4096, 100):
            check_request(fields)
    with pytest.raises((QpackError, StreamViolation)):
        for fields in decode_file(path, 4096, 100):
            check_response(fields)


def test_the_exchange_of_the_specification() -> None:  # RFC 9204 appendix B
    exchange = json.loads((VECTORS / "rfc9204-appB-qpack.json").read_text())["exchange"]
    decoder = Decoder(220, 100)
    waiting: dict[int, list[Field]] = {}
    said = b""
    for step in exchange:
        data = bytes.fromhex(step["hex"])
        wanted = [(name.encode(), value.encode()) for name, value in step.get("decodes_to", ())]
        if step["stream"] == "encoder":
            for stream_id in decoder.receive(data):
                assert waiting.pop(stream_id) == decoder.resume(stream_id)
            if "size_after" in step:
                assert step["size_after"] == decoder.table.size, step["step"]
        elif step["stream"] == "decoder":
            if "cancellation" in step["step"]:
                decoder.cancel(8)
            said += data
            if "acknowledgment" in step["step"]:
                assert bytes.fromhex("84") == decoder.take_instructions()
            elif "increment" in step["step"]:
                assert bytes.fromhex("01") == decoder.take_instructions()
        elif "B.4 field section" in step["step"]:
            assert wanted == decoder.decode(step["stream"], data)
        else:
            fields = decoder.decode(step["stream"], data)
            if fields is None:
                waiting[step["stream"]] = wanted
            else:
                assert wanted == fields

    assert {} == waiting
    entries = [decoder.table.get(index) for index in range(decoder.table.oldest(), decoder.table.inserted)]
    assert exchange[-1]["table_after"] == [
        [text.decode() for text in entry.field] for entry in entries if entry is not None
    ]


def test_the_recorded_exchange_of_the_specification() -> None:  # RFC 9204 appendix B
    exchange = json.loads((VECTORS / "rfc9204-appB-qpack.json").read_text())["exchange"]
    wanted = [
        [(name.encode(), value.encode()) for name, value in step["decodes_to"]]
        for step in exchange
        if "decodes_to" in step
    ]

    assert wanted == decode_file(QIFS / "examples/examples.out.220.100.1", 220, 100)


def filled(capacity: int = 4096, blocked: int = 1, count: int = 3) -> Decoder:
    decoder = Decoder(capacity, blocked)
    decoder.receive(instructions.set_capacity(capacity))
    for number in range(count):
        decoder.receive(instructions.insert_literal(b"n%d" % number, b"v%d" % number))
    decoder.take_instructions()
    return decoder


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        pytest.param("", "prefix", id="empty"),
        pytest.param("00", "prefix", id="without base"),
        pytest.param("0000ff24", "static index 99", id="static index 99"),  # rigs Q1
        pytest.param("00005f5400", "static index 99", id="static name index 99"),
        pytest.param("000080", "no entry", id="dynamic reference without Required Insert Count"),
        pytest.param("0400d1", "0 is needed", id="Required Insert Count without reference"),
        pytest.param("040082d1", "1 is needed", id="Required Insert Count larger than needed"),
        pytest.param("020180", "no entry 1", id="reference beyond Required Insert Count"),
        pytest.param("0481", "Base|needed", id="nothing but a prefix"),
        pytest.param("000051ff", "ends within", id="value cut"),
        pytest.param("00002701", "ends within", id="name cut"),
        pytest.param("00005181ff", "padding", id="bad Huffman"),
        pytest.param("0000ff" + "ff" * 12, "62 bits", id="integer without end"),
        pytest.param("ff810200", "above", id="encoded Required Insert Count above the range"),
        pytest.param("000010", "no entry", id="post-base without entries"),
        pytest.param("00000001ff", "no entry", id="post-base name without entries"),
        pytest.param("00004001ff", "no entry", id="dynamic name without entries"),
        pytest.param("008580", "Base", id="Base below 0"),
    ],
)
def test_refuses_malformed_sections(section: str, reason: str) -> None:
    with pytest.raises(DecompressionFailed, match=reason):
        filled().decode(0, bytes.fromhex(section))


def test_every_prefix_of_a_section_is_refused_or_decodes() -> None:
    fields = [(b":method", b"GET"), (b"n1", b"v1"), (b"x-long", b"value" * 20), (b"n2", b"other")]
    decoder = filled()
    section = (
        field_lines.section_prefix(3, 2, 128)
        + field_lines.indexed_static(17)
        + field_lines.indexed_dynamic(0)
        + field_lines.literal(*fields[2])
        + field_lines.literal_post_base_name(0, b"other")
    )

    assert fields == decoder.decode(0, section)
    for size in range(len(section)):
        with pytest.raises(DecompressionFailed):
            decoder.decode(0, section[:size])


def test_an_evicted_entry_cannot_be_referred_to() -> None:  # RFC 9204 §2.2.3
    decoder = filled(capacity=80, count=5)  # 36 bytes each: two fit
    section = (
        field_lines.section_prefix(5, 5, 2) + field_lines.indexed_dynamic(0) + field_lines.indexed_dynamic(2)
    )

    with pytest.raises(DecompressionFailed, match="no entry 2"):
        decoder.decode(0, section)


def test_blocked_streams_are_bounded() -> None:  # RFC 9204 §2.1.2, rigs M14
    decoder = filled(blocked=2)
    section = field_lines.section_prefix(4, 4, 128) + field_lines.indexed_dynamic(0)

    assert decoder.decode(0, section) is None
    assert decoder.decode(4, section) is None
    with pytest.raises(DecompressionFailed, match="more than 2"):
        decoder.decode(8, section)

    assert [0, 4] == decoder.receive(instructions.insert_literal(b"late", b"r"))
    assert [(b"late", b"r")] == decoder.resume(0)
    assert [(b"late", b"r")] == decoder.resume(4)
    acknowledgments = instructions.section_acknowledgment(0) + instructions.section_acknowledgment(4)
    assert acknowledgments == decoder.take_instructions()


def test_a_cancelled_stream_is_forgotten() -> None:  # RFC 9204 §2.2.2.2
    decoder = filled()
    decoder.decode(0, field_lines.section_prefix(4, 4, 128) + field_lines.indexed_dynamic(0))
    decoder.cancel(0)

    assert not decoder.is_blocked(0)
    assert [] == decoder.receive(instructions.insert_literal(b"late", b"r"))
    assert (
        instructions.stream_cancellation(0) + instructions.insert_count_increment(1)
        == decoder.take_instructions()
    )


def test_without_a_table_nothing_is_said() -> None:
    decoder = Decoder()
    decoder.decode(0, bytes.fromhex("0000d1"))
    decoder.cancel(4)

    assert b"" == decoder.take_instructions()


def test_increments_count_what_no_acknowledgment_covers() -> None:  # RFC 9204 §2.2.2.3
    decoder = filled(count=0)
    decoder.receive(instructions.insert_literal(b"a", b"") * 3)
    decoder.decode(0, field_lines.section_prefix(2, 2, 128) + field_lines.indexed_dynamic(0))

    assert (
        instructions.section_acknowledgment(0) + instructions.insert_count_increment(1)
        == decoder.take_instructions()
    )
    assert b"" == decoder.take_instructions()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(instructions.set_capacity(4097), id="capacity above the limit"),  # rigs Q2
        pytest.param(instructions.duplicate(3), id="duplicate of nothing"),
        pytest.param(instructions.insert_dynamic_name(3, b""), id="name of nothing"),
        pytest.param(
            instructions.set_capacity(33) + instructions.insert_literal(b"nn", b""), id="entry too large"
        ),
    ],
)
def test_refuses_instructions_that_cannot_be_obeyed(data: bytes) -> None:
    with pytest.raises(EncoderStreamError):
        filled().receive(data)


def test_a_duplicate_may_evict_its_original() -> None:  # RFC 9204 §3.2.2
    decoder = filled(capacity=80, count=2)
    decoder.receive(instructions.duplicate(1))

    entry = decoder.table.get(2)
    assert entry is not None
    assert (b"n0", b"v0") == entry.field


def test_size_is_counted_while_decoding() -> None:  # RFC 9114 §4.2.2, rigs M13
    decoder = Decoder(4096, 0, 65536, 200)
    decoder.receive(instructions.set_capacity(4096) + instructions.insert_literal(b"n", b"v" * 4000))
    bomb = field_lines.section_prefix(1, 1, 128) + field_lines.indexed_dynamic(0) * 150

    with pytest.raises(SectionTooLarge, match="65536"):
        decoder.decode(0, bomb)


def test_fields_are_counted() -> None:
    decoder = Decoder(0, 0, 1 << 20, 200)

    assert 200 == len(decoder.decode(0, b"\0\0" + b"\xd1" * 200) or ())
    with pytest.raises(SectionTooLarge, match="200"):
        decoder.decode(0, b"\0\0" + b"\xd1" * 201)


def test_a_result_can_be_changed_without_harm() -> None:
    decoder = filled()
    for _ in range(3):
        fields = decoder.decode(0, bytes.fromhex("0000d1"))
        assert [(b":method", b"GET")] == fields
        assert fields is not None
        fields.clear()


def test_remembered_sections_do_not_outlive_their_entries() -> None:
    decoder = filled(capacity=80, count=2)
    section = field_lines.section_prefix(2, 2, 2) + field_lines.indexed_dynamic(0)
    first = decoder.decode(0, section)
    # Four entries later the same prefix means the next round of the table.
    for number in range(4):
        decoder.receive(instructions.insert_literal(b"m%d" % number, b"w"))

    assert [(b"n1", b"v1")] == first
    assert [(b"m3", b"w")] == decoder.decode(4, section)


def test_pieces_of_instructions_wait_for_the_rest() -> None:
    decoder = Decoder(4096, 1)
    data = instructions.set_capacity(4096) + instructions.insert_literal(b"\xff" * 1000, b"\xfe" * 2000)
    for position in range(len(data)):
        assert 0 == decoder.table.inserted
        decoder.receive(data[position : position + 1])

    assert 1 == decoder.table.inserted


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_decode_or_are_refused(encoder_stream: bytes, section: bytes) -> None:
    decoder = filled()
    try:
        decoder.receive(encoder_stream)
        decoder.decode(0, section)
    except (QpackError, SectionTooLarge):
        pass


def test_acknowledgments_that_say_nothing_new_wait_for_one_another() -> None:
    decoder = Decoder(4096, 16, acknowledgments_together=3)
    decoder.receive(instructions.set_capacity(4096) + instructions.insert_literal(b"a", b""))
    section = field_lines.section_prefix(1, 1, 128) + field_lines.indexed_dynamic(0)
    decoder.decode(0, section)
    assert decoder.is_due  # the encoder may now use the entry
    decoder.take_instructions()

    due = []
    for stream_id in (4, 8, 12):
        decoder.decode(stream_id, section)
        due.append(decoder.is_due)

    assert [False, False, True] == due
    expected = b"".join([instructions.section_acknowledgment(stream_id) for stream_id in (4, 8, 12)])
    assert expected == decoder.take_instructions()
    assert not decoder.is_due


def test_cancellations_wait_for_nothing() -> None:
    decoder = filled()
    decoder.take_instructions()
    decoder.cancel(0)

    assert decoder.is_due
