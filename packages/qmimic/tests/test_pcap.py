"""Containers of captured frames: what each kind may look like, and what a hostile one may try."""

import random
import struct
import tracemalloc
from typing import Final

import pytest

from qmimic.errors import CaptureError
from qmimic.pcap import Frame, is_pcap, read_frames

pytest.importorskip("dpkt", reason="dpkt is not installed")
pytest.importorskip("pcapng", reason="python-pcapng is not installed")

FRAMES: Final = [b"first frame", b"", b"third"]
ENDIAN: Final = [pytest.param("<", id="little endian"), pytest.param(">", id="big endian")]


def pcap(order: str, magic: int, frames: list[bytes] = FRAMES, link_type: int = 1) -> bytes:
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, link_type)
    for number, frame in enumerate(frames):
        data += struct.pack(order + "IIII", 1_000, 250 * number, len(frame), len(frame) + 9) + frame
    return data


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(order: str, link_type: int = 1, snap: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link_type, 0, snap) + options)


def enhanced(order: str, data: bytes, number: int = 0, time: int = 0) -> bytes:
    head = struct.pack(order + "IIIII", number, time >> 32, time & 0xFFFFFFFF, len(data), len(data))
    return block(order, 6, head + data)


@pytest.mark.parametrize("order", ENDIAN)
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1e-6), (0xA1B23C4D, 1e-9)])
def test_pcap(order: str, magic: int, unit: float) -> None:
    data = pcap(order, magic)

    assert is_pcap(data)
    frames = list(read_frames(data))
    assert [pytest.approx(1_000 + 250 * number * unit, abs=1e-10) for number in range(3)] == [
        frame.time for frame in frames
    ]
    assert [(1, data) for data in FRAMES] == [(frame.link_type, frame.data) for frame in frames]


def test_flags_above_the_link_type_are_none_of_it() -> None:
    assert [101] * 3 == [frame.link_type for frame in read_frames(pcap("<", 0xA1B2C3D4, FRAMES, 0x24000065))]


@pytest.mark.parametrize("order", ENDIAN)
def test_pcapng_with_everything_in_it(order: str) -> None:
    data = b"".join(
        (
            section(order),
            block(order, 5, b"statistics"),
            interface(order, 113),
            interface(
                order, 101, 4, option(order, 9, b"\x09") + option(order, 14, struct.pack(order + "q", 7))
            ),
            enhanced(order, b"microseconds", 0, 5_000_000),
            enhanced(order, b"nanoseconds", 1, 5_000_000_000),
            block(order, 2, struct.pack(order + "HHIIII", 1, 0, 0, 0, 3, 3) + b"old"),
            block(order, 3, struct.pack(order + "I", 6) + b"simple"),
            block(order, 0x0BAD, b"of a private kind"),
        )
    )

    assert is_pcap(data)
    assert [
        Frame(5.0, 113, b"microseconds"),
        Frame(12.0, 101, b"nanoseconds"),
        Frame(7.0, 101, b"old"),
        Frame(7.0, 113, b"simple"),
    ] == list(read_frames(data))


def test_sections_have_their_own_order_and_interfaces() -> None:
    data = section("<") + interface("<", 1) + enhanced("<", b"a") + section(">") + interface(">", 101)

    assert [(1, b"a"), (101, b"b")] == [
        (frame.link_type, frame.data) for frame in read_frames(data + enhanced(">", b"b"))
    ]


def test_a_snap_length_cuts_simple_packets() -> None:
    data = section("<") + interface("<", 1, 3) + block("<", 3, struct.pack("<I", 6) + b"sim")

    assert [b"sim"] == [frame.data for frame in read_frames(data)]


@pytest.mark.parametrize(
    ("resolution", "seconds"),
    [(b"\x00", 64.0), (b"\x80", 64.0), (b"\x83", 8.0), (b"\xff", 0.0), (b"\x7f", 0.0)],
)
def test_resolutions(resolution: bytes, seconds: float) -> None:
    data = section("<") + interface("<", 1, 0, option("<", 9, resolution)) + enhanced("<", b"x", 0, 64)

    assert [pytest.approx(seconds, abs=1e-9)] == [frame.time for frame in read_frames(data)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pcap("<", 0xA1B2C3D4), id="pcap"),
        pytest.param(section("<") + interface("<") + enhanced("<", b"abc") * 3, id="pcapng"),
    ],
)
def test_a_file_that_was_interrupted_gives_what_came_before(data: bytes) -> None:
    whole = list(read_frames(data))
    for size in range(60, len(data)):
        found = list(read_frames(data[:size]))
        assert all(
            whole[number].data.startswith(frame.data)
            and frame._replace(data=b"") == whole[number]._replace(data=b"")
            for number, frame in enumerate(found)
        )
        assert found[:-1] == whole[: len(found[:-1])]  # the last may be cut too
    assert len(whole) - 1 <= len(list(read_frames(data[:-1])))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(pcap("<", 0xA1B2C3D4)[:23], "got 23, 24 needed", id="pcap header"),
        pytest.param(section("<")[:20], "no interface", id="pcapng header"),
        pytest.param(section("<"), "no interface", id="no interface"),
        pytest.param(b"\n\r\r\n" + bytes(24), "byte order magic", id="byte order"),
        pytest.param(section("<") + struct.pack("<III", 1, 8, 8), "no interface", id="short block"),
        pytest.param(section("<") + struct.pack("<III", 1, 0, 0), "no interface", id="no block"),
        pytest.param(
            section("<") + interface("<") + enhanced("<", b"x", 1),
            "does not describe",
            id="unknown interface",
        ),
        pytest.param(
            section("<") + block("<", 3, b"\0\0\0\0"), "does not describe", id="simple without interface"
        ),
    ],
)
def test_what_makes_no_sense_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(CaptureError, match=reason):
        list(read_frames(data))


def test_claimed_lengths_take_no_memory() -> None:
    claims = [
        pcap("<", 0xA1B2C3D4, []) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0),
        section("<") + interface("<") + struct.pack("<III", 6, 0xFFFFFFFC, 0),
    ]
    for data in claims:
        list(read_frames(data))  # imports what reads it
    tracemalloc.start()
    for data in claims:
        assert sum(len(frame.data) for frame in read_frames(data)) < 16
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000


def test_damaged_files_are_read_or_refused() -> None:
    generator = random.Random(7)
    whole = [
        pcap("<", 0xA1B2C3D4),
        pcap(">", 0xA1B23C4D),
        section("<") + interface("<", options=option("<", 9, b"\x06")) + enhanced("<", b"abc") * 3,
        section(">") + interface(">") + enhanced(">", b"abc") + block(">", 3, bytes(20)),
    ]
    refused = 0
    for _ in range(1_000):
        data = bytearray(generator.choice(whole))
        for _ in range(generator.randint(1, 4)):
            data[generator.randrange(4, len(data))] = generator.choice((0, 1, 0x7F, 0x80, 0xFF))
        del data[generator.randint(24, len(data)) :]
        try:
            assert sum(len(frame.data) for frame in read_frames(bytes(data))) <= len(data)
        except CaptureError as error:
            assert 1 == len(str(error).splitlines())
            refused += 1
    assert 50 < refused < 950
