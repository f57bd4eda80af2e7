"""A first flight as a picture: a bar per datagram, its frames in proportion to their bytes.

CRYPTO frames carry colours from the beginning of the ClientHello to its end, so that a layout shows at a glance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from qmimic.fingerprint.initials import ClientInitial, initial_header, keys_of, open_initial
from qmimic.keys import VERSIONS
from qwire.frames import CryptoFrame, Frame, PaddingFrame, parse_frames

# From the beginning of the ClientHello to its end.
GRADIENT: Final = (
    "#3b4cc0",
    "#5977e3",
    "#7b9ff9",
    "#9ebeff",
    "#c0d4f5",
    "#dddcdc",
    "#f2cbb7",
    "#f7ac8e",
    "#ee8468",
    "#d65244",
    "#b40426",
)
HEADER_STYLE: Final = "white on grey37"
PING_STYLE: Final = "black on green3"
PADDING_STYLE: Final = "grey50 on grey15"
OUTSIDE_STYLE: Final = "grey35 on grey3"
TAG_STYLE: Final = "white on grey30"
TAG_SIZE: Final = 16
LEGEND_IN_LETTERS: Final = (
    "H header, P PING, . PADDING, T tag, a to k CRYPTO from the beginning of the ClientHello to its end"
)
SMALLEST_WIDTH: Final = 40
LARGEST_WIDTH: Final = 118


# CRYPTO from the beginning of the ClientHello to its end, where there are no colours.
LETTERS: Final = "abcdefghijk"


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes of one kind: their number, colours, what may be written on them, and what stands for colours."""

    size: int
    style: str
    label: str = ""
    letter: str = " "


def flight_picture(
    datagrams: Sequence[bytes], width: int, *, title: str = "", has_colours: bool = True
) -> RenderableType:
    """The datagrams of a first flight, one bar and one line of words each."""
    packets = [opened(data) for data in datagrams]
    end = max(
        (offset + len(data) for packet in packets if packet for offset, data in packet.crypto), default=1
    )
    columns = max(SMALLEST_WIDTH, min(width - 2, LARGEST_WIDTH))
    lines: list[Text] = []
    if title:
        lines.append(Text(title, style="bold"))
    for number, (data, packet) in enumerate(zip(datagrams, packets, strict=True), 1):
        if packet is None:
            lines.append(Text(f"datagram {number}: {len(data)} bytes, not opened"))
            continue
        lines.append(words(number, data, packet))
        lines.append(bar(blocks_of(data, packet, end), columns, has_colours))
    lines.append(legend() if has_colours else Text(LEGEND_IN_LETTERS))
    return Group(*lines)


def opened(datagram: bytes) -> ClientInitial | None:
    """The client's Initial packet that a datagram begins with."""
    header = initial_header(datagram, VERSIONS)
    return None if header is None else open_initial(datagram, header, keys_of(header))


def words(number: int, datagram: bytes, packet: ClientInitial) -> Text:
    """What there is to say of one datagram."""
    frames = parse_frames(packet.payload)
    crypto = sum(isinstance(frame, CryptoFrame) for frame in frames)
    pings = sum(frame.type == 1 for frame in frames)
    padding = [frame.count for frame in frames if isinstance(frame, PaddingFrame)]
    outside = len(datagram) - packet.size
    parts = [
        f"packet number {packet.packet_number} in {packet.packet_number_size} byte"
        + ("s" if packet.packet_number_size > 1 else ""),
        f"{crypto} CRYPTO",
        f"{pings} PING",
        f"{sum(padding)} bytes of PADDING in {len(padding)}",
    ]
    if outside:
        parts.append(f"{outside} zero bytes outside")
    text = Text(f"datagram {number}: {len(datagram)} bytes", style="bold")
    text.append("  " + ", ".join(parts), style="not bold")
    return text


def blocks_of(datagram: bytes, packet: ClientInitial, end: int) -> list[Block]:
    """Header, frames, tag and what follows, in the order of the wire."""
    header_size = packet.size - TAG_SIZE - len(packet.payload)
    blocks = [Block(header_size, HEADER_STYLE, "header", "H")]
    blocks.extend(block_of(frame, end) for frame in parse_frames(packet.payload))
    blocks.append(Block(TAG_SIZE, TAG_STYLE, "tag", "T"))
    if len(datagram) > packet.size:
        blocks.append(Block(len(datagram) - packet.size, OUTSIDE_STYLE, "zeros", "0"))
    return blocks


def block_of(frame: Frame, end: int) -> Block:
    """One frame."""
    if isinstance(frame, CryptoFrame):
        middle = frame.offset + len(frame.data) // 2
        shade = min(middle * len(GRADIENT) // end, len(GRADIENT) - 1)
        label = f"{frame.offset}–{frame.offset + len(frame.data)}"  # a range of bytes
        return Block(frame.size(), f"black on {GRADIENT[shade]}", label, LETTERS[shade])
    if isinstance(frame, PaddingFrame):
        return Block(frame.count, PADDING_STYLE, "padding", ".")
    return Block(1, PING_STYLE, "P", "P")


def bar(blocks: Sequence[Block], columns: int, has_colours: bool) -> Text:
    """Blocks side by side; every one gets a column at least, the rest goes by size."""
    total = sum(block.size for block in blocks)
    widths = [1 + block.size * max(columns - len(blocks), 0) // total for block in blocks]
    for index in sorted(range(len(blocks)), key=lambda item: -blocks[item].size)[: columns - sum(widths)]:
        widths[index] += 1
    text = Text()
    for block, width in zip(blocks, widths, strict=True):
        label = block.label if len(block.label) <= width else ""
        text.append(label.center(width, " " if has_colours else block.letter), style=block.style)
    return text


def legend() -> Text:
    """What the colours mean."""
    text = Text()
    for label, style in (
        ("header", HEADER_STYLE),
        ("PING", PING_STYLE),
        ("PADDING", PADDING_STYLE),
        ("tag", TAG_STYLE),
    ):
        text.append(f" {label} ", style=style)
        text.append(" ")
    text.append("CRYPTO, from the beginning of the ClientHello ")
    for shade in GRADIENT:
        text.append(" ", style=f"on {shade}")
    text.append(" to its end")
    return text
