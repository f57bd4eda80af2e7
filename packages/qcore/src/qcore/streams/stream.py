"""A stream: its one or two halves, and what is owed to the peer about it.

RFC 9000 §2. The halves know nothing of each other.
"""

from __future__ import annotations

from typing import Final, final

from .receive import ReceiveStream
from .send import SendStream
from .states import RECEIVE_OVER, SEND_OVER

# RFC 9218 §4.1.
DEFAULT_URGENCY: Final = 3

# Frames that a stream owes; each is written once, with the newest value.
OWES_RESET: Final = 1
OWES_STOP: Final = 2
OWES_CREDIT: Final = 4
OWES_BLOCKED: Final = 8


@final
class Stream:
    """One stream.

    Attributes:
        send, receive: the halves that exist on this side.
        owed: bits `OWES_*`.
        is_owing: waits in the manager's queue of streams with owed frames.
        is_scheduled: waits in the scheduler.
        is_parked: waits for credit of the connection.
        urgency, incremental: RFC 9218 §4.
    """

    __slots__ = (
        "incremental",
        "is_owing",
        "is_parked",
        "is_scheduled",
        "owed",
        "receive",
        "send",
        "stream_id",
        "urgency",
    )

    def __init__(self, stream_id: int, send: SendStream | None, receive: ReceiveStream | None) -> None:
        self.stream_id = stream_id
        self.send = send
        self.receive = receive
        self.owed = 0
        self.is_owing = False
        self.is_scheduled = False
        self.is_parked = False
        self.urgency = DEFAULT_URGENCY
        self.incremental = True

    @property
    def is_over(self) -> bool:
        """Both halves are over, so that the stream can be forgotten."""
        send, receive = self.send, self.receive
        return (send is None or send.state in SEND_OVER) and (
            receive is None or receive.state in RECEIVE_OVER
        )
