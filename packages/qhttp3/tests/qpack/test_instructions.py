import pytest

from qhttp3.qpack import instructions
from qhttp3.qpack.errors import DecoderStreamError, EncoderStreamError


class EncoderLog(instructions.EncoderInstructionSink):
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def on_capacity(self, capacity: int) -> None:
        self.calls.append(("capacity", capacity))

    def on_insert_named(self, is_static: bool, index: int, value: bytes) -> None:
        self.calls.append(("named", is_static, index, value))

    def on_insert(self, name: bytes, value: bytes) -> None:
        self.calls.append(("insert", name, value))

    def on_duplicate(self, index: int) -> None:
        self.calls.append(("duplicate", index))


class DecoderLog(instructions.DecoderInstructionSink):
    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def on_section_acknowledgment(self, stream_id: int) -> None:
        self.calls.append(("section", stream_id))

    def on_stream_cancellation(self, stream_id: int) -> None:
        self.calls.append(("cancel", stream_id))

    def on_insert_count_increment(self, increment: int) -> None:
        self.calls.append(("increment", increment))


ENCODER_STREAM = (
    instructions.set_capacity(220)
    + instructions.insert_static_name(0, b"www.example.com")
    + instructions.insert_dynamic_name(70, b"\xff" * 200)
    + instructions.insert_literal(b"custom-key", b"custom-value")
    + instructions.duplicate(40)
)
ENCODER_CALLS = [
    ("capacity", 220),
    ("named", True, 0, b"www.example.com"),
    ("named", False, 70, b"\xff" * 200),
    ("insert", b"custom-key", b"custom-value"),
    ("duplicate", 40),
]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
def test_encoder_stream_in_pieces(step: int) -> None:
    log = EncoderLog()
    buffer = b""
    needed = 0
    for start in range(0, len(ENCODER_STREAM), step):
        buffer += ENCODER_STREAM[start : start + step]
        if len(buffer) >= needed:
            done, needed = instructions.parse_encoder_stream(buffer, log, 1000)
            buffer = buffer[done:]

    assert ENCODER_CALLS == log.calls
    assert b"" == buffer


def test_the_rest_says_how_much_is_missing() -> None:
    whole = instructions.insert_literal(b"\xff" * 50, b"")

    assert (0, 52) == instructions.parse_encoder_stream(whole[:20], EncoderLog(), 1000)


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
        instructions.parse_encoder_stream(bytes.fromhex(data), EncoderLog(), 300)


@pytest.mark.parametrize("step", [1, 2, 1000])
def test_decoder_stream_in_pieces(step: int) -> None:
    data = (
        instructions.section_acknowledgment(4000)
        + instructions.stream_cancellation(8)
        + instructions.insert_count_increment(100)
    )
    log = DecoderLog()
    buffer = b""
    for start in range(0, len(data), step):
        buffer += data[start : start + step]
        buffer = buffer[instructions.parse_decoder_stream(buffer, log) :]

    assert [("section", 4000), ("cancel", 8), ("increment", 100)] == log.calls


def test_refuses_a_decoder_instruction_without_end() -> None:
    with pytest.raises(DecoderStreamError):
        instructions.parse_decoder_stream(b"\xff" * 20, DecoderLog())
