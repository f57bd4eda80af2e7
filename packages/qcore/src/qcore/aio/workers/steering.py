"""A rule for the kernel: which socket of a port takes a datagram that names a worker in the clear.

Spares most of what would have to be handed on between processes. Where it cannot be had, nothing is lost but time.
Linux, <linux/filter.h> and socket(7), SO_ATTACH_REUSEPORT_CBPF.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from typing import Final

SO_ATTACH_REUSEPORT_CBPF: Final = 51
# Classic BPF: load a byte of the payload, jump if any of these bits is set, return.
LOAD_BYTE: Final = 0x30
JUMP_IF_SET: Final = 0x45
RETURN_LOADED: Final = 0x16
RETURN: Final = 0x06
INSTRUCTION: Final = struct.Struct("=HBBI")
# No socket has this number: then the kernel decides by address and port.
NO_SOCKET: Final = 0xFFFF_FFFF
LONG_HEADER: Final = 0x80


def steer(sock: socket.socket, number_offset: int) -> bool:
    """Have short headers go to the socket whose number stands at this offset of the connection ID.

    Sockets have numbers in the order in which they were bound to the port. One call is enough for all of them.

    Returns:
        Whether the platform does that.
    """
    if sys.platform != "linux":
        return False
    program = b"".join(
        (
            INSTRUCTION.pack(LOAD_BYTE, 0, 0, 0),
            INSTRUCTION.pack(JUMP_IF_SET, 2, 0, LONG_HEADER),
            INSTRUCTION.pack(LOAD_BYTE, 0, 0, 1 + number_offset),
            INSTRUCTION.pack(RETURN_LOADED, 0, 0, 0),
            INSTRUCTION.pack(RETURN, 0, 0, NO_SOCKET),
        )
    )
    kept = ctypes.create_string_buffer(program, len(program))
    count = len(program) // INSTRUCTION.size
    try:
        sock.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, struct.pack("HP", count, ctypes.addressof(kept))
        )
    except OSError:
        return False
    return True
