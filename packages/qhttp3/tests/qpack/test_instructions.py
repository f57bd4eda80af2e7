import pytest

from qhttp3.qpack import Decoder, Encoder, EncoderPolicy, Insert, instructions
from qhttp3.qpack.errors import DecoderStreamError, EncoderStreamError

# What each instruction does to a table; indices are relative to what was inserted before.
ENCODER_STREAM = (
    instructions.set_capacity(1000)
    + instructions.insert_static_name(0, b"www.example.com")
    + instructions.insert_literal(b"custom-key", b"custom-value")
    + instructions.insert_dynamic_name(0, b"\xff" * 200)
    + instructions.duplicate(2)
    + instructions.insert_static_name(95, b"\xfe" * 130)
)
ENTRIES = [
    (b":authority", b"www.example.com"),
    (b"custom-key", b"custom-value"),
    (b"custom-key", b"\xff" * 200),
    (b":authority", b"www.example.com"),
    (b"user-agent", b"\xfe" * 130),
]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
def test_encoder_stream_in_pieces(step: int) -> None:  # RFC 9204 §4.3
    decoder = Decoder(1000)
    buffer = b""
    needed = 0
    for start in range(0, len(ENCODER_STREAM), step):
        buffer += ENCODER_STREAM[start : start + step]
        if len(buffer) >= needed:
            done, needed = instructions.parse_encoder_stream(buffer, decoder, 1000)
            buffer = buffer[done:]

    found = [decoder.table.get(index) for index in range(decoder.table.inserted)]
    assert ENTRIES == [None if entry is None else entry.field for entry in found]
    assert b"" == buffer


@pytest.mark.parametrize("index", [0, 62, 63, 5000])
def test_indices_beyond_the_prefix(index: int) -> None:
    with pytest.raises(EncoderStreamError, match=f"relative index {index}$"):
        Decoder(1000).receive(instructions.insert_dynamic_name(index, b""))
    with pytest.raises(EncoderStreamError, match=f"relative index {index}$"):
        Decoder(1000).receive(instructions.duplicate(index))


def test_the_rest_says_how_much_is_missing() -> None:
    whole = instructions.insert_literal(b"\xff" * 50, b"")

    assert (0, 52) == instructions.parse_encoder_stream(whole[:20], Decoder(1000), 1000)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("ff24", id="static index 99"),
        pytest.param("c07f9a0a", id="value longer than the table"),
        pytest.param("5f9a0a", id="name longer than the table"),
        pytest.param("c081ff", id="bad Huffman padding"),
        pytest.param("3f" + "ff" * 12, id="integer without end"),
    ],
)
def test_refuses_bad_encoder_instructions(data: str) -> None:
    with pytest.raises(EncoderStreamError):
        instructions.parse_encoder_stream(bytes.fromhex(data), Decoder(300), 300)


@pytest.mark.parametrize("step", [1, 2, 1000])
def test_decoder_stream_in_pieces(step: int) -> None:  # RFC 9204 §4.4
    encoder = Encoder(EncoderPolicy(insert=Insert.EVERYTHING))
    encoder.set_limits(4096, 100)
    for stream_id in (4000, 8):
        encoder.encode(stream_id, [(b"x", b"%d" % stream_id)])
    encoder.encode(12, [(b"y", b"%d" % number) for number in range(80)])
    data = (
        instructions.section_acknowledgment(4000)
        + instructions.stream_cancellation(8)
        + instructions.insert_count_increment(70)
    )
    buffer = b""
    for start in range(0, len(data), step):
        buffer += data[start : start + step]
        buffer = buffer[instructions.parse_decoder_stream(buffer, encoder) :]

    assert b"" == buffer
    with pytest.raises(DecoderStreamError, match="stream 8"):
        encoder.receive(instructions.section_acknowledgment(8))
    with pytest.raises(DecoderStreamError, match=f"at 71 known of {encoder.table.inserted}"):
        encoder.receive(instructions.insert_count_increment(100))


def test_refuses_a_decoder_instruction_without_end() -> None:
    with pytest.raises(DecoderStreamError):
        instructions.parse_decoder_stream(b"\xff" * 20, Encoder())
