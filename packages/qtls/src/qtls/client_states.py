"""The states of a client's handshake as tables.

Says which message may come in which state and at which level, and what comes next. What is not in a table is
unexpected_message. RFC 8446 §A.1, RFC 9001 §4.1.3.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from . import constants
from .constants import PROTOCOL_VIOLATION, UNEXPECTED_MESSAGE, Level, message_name
from .errors import LocalAlert

__all__ = ["ClientInput", "ClientState", "advance_client", "refuse"]


class ClientState(Enum):
    """States of a client, RFC 8446 §A.1."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    START = "start"
    WAIT_SERVER_HELLO = "wait server hello"
    WAIT_SECOND_SERVER_HELLO = "wait server hello after retry"
    WAIT_ENCRYPTED_EXTENSIONS = "wait encrypted extensions"
    WAIT_CERTIFICATE_OR_REQUEST = "wait certificate or request"
    WAIT_CERTIFICATE = "wait certificate"
    WAIT_CERTIFICATE_VERIFY = "wait certificate verify"
    WAIT_FINISHED = "wait finished"
    CONNECTED = "connected"


class ClientInput(Enum):
    """What moves a client."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    HELLO_SENT = "client hello sent"
    RETRY_REQUESTED = "hello retry request"
    SERVER_HELLO = "server hello"
    EXTENSIONS = "encrypted extensions"
    EXTENSIONS_WITH_PSK = "encrypted extensions of a resumed handshake"
    CERTIFICATE_REQUEST = "certificate request"
    CERTIFICATE = "certificate"
    CERTIFICATE_VERIFY = "certificate verify"
    FINISHED = "finished"
    TICKET = "new session ticket"


CLIENT_NEXT: Final[dict[tuple[ClientState, ClientInput], ClientState]] = {
    (ClientState.START, ClientInput.HELLO_SENT): ClientState.WAIT_SERVER_HELLO,
    (ClientState.WAIT_SERVER_HELLO, ClientInput.RETRY_REQUESTED): ClientState.WAIT_SECOND_SERVER_HELLO,
    (ClientState.WAIT_SERVER_HELLO, ClientInput.SERVER_HELLO): ClientState.WAIT_ENCRYPTED_EXTENSIONS,
    (ClientState.WAIT_SECOND_SERVER_HELLO, ClientInput.SERVER_HELLO): ClientState.WAIT_ENCRYPTED_EXTENSIONS,
    (
        ClientState.WAIT_ENCRYPTED_EXTENSIONS,
        ClientInput.EXTENSIONS,
    ): ClientState.WAIT_CERTIFICATE_OR_REQUEST,
    (ClientState.WAIT_ENCRYPTED_EXTENSIONS, ClientInput.EXTENSIONS_WITH_PSK): ClientState.WAIT_FINISHED,
    (
        ClientState.WAIT_CERTIFICATE_OR_REQUEST,
        ClientInput.CERTIFICATE_REQUEST,
    ): ClientState.WAIT_CERTIFICATE,
    (
        ClientState.WAIT_CERTIFICATE_OR_REQUEST,
        ClientInput.CERTIFICATE,
    ): ClientState.WAIT_CERTIFICATE_VERIFY,
    (ClientState.WAIT_CERTIFICATE, ClientInput.CERTIFICATE): ClientState.WAIT_CERTIFICATE_VERIFY,
    (ClientState.WAIT_CERTIFICATE_VERIFY, ClientInput.CERTIFICATE_VERIFY): ClientState.WAIT_FINISHED,
    (ClientState.WAIT_FINISHED, ClientInput.FINISHED): ClientState.CONNECTED,
    (ClientState.CONNECTED, ClientInput.TICKET): ClientState.CONNECTED,
}

CLIENT_LEVELS: Final[dict[ClientState, Level]] = {
    ClientState.START: Level.INITIAL,
    ClientState.WAIT_SERVER_HELLO: Level.INITIAL,
    ClientState.WAIT_SECOND_SERVER_HELLO: Level.INITIAL,
    ClientState.WAIT_ENCRYPTED_EXTENSIONS: Level.HANDSHAKE,
    ClientState.WAIT_CERTIFICATE_OR_REQUEST: Level.HANDSHAKE,
    ClientState.WAIT_CERTIFICATE: Level.HANDSHAKE,
    ClientState.WAIT_CERTIFICATE_VERIFY: Level.HANDSHAKE,
    ClientState.WAIT_FINISHED: Level.HANDSHAKE,
    ClientState.CONNECTED: Level.APPLICATION,
}

# Message types that may come in a state. HelloRetryRequest is a ServerHello on the wire.
CLIENT_ACCEPTS: Final[dict[ClientState, tuple[int, ...]]] = {
    ClientState.START: (),
    ClientState.WAIT_SERVER_HELLO: (constants.SERVER_HELLO,),
    ClientState.WAIT_SECOND_SERVER_HELLO: (constants.SERVER_HELLO,),
    ClientState.WAIT_ENCRYPTED_EXTENSIONS: (constants.ENCRYPTED_EXTENSIONS,),
    ClientState.WAIT_CERTIFICATE_OR_REQUEST: (
        constants.CERTIFICATE_REQUEST,
        constants.CERTIFICATE,
        constants.COMPRESSED_CERTIFICATE,
    ),
    ClientState.WAIT_CERTIFICATE: (constants.CERTIFICATE, constants.COMPRESSED_CERTIFICATE),
    ClientState.WAIT_CERTIFICATE_VERIFY: (constants.CERTIFICATE_VERIFY,),
    ClientState.WAIT_FINISHED: (constants.FINISHED,),
    ClientState.CONNECTED: (constants.NEW_SESSION_TICKET,),
}


def advance_client(state: ClientState, happened: ClientInput) -> ClientState:
    """The state after ``happened``.

    Raises:
        LocalAlert: unexpected_message, it cannot happen in this state.
    """
    following = CLIENT_NEXT.get((state, happened))
    if following is None:
        raise LocalAlert(UNEXPECTED_MESSAGE, f"{happened.value} in state {state.value!r}")
    return following


def refuse(message_type: int, state: ClientState) -> LocalAlert:
    """The alert for a message that may not come in ``state``."""
    reason = f"{message_name(message_type)} in state {state.value!r}"
    if state is ClientState.CONNECTED and message_type == constants.CERTIFICATE_REQUEST:
        # RFC 9001 §4.4: the client could not tell which of its streams is meant.
        return LocalAlert(UNEXPECTED_MESSAGE, reason, PROTOCOL_VIOLATION)
    return LocalAlert(UNEXPECTED_MESSAGE, reason)
