"""What is measured: `WORKS`, in the order of the table."""

from __future__ import annotations

from typing import Final

from .base import Metric, Setting, Work
from .connections import CONNECTIONS
from .datagrams import DATAGRAMS
from .first_byte import FIRST_BYTE
from .handshakes import HANDSHAKES
from .imports import IMPORTS
from .memory import MEMORY
from .requests import REQUESTS
from .streams import STREAMS
from .transfer import TRANSFERS

__all__ = ["WORKS", "Metric", "Setting", "Work"]

WORKS: Final[dict[str, Work]] = {
    work.name: work
    for work in (
        HANDSHAKES,
        FIRST_BYTE,
        *REQUESTS,
        *TRANSFERS,
        DATAGRAMS,
        MEMORY,
        IMPORTS,
        *STREAMS,
        *CONNECTIONS,
    )
}
