"""pcap and pcapng files → captured frames.

The containers are read by dpkt and by python-pcapng, which are imported when such a file is there; this module makes one
kind of frame of both, takes what comes before the end of an interrupted capture, and turns what a broken file makes
them raise into one error.
"""

import io
import struct
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from .errors import CaptureError

PCAP_MAGICS: Final = frozenset(
    bytes.fromhex(magic) for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1")
)
PCAPNG_MAGIC: Final = bytes.fromhex("0a0d0d0a")
#: Above the 16 bits of a link type pcap keeps flags about checksums at the end of frames.
LINK_TYPE_MASK: Final = 0xFFFF
#: What the readers raise, besides errors of their own, on bytes that make no sense.
BROKEN: Final = (ValueError, KeyError, IndexError, TypeError, ArithmeticError, EOFError, struct.error)


class Frame(NamedTuple):
    """What was captured of one packet on a link: seconds, the type of link (LINKTYPE_…), bytes."""

    time: float
    link_type: int
    data: bytes


def is_pcap(data: bytes) -> bool:
    """Whether a file that begins so is a pcap or pcapng file."""
    return data[:4] in PCAP_MAGICS or data[:4] == PCAPNG_MAGIC


def read_frames(data: bytes) -> Iterator[Frame]:
    """The frames of a pcap or pcapng file, in its order.

    Raises:
        CaptureError: it is broken, other than by its end; or the library that reads it is not installed.
    """
    return _pcapng_frames(data) if data[:4] == PCAPNG_MAGIC else _pcap_frames(data)


def _pcap_frames(data: bytes) -> Iterator[Frame]:
    try:
        import dpkt  # type: ignore[import-untyped] # it ships no types
    except ImportError:
        raise CaptureError("reading pcap files needs dpkt: install uquic-qmimic[cli]") from None
    reader = _checked(lambda: dpkt.pcap.Reader(io.BytesIO(data)), dpkt.Error)
    link_type = reader.datalink() & LINK_TYPE_MASK
    records = iter(reader)
    while True:
        try:
            time, frame = next(records)
        except (StopIteration, dpkt.NeedData):
            return
        yield Frame(float(time), link_type, frame)


def _pcapng_frames(data: bytes) -> Iterator[Frame]:
    try:
        import pcapng  # type: ignore[import-untyped] # it ships no types
        from pcapng import blocks, exceptions
    except ImportError:
        raise CaptureError("reading pcapng files needs python-pcapng: install uquic-qmimic[cli]") from None
    scanner = iter(pcapng.FileScanner(io.BytesIO(data)))
    time = 0.0  # of simple packets, which have none: that of the packet before
    has_interface = False
    while True:
        try:
            block = _checked(lambda: next(scanner, None), exceptions.PcapngException)
        except EOFError:
            block = None
        if block is None:
            break
        if isinstance(block, blocks.InterfaceDescription):
            has_interface = True
        elif isinstance(block, blocks.BasePacketBlock):
            frame = _checked(lambda: _frame_of(block, time), exceptions.PcapngException)  # noqa: B023 - called at once
            time = frame.time
            yield frame
    if not has_interface:
        raise CaptureError("broken capture file (it describes no interface)")


def _frame_of(block: Any, before: float) -> Frame:
    interface = block.interface
    time = before
    if hasattr(block, "timestamp"):
        time = block.timestamp + int(interface.options.get("if_tsoffset", 0))
    return Frame(float(time), interface.link_type, bytes(block.packet_data))


def _checked(read: Callable[[], Any], error_class: type[Exception]) -> Any:
    """What `read` gives.

    Raises:
        CaptureError: it raised what a reader raises on broken files.
        EOFError: the file ends in the middle of something.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of python-pcapng, about itself
            return read()
    except (error_class, *BROKEN) as error:
        if type(error).__name__ in ("StreamEmpty", "TruncatedFile"):
            raise EOFError from None
        reason = (
            "it names an interface that it does not describe" if isinstance(error, LookupError) else error
        )
        raise CaptureError(f"broken capture file ({reason})") from None
