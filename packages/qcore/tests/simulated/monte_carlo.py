"""Connections over drawn networks: every byte arrives once and in order, or an error with a type says why not.

    python packages/qcore/tests/simulated/monte_carlo.py                 10,000 connections
    python packages/qcore/tests/simulated/monte_carlo.py --count 500 --first 2000
    python packages/qcore/tests/simulated/monte_carlo.py --seed 4711     one of them again, in detail

Everything follows from the seed: loss up to 30 %, reordering, duplication, corruption, an MTU, delays that differ
between the directions, a narrow link, new addresses, a black hole of up to 3 s, and what both sides are set to and
send. Failures are printed with their seeds.
"""

import argparse
import math
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from qcore.admission import admit_by_load, always_retry
from qcore.batch import Address
from qcore.config import QuicConfig
from qcore.congestion import NAMES
from qcore.errors import HandshakeTimeout, IdleTimeout, QuicError, TransportError
from qcore.testing import LinkConfig, Pair, Seeded, Stalled
from qcore.testing.pair import START
from qwire.constants import INVALID_TOKEN, VERSION_1, VERSION_2

COUNT: Final = 10_000
IDLE: Final = 30.0
HANDSHAKE: Final = 20.0
# The worst links carry a packet in two at best, over seconds; idle time-outs end what does not move at all.
LIMIT: Final = 600.0
# Turns of the clock without a step of it: a timer that is due, is handled, and stays due.
MAX_STANDSTILL: Final = 1_000
TYPED: Final = (IdleTimeout, HandshakeTimeout)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a seed stands for."""

    seed: int
    to_server: LinkConfig
    to_client: LinkConfig
    client: QuicConfig
    server: QuicConfig
    retries: bool
    uploads: tuple[int, ...]
    downloads: tuple[int, ...]
    moves: tuple[tuple[float, Address], ...]
    key_updates: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a connection went.

    Attributes:
        outcome: "complete", or the name of the error that ended it.
        duration: seconds of virtual time.
        datagrams: datagrams put on both links.
    """

    outcome: str
    duration: float
    datagrams: int


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    chance = Seeded(f"plan {seed}")
    holes: tuple[tuple[float, float], ...] = ()
    if chance.below(4) == 0:
        begin = START + chance.between(0.0, 2.0)
        holes = ((begin, begin + chance.between(0.1, 3.0)),)
    moves: list[tuple[float, Address]] = []
    if chance.below(3) == 0:
        at = START
        for index in range(1 + chance.below(3)):
            at += chance.between(0.05, 2.0)
            host = "10.0.0.1" if chance.below(2) else f"10.0.1.{index + 1}"
            moves.append((at, (host, 50_001 + index)))
    versions = ((VERSION_1, VERSION_2), (VERSION_2, VERSION_1), (VERSION_1,))
    return Plan(
        seed=seed,
        to_server=_draw_link(chance, holes),
        to_client=_draw_link(chance, holes if chance.below(2) else ()),
        client=_draw_config(chance, versions[chance.below(3)]),
        server=_draw_config(chance, versions[chance.below(2)]),
        retries=chance.below(5) == 0,
        uploads=tuple(1 + chance.below(20_000) for _ in range(1 + chance.below(3))),
        downloads=tuple(1 + chance.below(20_000) for _ in range(chance.below(3))),
        moves=tuple(moves),
        key_updates=tuple(sorted(START + chance.between(0.1, 2.0) for _ in range(chance.below(3)))),
    )


def _draw_link(chance: Seeded, holes: tuple[tuple[float, float], ...]) -> LinkConfig:
    def sometimes(high: float) -> float:
        return chance.between(0.0, high) if chance.below(2) else 0.0

    return LinkConfig(
        delay=math.exp(chance.between(math.log(0.001), math.log(0.3))),
        jitter=sometimes(0.02),
        loss=sometimes(0.3),
        reorder=sometimes(0.3),
        reorder_delay=chance.between(0.001, 0.1),
        duplicate=sometimes(0.2),
        corrupt=sometimes(0.1),
        rate=chance.between(30_000, 2_000_000) if chance.below(3) == 0 else None,
        queue=6_000 + chance.below(60_000),
        mtu=1_200 + chance.below(300),
        mark=sometimes(0.05),
        black_holes=holes,
    )


def _draw_config(chance: Seeded, versions: tuple[int, ...]) -> QuicConfig:
    window = 2_000 + chance.below(100_000)
    return QuicConfig(
        versions=versions,
        idle_timeout=IDLE,
        handshake_timeout=HANDSHAKE,
        stream_window=window,
        connection_window=window + chance.below(100_000),
        send_buffer=1 << 20,
        congestion=NAMES[chance.below(len(NAMES))],
        ecn=bool(chance.below(4)),
        pmtud=bool(chance.below(4)),
        max_ack_delay=0.025,
        grease=bool(chance.below(2)),
    )


