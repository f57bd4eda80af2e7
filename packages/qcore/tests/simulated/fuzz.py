"""Structured junk at both sides of a connection, in every state that it passes through.

    python packages/qcore/tests/simulated/fuzz.py --seconds 60           all cores; prints its seeds
    python packages/qcore/tests/simulated/fuzz.py --seed 4711            one round again

A round brings a pair into a state, and sends one side up to 60 packets: sealed under the peer's own keys with frames
that are allowed, doubtful or damaged; Initial packets opened, changed and sealed again; Retry and Version Negotiation;
copies, cuts, several in a datagram, from other addresses. Nothing may be raised, no timer may stay due, errors have a
type, nobody gets more than three times what it sent, and both sides come to an end.
"""

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

if __name__ in ("__main__", "__mp_main__"):  # as a script, whose neighbours are found only so
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    __package__ = "tests.simulated"

from qcore.admission import always_retry
from qcore.batch import Address, Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.errors import QuicError
from qcore.events import StreamReadable
from qcore.testing import Pair
from qwire.constants import VERSION_1, VERSION_2

from ..engine.crafting import confirmed_pair, early_pair, halfway_pair, resumed_pair
from ..engine.fuzzing import Fuzzer
from ..engine.sealed_junk import sealed_junk

MOST: Final = 60
BLOCK: Final = 20
# Turns of the clock in which a connection that was left alone has to end: its time-outs are some tens of seconds.
TURNS: Final = 2_000


def config(seed: int) -> QuicConfig:
    versions = (VERSION_1, VERSION_2) if seed % 3 else (VERSION_2, VERSION_1)
    return QuicConfig(versions=versions, stream_window=20_000, connection_window=30_000)


def confirmed(seed: int) -> Pair:
    return confirmed_pair(seed=seed, client_config=config(seed), server_config=config(seed + 1))


def retried(seed: int) -> Pair:
    return early_pair(seed=seed, admit=always_retry)


def transferring(seed: int) -> Pair:
    """Data is on its way in both directions, and some of it is lost."""
    pair = confirmed(seed)
    assert pair.server is not None
    for engine in (pair.client, pair.server):
        for bidirectional in (True, False):
            engine.send(engine.open_stream(bidirectional), bytes(50_000))
    pair.to_client.drop(3)
    pair.to_server.drop(2)
    pair.run_for(0.05)
    return pair


def moved(seed: int) -> Pair:
    """The client has another address, which is not proved yet."""
    pair = transferring(seed)
    pair.client_address = ("10.0.9.9", 50_009)
    pair.client.ping()
    pair.run_for(0.02)
    return pair


def updating(seed: int) -> Pair:
    """Both sides have changed their keys at the same time."""
    pair = confirmed(seed)
    assert pair.server is not None
    pair.client.update_keys()
    pair.server.update_keys()
    return pair


def closing(seed: int) -> Pair:
    """One side has closed, and the other may not have heard of it."""
    pair = transferring(seed)
    assert pair.server is not None
    (pair.client if seed % 2 else pair.server).close(7, "enough")
    if seed % 3:
        pair.flush()
    return pair


STATES: Final[dict[str, Callable[[int], Pair]]] = {
    "early": lambda seed: early_pair(seed=seed, client_config=config(seed)),
    "retried": retried,
    "halfway": lambda seed: halfway_pair(seed=seed, client_config=config(seed)),
    "resumed": lambda seed: resumed_pair(),
    "confirmed": confirmed,
    "transferring": transferring,
    "moved": moved,
    "updating": updating,
    "closing": closing,
}
PLACES: Final = [(state, side) for state in STATES for side in ("client", "server")]


