"""The state tables, over the whole product of states and inputs. RFC 8446 appendix A."""

from __future__ import annotations

import itertools

import pytest

from qtls.client_states import (
    CLIENT_ACCEPTS,
    CLIENT_LEVELS,
    CLIENT_NEXT,
    ClientInput,
    ClientState,
    advance_client,
)
from qtls.constants import UNEXPECTED_MESSAGE, Level
from qtls.errors import LocalAlert
from qtls.server_states import (
    SERVER_ACCEPTS,
    SERVER_LEVELS,
    SERVER_NEXT,
    ServerInput,
    ServerState,
    advance_server,
)

# Every path of figure A.1 and A.2, as the inputs that lead from the first state to the last.
CLIENT_PATHS = [
    "SERVER_HELLO EXTENSIONS CERTIFICATE CERTIFICATE_VERIFY FINISHED TICKET TICKET",
    "SERVER_HELLO EXTENSIONS CERTIFICATE_REQUEST CERTIFICATE CERTIFICATE_VERIFY FINISHED",
    "SERVER_HELLO EXTENSIONS_WITH_PSK FINISHED TICKET",
    "RETRY_REQUESTED SERVER_HELLO EXTENSIONS CERTIFICATE CERTIFICATE_VERIFY FINISHED",
    "RETRY_REQUESTED SERVER_HELLO EXTENSIONS CERTIFICATE_REQUEST CERTIFICATE CERTIFICATE_VERIFY FINISHED",
    "RETRY_REQUESTED SERVER_HELLO EXTENSIONS_WITH_PSK FINISHED",
]
SERVER_PATHS = [
    "HELLO FINISHED",
    "HELLO_AND_REQUEST CERTIFICATE CERTIFICATE_VERIFY FINISHED",
    "HELLO_AND_REQUEST NO_CERTIFICATE FINISHED",
    "HELLO_AND_SETTINGS SETTINGS FINISHED",
    "HELLO_SETTINGS_AND_REQUEST SETTINGS CERTIFICATE CERTIFICATE_VERIFY FINISHED",
    "RETRY_SENT HELLO FINISHED",
    "RETRY_SENT HELLO_AND_REQUEST NO_CERTIFICATE FINISHED",
    "RETRY_SENT HELLO_AND_SETTINGS SETTINGS FINISHED",
    "RETRY_SENT HELLO_SETTINGS_AND_REQUEST SETTINGS NO_CERTIFICATE FINISHED",
]


def test_client_paths_use_the_whole_table() -> None:
    used = {(ClientState.START, ClientInput.HELLO_SENT)}
    for path in CLIENT_PATHS:
        state = advance_client(ClientState.START, ClientInput.HELLO_SENT)
        for name in path.split():
            used.add((state, ClientInput[name]))
            state = advance_client(state, ClientInput[name])
        assert ClientState.CONNECTED is state

    assert set(CLIENT_NEXT) == used


def test_server_paths_use_the_whole_table() -> None:
    used = set()
    for path in SERVER_PATHS:
        state = ServerState.WAIT_CLIENT_HELLO
        for name in path.split():
            used.add((state, ServerInput[name]))
            state = advance_server(state, ServerInput[name])
        assert ServerState.CONNECTED is state

    assert set(SERVER_NEXT) == used


@pytest.mark.parametrize("state", ClientState)
def test_client_refuses_everything_else(state: ClientState) -> None:
    for happened in ClientInput:
        if (state, happened) in CLIENT_NEXT:
            continue
        with pytest.raises(LocalAlert) as refused:
            advance_client(state, happened)
        assert UNEXPECTED_MESSAGE == refused.value.description


@pytest.mark.parametrize("state", ServerState)
def test_server_refuses_everything_else(state: ServerState) -> None:
    for happened in ServerInput:
        if (state, happened) in SERVER_NEXT:
            continue
        with pytest.raises(LocalAlert) as refused:
            advance_server(state, happened)
        assert UNEXPECTED_MESSAGE == refused.value.description


def test_every_state_has_a_level_and_its_messages() -> None:
    assert set(ClientState) == set(CLIENT_LEVELS) == set(CLIENT_ACCEPTS)
    assert set(ServerState) == set(SERVER_LEVELS) == set(SERVER_ACCEPTS)


def test_levels_only_rise() -> None:  # RFC 9001 §4.1.3
    order = [Level.INITIAL, Level.HANDSHAKE, Level.APPLICATION]
    steps = [(CLIENT_LEVELS[old[0]], CLIENT_LEVELS[new]) for old, new in CLIENT_NEXT.items()]
    steps += [(SERVER_LEVELS[old[0]], SERVER_LEVELS[new]) for old, new in SERVER_NEXT.items()]

    for old, new in itertools.chain(steps):
        assert order.index(old) <= order.index(new)
