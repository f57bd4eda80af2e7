"""The states of the two halves of a stream.

RFC 9000 figures 2 and 3, as tables. What is not in a table cannot happen: the parts that call `advance_send`
and `advance_receive` have already turned violations of the peer into errors.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class SendState(Enum):
    """The sending half, RFC 9000 §3.1."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    READY = "ready"
    SEND = "send"
    DATA_SENT = "data sent"
    DATA_RECVD = "data received"
    RESET_SENT = "reset sent"
    RESET_RECVD = "reset received"


class SendInput(Enum):
    """What moves the sending half."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    SEND = "stream or blocked frame sent"
    FIN = "stream frame with the end sent"
    ALL_ACKED = "everything acknowledged"
    RESET = "reset"
    RESET_ACKED = "reset acknowledged"


class ReceiveState(Enum):
    """The receiving half, RFC 9000 §3.2."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    RECV = "receive"
    SIZE_KNOWN = "size known"
    DATA_RECVD = "data received"
    DATA_READ = "data read"
    RESET_RECVD = "reset received"
    RESET_READ = "reset read"


class ReceiveInput(Enum):
    """What moves the receiving half."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    FIN = "end known"
    ALL_DATA = "all data received"
    ALL_READ = "all data read"
    RESET = "reset received"
    RESET_READ = "reset told to the application"


NEXT_SEND: Final[dict[tuple[SendState, SendInput], SendState]] = {  # RFC 9000 figure 2
    (SendState.READY, SendInput.SEND): SendState.SEND,
    (SendState.READY, SendInput.FIN): SendState.DATA_SENT,  # the first frame may carry the end
    (SendState.READY, SendInput.RESET): SendState.RESET_SENT,
    (SendState.SEND, SendInput.SEND): SendState.SEND,
    (SendState.SEND, SendInput.FIN): SendState.DATA_SENT,
    (SendState.SEND, SendInput.RESET): SendState.RESET_SENT,
    (SendState.DATA_SENT, SendInput.SEND): SendState.DATA_SENT,  # a retransmission
    (SendState.DATA_SENT, SendInput.FIN): SendState.DATA_SENT,
    (SendState.DATA_SENT, SendInput.ALL_ACKED): SendState.DATA_RECVD,
    (SendState.DATA_SENT, SendInput.RESET): SendState.RESET_SENT,
    (SendState.RESET_SENT, SendInput.RESET_ACKED): SendState.RESET_RECVD,
    (SendState.RESET_RECVD, SendInput.RESET_ACKED): SendState.RESET_RECVD,  # a second copy of the frame
}

NEXT_RECEIVE: Final[dict[tuple[ReceiveState, ReceiveInput], ReceiveState]] = {  # RFC 9000 figure 3
    (ReceiveState.RECV, ReceiveInput.FIN): ReceiveState.SIZE_KNOWN,
    (ReceiveState.RECV, ReceiveInput.RESET): ReceiveState.RESET_RECVD,
    (ReceiveState.SIZE_KNOWN, ReceiveInput.FIN): ReceiveState.SIZE_KNOWN,
    (ReceiveState.SIZE_KNOWN, ReceiveInput.ALL_DATA): ReceiveState.DATA_RECVD,
    (ReceiveState.SIZE_KNOWN, ReceiveInput.RESET): ReceiveState.RESET_RECVD,
    # RFC 9000 §3.2: a reset that comes after all the data may be ignored, and is.
    (ReceiveState.DATA_RECVD, ReceiveInput.RESET): ReceiveState.DATA_RECVD,
    (ReceiveState.DATA_RECVD, ReceiveInput.FIN): ReceiveState.DATA_RECVD,
    (ReceiveState.DATA_RECVD, ReceiveInput.ALL_READ): ReceiveState.DATA_READ,
    (ReceiveState.RESET_RECVD, ReceiveInput.FIN): ReceiveState.RESET_RECVD,
    (ReceiveState.RESET_RECVD, ReceiveInput.RESET): ReceiveState.RESET_RECVD,
    (ReceiveState.RESET_RECVD, ReceiveInput.RESET_READ): ReceiveState.RESET_READ,
}

# Nothing can change these any more. RFC 9000 §3.
SEND_OVER: Final = frozenset((SendState.DATA_RECVD, SendState.RESET_RECVD))
RECEIVE_OVER: Final = frozenset((ReceiveState.DATA_READ, ReceiveState.RESET_READ))


# The same by state and then by what happened, which saves making a pair for every frame.
_AFTER_SEND: Final = {
    state: {happened: following for (before, happened), following in NEXT_SEND.items() if before is state}
    for state in SendState
}
_AFTER_RECEIVE: Final = {
    state: {happened: following for (before, happened), following in NEXT_RECEIVE.items() if before is state}
    for state in ReceiveState
}


def advance_send(state: SendState, happened: SendInput) -> SendState:
    """The next state of a sending half.

    Raises:
        ValueError: the figure has no such arrow.
    """
    following = _AFTER_SEND[state].get(happened)
    if following is None:
        raise ValueError(f"a sending half in state '{state.value}' cannot see '{happened.value}'")
    return following


def advance_receive(state: ReceiveState, happened: ReceiveInput) -> ReceiveState:
    """The next state of a receiving half.

    Raises:
        ValueError: the figure has no such arrow.
    """
    following = _AFTER_RECEIVE[state].get(happened)
    if following is None:
        raise ValueError(f"a receiving half in state '{state.value}' cannot see '{happened.value}'")
    return following
