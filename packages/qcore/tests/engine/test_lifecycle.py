"""The whole product of states and steps. RFC 9000 §10."""

from itertools import product

import pytest

from qcore.engine.lifecycle import Lifecycle, State, Step

ALLOWED = {
    (State.HANDSHAKING, Step.HANDSHAKE_COMPLETE): State.ESTABLISHED,
    (State.ESTABLISHED, Step.HANDSHAKE_CONFIRMED): State.CONFIRMED,
    **{
        (state, step): after
        for state in (State.HANDSHAKING, State.ESTABLISHED, State.CONFIRMED)
        for step, after in (
            (Step.LOCAL_CLOSE, State.CLOSING),
            (Step.PEER_CLOSE, State.DRAINING),
            (Step.ABANDON, State.CLOSED),
        )
    },
    (State.CLOSING, Step.PEER_CLOSE): State.DRAINING,
    (State.CLOSING, Step.PERIOD_OVER): State.CLOSED,
    (State.CLOSING, Step.ABANDON): State.CLOSED,
    (State.DRAINING, Step.PERIOD_OVER): State.CLOSED,
    (State.DRAINING, Step.ABANDON): State.CLOSED,
}
ROUTES = {
    State.HANDSHAKING: (),
    State.ESTABLISHED: (Step.HANDSHAKE_COMPLETE,),
    State.CONFIRMED: (Step.HANDSHAKE_COMPLETE, Step.HANDSHAKE_CONFIRMED),
    State.CLOSING: (Step.LOCAL_CLOSE,),
    State.DRAINING: (Step.PEER_CLOSE,),
    State.CLOSED: (Step.ABANDON,),
}


def lifecycle_in(state: State) -> Lifecycle:
    lifecycle = Lifecycle()
    for step in ROUTES[state]:
        lifecycle.advance(step)
    assert state is lifecycle.state
    return lifecycle


@pytest.mark.parametrize(("state", "step"), list(product(State, Step)))
def test_step(state: State, step: Step) -> None:
    lifecycle = lifecycle_in(state)
    after = ALLOWED.get((state, step))
    assert (after is not None) is lifecycle.allows(step)
    if after is None:
        with pytest.raises(ValueError, match=f"{step.value} while {state.value}"):
            lifecycle.advance(step)
        assert state is lifecycle.state
    else:
        assert (state, after) == lifecycle.advance(step)
        assert after is lifecycle.state


@pytest.mark.parametrize(
    ("state", "is_open", "is_established", "is_confirmed"),
    [
        (State.HANDSHAKING, True, False, False),
        (State.ESTABLISHED, True, True, False),
        (State.CONFIRMED, True, True, True),
        (State.CLOSING, False, False, False),
        (State.DRAINING, False, False, False),
        (State.CLOSED, False, False, False),
    ],
)
def test_what_a_state_means(state: State, is_open: bool, is_established: bool, is_confirmed: bool) -> None:
    lifecycle = lifecycle_in(state)

    assert is_open is lifecycle.is_open
    assert is_established is lifecycle.is_established
    assert is_confirmed is lifecycle.is_confirmed
