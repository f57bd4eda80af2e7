"""Connections over drawn networks: every byte arrives once and in order, or an error with a type says why not.

    python packages/qcore/tests/simulated/monte_carlo.py                 10,000 connections on all cores
    python packages/qcore/tests/simulated/monte_carlo.py --count 500 --first 2000 --jobs 1
    python packages/qcore/tests/simulated/monte_carlo.py --seed 4711     one of them again, in detail

Everything follows from the seed. The network: loss up to 30 %, reordering, duplication, corruption, an MTU, delays
that differ between the directions, a narrow link, black holes of up to 3 s, a NAT that changes the client's address.
Both sides: versions, windows and limits, congestion controllers, Retry, 0-RTT that is taken or refused. What they do:
few large streams or many small ones, resets and stops, datagrams, key updates, migration. Whatever does not complete is
printed with its seed.
"""

import argparse
import gc
import os
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

if __name__ in ("__main__", "__mp_main__"):  # as a script, whose neighbours are found only so
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    __package__ = "simulated"

from qcore.engine.engine import QuicEngine
from qcore.testing import Stalled

from .drawing import draw
from .drawn_run import COMPLETE, Result, Run

COUNT: Final = 10_000
BLOCK: Final = 25
BAR: Final = 40


def run(seed: int) -> Result:
    """One connection.

    Raises:
        AssertionError: it went as no connection may; the message names the seed.
    """
    try:
        return Run(draw(seed)).go()
    except (AssertionError, Stalled) as error:
        raise AssertionError(f"seed {seed}: {error}") from error


def run_block(seeds: range) -> list[tuple[int, Result | str]]:
    """Some connections, and whatever was wrong with each; nothing of them is in memory afterwards."""
    results: list[tuple[int, Result | str]] = []
    for seed in seeds:
        try:
            results.append((seed, run(seed)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to a seed
            results.append((seed, f"{error!r} at {traceback.extract_tb(error.__traceback__)[-1]}"))
    gc.collect()
    left = sum(isinstance(each, QuicEngine) for each in gc.get_objects())
    if left:
        results.append((seeds.start, f"{left} engines are left of seeds {seeds.start} to {seeds.stop - 1}"))
    return results


class Report:
    """Counts results, and shows how far it is."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.outcomes: Counter[str] = Counter()
        self.handshakes: list[float] = []
        self.datagrams = 0
        self.failures: list[int] = []
        self._begin = time.perf_counter()

    def add(self, seed: int, result: Result | str) -> None:
        self.done += 1
        if isinstance(result, str):
            self.failures.append(seed)
            self._say(f"FAILED seed {seed}: {result}")
            return
        self.outcomes[result.outcome] += 1
        self.handshakes.append(result.handshake)
        self.datagrams += result.datagrams
        if result.outcome != COMPLETE:
            self._say(f"seed {seed}: {result.outcome} after {result.duration:.1f} s")

    def show(self) -> None:
        """Draw the progress bar anew."""
        if sys.stderr.isatty():
            filled = BAR * self.done // self.total
            bar = "#" * filled + "-" * (BAR - filled)
            print(
                f"\r[{bar}] {self.done}/{self.total} {self._seconds:.0f} s",
                end="",
                file=sys.stderr,
                flush=True,
            )

    def finish(self) -> None:
        times = sorted(self.handshakes) or [0.0]
        shares = ", ".join(
            f"{share:.1%} {times[int((len(times) - 1) * share)]:.2f} s" for share in (0.5, 0.99, 0.999)
        )
        self._say(f"{dict(self.outcomes.most_common())}, {self.datagrams} datagrams, {self._seconds:.0f} s")
        self._say(f"handshakes: {shares}")
        self._say(f"failed: {self.failures}" if self.failures else "none failed")

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._begin

    def _say(self, text: str) -> None:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="replay this one alone")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        print(draw(arguments.seed))
        print(run(arguments.seed))
        return 0
    first, stop = arguments.first, arguments.first + arguments.count
    print(f"seeds {first} to {stop - 1}", flush=True)
    report = Report(arguments.count)
    blocks = [range(start, min(start + BLOCK, stop)) for start in range(first, stop, BLOCK)]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for results in pool.map(run_block, blocks):
            for seed, result in results:
                report.add(seed, result)
            report.show()
    report.finish()
    return bool(report.failures)


if __name__ == "__main__":
    raise SystemExit(main())