class Run:
    """One connection of a plan.

    Raises:
        AssertionError: something went wrong that no network may bring about.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.pair = Pair(
            seed=plan.seed,
            client_config=plan.client,
            server_config=plan.server,
            to_server=plan.to_server,
            to_client=plan.to_client,
            admit=always_retry if plan.retries else admit_by_load,
        )
        self._moves = list(plan.moves)
        self._updates = list(plan.key_updates)
        self._last = -math.inf
        self._standstill = 0

    def go(self) -> Result:
        """Run it to its end."""
        pair = self.pair
        start = pair.now
        outcome = self._transfer()
        if outcome == "complete":
            pair.client.close()
        self._end()
        return Result(
            outcome=outcome, duration=pair.now - start, datagrams=pair.to_server.sent + pair.to_client.sent
        )

    def _transfer(self) -> str:
        pair, plan = self.pair, self.plan
        if not self._wait(lambda: pair.client.is_established):
            return self._why()
        expected: dict[tuple[str, int], bytes] = {}
        for index, size in enumerate(plan.uploads):
            stream = pair.client.open_stream()
            expected["server", stream] = Seeded(f"up {plan.seed} {index}")(size)
            pair.client.send(stream, expected["server", stream], True)
        if not self._wait(lambda: pair.server is not None and pair.server.is_established):
            return self._why()
        assert pair.server is not None
        if not pair.server.is_closed:
            for index, size in enumerate(plan.downloads):
                stream = pair.server.open_stream(bidirectional=False)
                expected["client", stream] = Seeded(f"down {plan.seed} {index}")(size)
                pair.server.send(stream, expected["client", stream], True)
        done = self._wait(lambda: expected.keys() <= pair.finished)
        for key, data in expected.items():
            got = bytes(pair.received.get(key, b""))
            assert data[: len(got)] == got, f"wrong bytes on {key}"
            assert not done or data == got, f"bytes are missing on {key}"
        return "complete" if done else self._why()

    def _wait(self, holds: Callable[[], bool]) -> bool:
        """Let time pass; False when either side has ended first."""
        pair = self.pair

        def ended() -> bool:
            self._step()
            return pair.client.is_closed or (pair.server is not None and pair.server.is_closed)

        pair.run_until(lambda: holds() or ended(), LIMIT)
        return holds()

    def _step(self) -> None:
        """Between two turns: what the plan wants to happen, and what must always hold."""
        pair = self.pair
        now = pair.now
        while self._moves and self._moves[0][0] <= now:
            pair.client_address = self._moves.pop(0)[1]
        while self._updates and self._updates[0] <= now:
            self._updates.pop(0)
            if pair.client.is_confirmed and not pair.client.is_closed:
                pair.client.update_keys()
        self._standstill = self._standstill + 1 if now == self._last else 0
        self._last = now
        assert self._standstill < MAX_STANDSTILL, f"time stands still at {now}"
        for engine in (pair.client, pair.server):
            if engine is not None and not engine.is_closed:
                stats = engine.stats()
                assert 0 <= stats.bytes_in_flight, "less than nothing is in flight"
                for path in engine.parts.paths.paths():
                    assert path.validated or engine.is_client or path.sent <= 3 * path.received, (
                        f"{path.sent} bytes sent for {path.received} to an address that is not validated"
                    )

    def _why(self) -> str:
        errors = self._errors()
        assert errors, "a side has ended without an error"
        return type(errors[0]).__name__

    def _errors(self) -> list[QuicError]:
        pair = self.pair
        errors = [pair.client.error, pair.server.error if pair.server is not None else None]
        return [error for error in errors if error is not None]

    def _is_refused_token(self, error: QuicError) -> bool:
        """RFC 9000 §8.1.4: the client had a new address when it came back with the token of a Retry."""
        return (
            isinstance(error, TransportError)
            and self.plan.retries
            and bool(self.plan.moves)
            and INVALID_TOKEN == error.code
        )

    def _end(self) -> None:
        """Both sides come to an end, and nothing of them is left."""
        pair = self.pair
        pair.run_until(
            lambda: pair.client.is_terminated and (pair.server is None or pair.server.is_terminated), LIMIT
        )
        for error in self._errors():
            assert isinstance(error, TYPED) or self._is_refused_token(error), f"{error!r}"
        for router, engine in ((pair.client_router, pair.client), (pair.router, pair.server)):
            if engine is not None:
                router.forget(engine)
                left = [other for other in router._by_cid.values() if other is engine]
                assert not left, f"{len(left)} connection IDs are left"
        known = [engine for engines in pair.client_router._by_address.values() for engine in engines]
        assert pair.client not in known, "the address is left"


def run(seed: int) -> Result:
    """One connection.

    Raises:
        AssertionError: it went as no connection may; the message names the seed.
    """
    try:
        return Run(draw(seed)).go()
    except (AssertionError, Stalled) as error:
        raise AssertionError(f"seed {seed}: {error}") from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, help="replay this one alone")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        print(draw(arguments.seed))
        print(run(arguments.seed))
        return 0
    begin = time.perf_counter()
    outcomes: Counter[str] = Counter()
    failures: list[int] = []
    datagrams = 0
    seeds = range(arguments.first, arguments.first + arguments.count)
    print(f"seeds {seeds.start} to {seeds.stop - 1}", flush=True)
    for seed in seeds:
        try:
            result = run(seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to a seed
            failures.append(seed)
            print(
                f"FAILED seed {seed}: {error!r} at {traceback.extract_tb(error.__traceback__)[-1]}",
                flush=True,
            )
            continue
        outcomes[result.outcome] += 1
        datagrams += result.datagrams
    print(f"{dict(outcomes)}, {datagrams} datagrams, {time.perf_counter() - begin:.0f} s")
    print(f"failed: {failures}" if failures else "none failed")
    return bool(failures)


if __name__ == "__main__":
    raise SystemExit(main())
