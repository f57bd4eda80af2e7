"""What a connection holds while it has nothing to do."""

import gc
import math
import sys
from collections import Counter
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any, Final

import pytest

from qcore.engine.engine import QuicEngine
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL
from qcore.testing import Pair

from .crafting import confirmed_pair

# Python's objects alone, of which about two thirds are those of the parts themselves; contexts of ciphers come on top.
LIMIT: Final = 20_500
SETTLED: Final = 5.0


def idle_pair() -> Pair:
    pair = confirmed_pair(observed=False)
    pair.run_for(SETTLED)
    return pair


def reachable(root: object) -> dict[int, Any]:
    """Everything that an object leads to, by identity; code is not looked into."""
    found = {id(root): root}
    to_look_at = [root]
    while to_look_at:
        for held in gc.get_referents(to_look_at.pop()):
            if id(held) not in found and not isinstance(held, type | ModuleType | FunctionType):
                found[id(held)] = held
                to_look_at.append(held)
    return found


def own(engine: QuicEngine, others: Iterable[QuicEngine]) -> list[Any]:
    """What an engine holds and the others do not."""
    shared: set[int] = set()
    for other in others:
        shared.update(reachable(other))
    return [held for at, held in reachable(engine).items() if at not in shared]


@pytest.mark.parametrize("side", ["client", "server"])
def test_an_idle_connection_is_small(side: str) -> None:
    pairs = [idle_pair(), idle_pair()]
    engines = [getattr(pair, side) for pair in pairs]

    held = own(engines[0], engines[1:])
    sizes: Counter[str] = Counter()
    for each in held:
        sizes[type(each).__name__] += sys.getsizeof(each)

    assert LIMIT > sizes.total(), sizes.most_common(20)


@pytest.mark.parametrize("side", ["client", "server"])
def test_what_the_handshake_needed_is_gone(side: str) -> None:  # RFC 9001 §4.9
    engine = getattr(idle_pair(), side)

    for space in (INITIAL, HANDSHAKE):
        crypto = engine.parts.spaces[space].crypto
        assert engine.parts.spaces[space].sealer is engine.parts.spaces[space].opener is None
        assert (crypto.sent_size, b"") == crypto.unacked() or b"" == crypto.unacked()[1]
        assert [] == crypto.pending_ranges()
        assert engine.parts.spaces[space].received.ack_frame(0.0) is None
    kinds = Counter(type(held).__name__ for held in reachable(engine.parts.spaces).values())
    assert 2 >= kinds["AESGCM"]  # one each way


def test_packets_without_an_answer_are_forgotten_at_rest() -> None:
    pair = confirmed_pair(observed=False)
    server = pair.server
    assert server is not None
    stream = server.open_stream()
    server.send(stream, bytes(100_000))
    pair.run_for(SETTLED)
    engine = pair.client
    before = Counter(type(held).__name__ for held in own(engine, [server]))
    engine.rest()
    after = Counter(type(held).__name__ for held in own(engine, [server]))

    assert before["SentPacket"] > 3  # ACKs, which nothing elicited an acknowledgement of
    assert 0 == after["SentPacket"] + after["AckFrame"]

    server.send(stream, bytes(100_000), True)
    pair.run_for(SETTLED)
    assert 200_000 == len(pair.received["client", stream])


def holds_something(shared: dict[Any, Any] | list[Any] | set[Any]) -> bool:
    if isinstance(shared, list):  # some have a place for each space
        return any(each not in (0, None, math.inf) for each in shared)
    return bool(shared)


def test_nobody_has_put_anything_into_what_connections_share() -> None:
    pair = idle_pair()
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(100_000), True)
    pair.run_for(SETTLED)
    shared = {
        f"{name}.{each}": value
        for name, module in sorted(sys.modules.items())
        if name.startswith("qcore.")
        for each, value in vars(module).items()
        if each.startswith("NO") and isinstance(value, dict | list | set)
    }

    assert len(shared) > 20
    assert {} == {name: value for name, value in shared.items() if holds_something(value)}


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_connection_at_rest_has_no_ciphers_and_goes_on(side: str) -> None:
    pair = idle_pair()
    engine = getattr(pair, side)
    engine.rest()
    phases = engine.parts.spaces[APPLICATION].phases

    assert phases.is_at_rest
    kinds = Counter(type(held).__name__ for held in reachable(engine.parts.spaces).values())
    assert 0 == kinds["AESGCM"] + kinds["CipherContext"]

    stream = pair.client.open_stream()
    pair.client.send(stream, b"after a rest", True)
    pair.run_for(1.0)
    assert b"after a rest" == bytes(pair.received["server", stream])
    assert not phases.is_at_rest
