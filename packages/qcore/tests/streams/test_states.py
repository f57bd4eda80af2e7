"""The state tables, all of them. RFC 9000 figures 2 and 3."""

from itertools import product

import pytest

from qcore.streams.states import (
    NEXT_RECEIVE,
    NEXT_SEND,
    RECEIVE_OVER,
    SEND_OVER,
    ReceiveInput,
    ReceiveState,
    SendInput,
    SendState,
    advance_receive,
    advance_send,
)

# Figure 2, written down a second time as "state: input → state".
SEND = """
    READY: SEND → SEND, FIN → DATA_SENT, RESET → RESET_SENT
    SEND: SEND → SEND, FIN → DATA_SENT, RESET → RESET_SENT
    DATA_SENT: SEND → DATA_SENT, FIN → DATA_SENT, ALL_ACKED → DATA_RECVD, RESET → RESET_SENT
    DATA_RECVD:
    RESET_SENT: RESET_ACKED → RESET_RECVD
    RESET_RECVD: RESET_ACKED → RESET_RECVD
"""

# Figure 3.
RECEIVE = """
    RECV: FIN → SIZE_KNOWN, RESET → RESET_RECVD
    SIZE_KNOWN: FIN → SIZE_KNOWN, ALL_DATA → DATA_RECVD, RESET → RESET_RECVD
    DATA_RECVD: FIN → DATA_RECVD, RESET → DATA_RECVD, ALL_READ → DATA_READ
    DATA_READ:
    RESET_RECVD: FIN → RESET_RECVD, RESET → RESET_RECVD, RESET_READ → RESET_READ
    RESET_READ:
"""


def figure(text: str) -> dict[tuple[str, str], str]:
    arrows: dict[tuple[str, str], str] = {}
    for line in text.strip().splitlines():
        state, _, moves = line.strip().partition(":")
        for move in filter(None, moves.split(",")):
            happened, _, following = move.partition("→")
            arrows[state, happened.strip()] = following.strip()
    return arrows


@pytest.mark.parametrize(("state", "happened"), list(product(SendState, SendInput)))
def test_sending_half_follows_figure_2(state: SendState, happened: SendInput) -> None:
    expected = figure(SEND).get((state.name, happened.name))
    if expected is None:
        with pytest.raises(ValueError, match=state.value):
            advance_send(state, happened)
    else:
        assert SendState[expected] is advance_send(state, happened)


@pytest.mark.parametrize(("state", "happened"), list(product(ReceiveState, ReceiveInput)))
def test_receiving_half_follows_figure_3(state: ReceiveState, happened: ReceiveInput) -> None:
    expected = figure(RECEIVE).get((state.name, happened.name))
    if expected is None:
        with pytest.raises(ValueError, match=state.value):
            advance_receive(state, happened)
    else:
        assert ReceiveState[expected] is advance_receive(state, happened)


def test_nothing_leaves_a_state_that_is_over() -> None:
    assert (
        set() == {following for (state, _), following in NEXT_SEND.items() if state in SEND_OVER} - SEND_OVER
    )
    assert set() == {state for state, _ in NEXT_RECEIVE if state in RECEIVE_OVER}