class Round:
    """One pair, one victim, some junk.

    Attributes:
        state, side: where the pair is, and who is the victim.
        inputs: datagrams that it got.
    """

    def __init__(self, seed: int) -> None:
        self.state, self.side = PLACES[seed % len(PLACES)]
        self.fuzzer = Fuzzer(f"fuzz {seed}")
        self.inputs = 0
        # Connections of few seeds, since the junk is what matters.
        self.pair = STATES[self.state](seed % 97)
        assert self.pair.server is not None
        self.victim, self.peer = (
            (self.pair.client, self.pair.server)
            if self.side == "client"
            else (self.pair.server, self.pair.client)
        )
        self.home: Address = self.pair.server_address if self.side == "client" else self.pair.client_address
        self.recorded = [each.data for each in self._output(self.peer)]
        first = self.pair.client.parts.packer
        self.cids = (first.headers.source_cid, first.headers.destination_cid)

    def go(self) -> None:
        """Send the junk, and let both sides end.

        Raises:
            AssertionError: something does not hold.
        """
        for _ in range(1 + self.fuzzer.random.randrange(MOST)):
            self._give(self._datagrams())
            if self.victim.is_terminated:
                break
        for engine in (self.victim, self.peer):
            engine.close()
            self._output(engine)
        for _ in range(TURNS):
            if self.victim.is_terminated and self.peer.is_terminated:
                break
            self._let_time_pass()
        assert self.victim.is_terminated, "the victim does not end"
        assert self.peer.is_terminated, "its peer does not end"
        assert self.victim.error is None or isinstance(self.victim.error, QuicError)

    def _datagrams(self) -> list[bytes]:
        fuzzer, random = self.fuzzer, self.fuzzer.random
        draw = random.random()
        if draw < 0.05:
            data = fuzzer.junk()
        elif draw < 0.1:
            data = fuzzer.unprotected(*self.cids)
        elif draw < 0.2 and self.recorded:
            data = fuzzer.damage(random.choice(self.recorded))
        elif draw < 0.3 and self.recorded:
            data = fuzzer.resealed(random.choice(self.recorded), is_client=self.side == "server")
        elif draw < 0.35 and self.recorded:
            data = random.choice(self.recorded)
        else:
            data = sealed_junk(fuzzer, self.peer)
        datagrams = [data]
        if random.random() < 0.1:
            datagrams.append(data)
        if random.random() < 0.1:
            datagrams.append((data + sealed_junk(fuzzer, self.peer))[:1_500])
        return datagrams

    def _give(self, datagrams: list[bytes]) -> None:
        random = self.fuzzer.random
        address = self.home
        if random.random() < 0.05:
            address = (f"10.0.{random.randrange(4)}.1", 50_000 + random.randrange(4))
        self.inputs += len(datagrams)
        router = self.pair.client_router if self.side == "client" else self.pair.router
        now = self.pair.now
        if random.random() < 0.5:
            self.victim.receive([Datagram(data, address) for data in datagrams], now)
        else:
            router.receive([Datagram(data, address, random.randrange(4)) for data in datagrams], now)
        self._use(self.victim)
        self.pair.now += random.choice((0.0, 0.001, 0.03, 0.4))
        for engine in (self.victim, self.peer):
            self._keep_time(engine)

    def _use(self, engine: QuicEngine) -> None:
        """What an application does."""
        random = self.fuzzer.random
        for event in engine.events():
            if isinstance(event, StreamReadable):
                engine.read(event.stream_id, random.choice((-1, -1, 10)))
        if random.random() < 0.1 and not engine.is_closed:
            engine.ping()
            if engine.is_confirmed:
                engine.update_keys()
        batch = self._output(engine)
        if random.random() < 0.3:  # sometimes its peer hears of it
            back = self.home if engine is self.peer else self.pair.server_address
            self.peer.receive([Datagram(each.data, back) for each in batch], self.pair.now)
            self.recorded = [*self.recorded[-20:], *(each.data for each in self._output(self.peer))]

    def _output(self, engine: QuicEngine) -> list[Datagram]:
        batch = SendBatch()
        engine.transmit(self.pair.now, batch)
        for path in engine.parts.paths.paths():
            assert path.validated or engine.is_client or path.sent <= 3 * path.received, "amplification"
        return list(batch.datagrams())

    def _keep_time(self, engine: QuicEngine) -> None:
        now = self.pair.now
        if engine.next_timeout() <= now:
            engine.handle_timeout(now)
            self._output(engine)
            assert engine.next_timeout() > now, "a timer stays due"
        assert engine.stats().bytes_in_flight >= 0

    def _let_time_pass(self) -> None:
        self.pair.now = max(self.pair.now, min(self.victim.next_timeout(), self.peer.next_timeout()))
        for engine in (self.victim, self.peer):
            self._keep_time(engine)


def run(seed: int) -> Round:
    """One round.

    Raises:
        AssertionError: something does not hold; the message names the seed.
    """
    fuzz = Round(seed)
    try:
        fuzz.go()
    except Exception as error:
        error.add_note(f"seed {seed}, {fuzz.state}, {fuzz.side}, input {fuzz.inputs}")
        raise
    return fuzz


def run_block(seeds: range) -> tuple[Counter[str], list[str]]:
    """Inputs by state and side, and what failed."""
    inputs: Counter[str] = Counter()
    failures = []
    for seed in seeds:
        try:
            fuzz = run(seed)
        except Exception:  # noqa: BLE001 - whatever it is, it belongs to a seed
            failures.append(f"seed {seed}: {traceback.format_exc(limit=-3)}")
        else:
            inputs[f"{fuzz.state}, {fuzz.side}"] += fuzz.inputs
    return inputs, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--first", type=int, help="first seed; a different one each time unless given")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="replay this one alone")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        fuzz = run(arguments.seed)
        print(f"{fuzz.state}, {fuzz.side}: {fuzz.inputs} inputs, {fuzz.victim.error!r}")
        return 0
    first = time.time_ns() % 1_000_000_007 if arguments.first is None else arguments.first
    begin = time.monotonic()
    inputs: Counter[str] = Counter()
    failed = 0
    seed = first
    with ProcessPoolExecutor(arguments.jobs) as pool:
        while time.monotonic() - begin < arguments.seconds:
            blocks = [range(seed + BLOCK * job, seed + BLOCK * (job + 1)) for job in range(arguments.jobs)]
            seed = blocks[-1].stop
            for found, failures in pool.map(run_block, blocks):
                inputs += found
                failed += len(failures)
                for failure in failures:
                    print(failure, flush=True)
    seconds = time.monotonic() - begin
    for place, count in sorted(inputs.items()):
        print(f"{place}: {count}")
    total = inputs.total()
    print(f"seeds {first} to {seed - 1}, {total} inputs, {total / seconds:.0f}/s, {failed} failed")
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main())
