"""The states of a server's handshake as tables.

Says which message may come in which state and at which level, and what comes next. What is not in a table is
unexpected_message. RFC 8446 §A.2, RFC 9001 §4.1.3 and §8.3; application settings (ALPS) as in draft-vvv-tls-alps.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from . import constants
from .constants import UNEXPECTED_MESSAGE, Level, message_name
from .errors import LocalAlert

__all__ = ["ServerInput", "ServerState", "advance_server", "refuse"]


class ServerState(Enum):
    """States of a server, RFC 8446 §A.2. QUIC has no EndOfEarlyData (RFC 9001 §8.3)."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    WAIT_CLIENT_HELLO = "wait client hello"
    WAIT_SECOND_CLIENT_HELLO = "wait client hello after retry"
    WAIT_SETTINGS = "wait client settings"
    WAIT_SETTINGS_AND_CERTIFICATE = "wait client settings, then a certificate"
    WAIT_CERTIFICATE = "wait certificate"
    WAIT_CERTIFICATE_VERIFY = "wait certificate verify"
    WAIT_FINISHED = "wait finished"
    CONNECTED = "connected"


class ServerInput(Enum):
    """What moves a server."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    RETRY_SENT = "hello retry request sent"
    HELLO = "client hello"
    HELLO_AND_REQUEST = "client hello, answered with a certificate request"
    HELLO_AND_SETTINGS = "client hello, answered with application settings"
    HELLO_SETTINGS_AND_REQUEST = "client hello, answered with application settings and a certificate request"
    SETTINGS = "client encrypted extensions"
    CERTIFICATE = "certificate"
    NO_CERTIFICATE = "empty certificate"
    CERTIFICATE_VERIFY = "certificate verify"
    FINISHED = "finished"


SERVER_NEXT: Final[dict[tuple[ServerState, ServerInput], ServerState]] = {
    (ServerState.WAIT_CLIENT_HELLO, ServerInput.RETRY_SENT): ServerState.WAIT_SECOND_CLIENT_HELLO,
    (ServerState.WAIT_CLIENT_HELLO, ServerInput.HELLO): ServerState.WAIT_FINISHED,
    (ServerState.WAIT_CLIENT_HELLO, ServerInput.HELLO_AND_REQUEST): ServerState.WAIT_CERTIFICATE,
    (ServerState.WAIT_CLIENT_HELLO, ServerInput.HELLO_AND_SETTINGS): ServerState.WAIT_SETTINGS,
    (
        ServerState.WAIT_CLIENT_HELLO,
        ServerInput.HELLO_SETTINGS_AND_REQUEST,
    ): ServerState.WAIT_SETTINGS_AND_CERTIFICATE,
    (ServerState.WAIT_SECOND_CLIENT_HELLO, ServerInput.HELLO): ServerState.WAIT_FINISHED,
    (ServerState.WAIT_SECOND_CLIENT_HELLO, ServerInput.HELLO_AND_REQUEST): ServerState.WAIT_CERTIFICATE,
    (ServerState.WAIT_SECOND_CLIENT_HELLO, ServerInput.HELLO_AND_SETTINGS): ServerState.WAIT_SETTINGS,
    (
        ServerState.WAIT_SECOND_CLIENT_HELLO,
        ServerInput.HELLO_SETTINGS_AND_REQUEST,
    ): ServerState.WAIT_SETTINGS_AND_CERTIFICATE,
    (ServerState.WAIT_SETTINGS, ServerInput.SETTINGS): ServerState.WAIT_FINISHED,
    (ServerState.WAIT_SETTINGS_AND_CERTIFICATE, ServerInput.SETTINGS): ServerState.WAIT_CERTIFICATE,
    (ServerState.WAIT_CERTIFICATE, ServerInput.CERTIFICATE): ServerState.WAIT_CERTIFICATE_VERIFY,
    (ServerState.WAIT_CERTIFICATE, ServerInput.NO_CERTIFICATE): ServerState.WAIT_FINISHED,
    (ServerState.WAIT_CERTIFICATE_VERIFY, ServerInput.CERTIFICATE_VERIFY): ServerState.WAIT_FINISHED,
    (ServerState.WAIT_FINISHED, ServerInput.FINISHED): ServerState.CONNECTED,
}

SERVER_LEVELS: Final[dict[ServerState, Level]] = {
    ServerState.WAIT_CLIENT_HELLO: Level.INITIAL,
    ServerState.WAIT_SECOND_CLIENT_HELLO: Level.INITIAL,
    ServerState.WAIT_SETTINGS: Level.HANDSHAKE,
    ServerState.WAIT_SETTINGS_AND_CERTIFICATE: Level.HANDSHAKE,
    ServerState.WAIT_CERTIFICATE: Level.HANDSHAKE,
    ServerState.WAIT_CERTIFICATE_VERIFY: Level.HANDSHAKE,
    ServerState.WAIT_FINISHED: Level.HANDSHAKE,
    ServerState.CONNECTED: Level.APPLICATION,
}

# Message types that may come in a state.
SERVER_ACCEPTS: Final[dict[ServerState, tuple[int, ...]]] = {
    ServerState.WAIT_CLIENT_HELLO: (constants.CLIENT_HELLO,),
    ServerState.WAIT_SECOND_CLIENT_HELLO: (constants.CLIENT_HELLO,),
    ServerState.WAIT_SETTINGS: (constants.ENCRYPTED_EXTENSIONS,),
    ServerState.WAIT_SETTINGS_AND_CERTIFICATE: (constants.ENCRYPTED_EXTENSIONS,),
    ServerState.WAIT_CERTIFICATE: (constants.CERTIFICATE, constants.COMPRESSED_CERTIFICATE),
    ServerState.WAIT_CERTIFICATE_VERIFY: (constants.CERTIFICATE_VERIFY,),
    ServerState.WAIT_FINISHED: (constants.FINISHED,),
    ServerState.CONNECTED: (),
}


def advance_server(state: ServerState, happened: ServerInput) -> ServerState:
    """The state after ``happened``.

    Raises:
        LocalAlert: unexpected_message, it cannot happen in this state.
    """
    following = SERVER_NEXT.get((state, happened))
    if following is None:
        raise LocalAlert(UNEXPECTED_MESSAGE, f"{happened.value} in state {state.value!r}")
    return following


def refuse(message_type: int, state: ServerState) -> LocalAlert:
    """The alert for a message that may not come in ``state``."""
    return LocalAlert(UNEXPECTED_MESSAGE, f"{message_name(message_type)} in state {state.value!r}")
