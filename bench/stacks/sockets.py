"""Socket buffers as large as this stack asks for, for those that leave them as they are."""

from __future__ import annotations

import socket
from typing import Any

from ..stack import SOCKET_BUFFER


def enlarge(sock: Any) -> None:
    """Give a socket room for a burst."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
