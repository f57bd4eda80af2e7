"""QUIC packets, frames and transport parameters as plain values, without keys or state.

The submodules are the interface: ``frames``, ``headers``, ``unprotected``, ``transport_parameters``,
``packet_number``, ``datagram``, ``dissect``, ``buffer``, ``constants`` and ``errors``. Here are the names that
nearly every user needs.
"""

from qwire.buffer import Reader, Writer
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.errors import DecodeError, ForbiddenFrame, Truncated

__version__ = "0.1.0"

__all__ = [
    "VERSION_1",
    "VERSION_2",
    "DecodeError",
    "ForbiddenFrame",
    "PacketType",
    "Reader",
    "Truncated",
    "Writer",
]
