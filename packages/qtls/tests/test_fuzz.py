"""The fuzz targets without a fuzzer: kept inputs, seeds, and seeded variations of both.

Nothing but ``LocalAlert``, ``PeerAlert`` and ``DecodeError`` may leave qtls; the targets let everything else through.
"""

from __future__ import annotations

import importlib
import random as seeded
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "fuzz"
NAMES = ("parsers", "client", "server")
VARIATIONS = {"parsers": 3000, "client": 250, "server": 250}


@pytest.fixture(scope="module")
def targets() -> Any:
    """The module, which is not part of the package."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("targets")
    finally:
        sys.path.remove(str(FOLDER))


@pytest.mark.parametrize("name", NAMES)
def test_kept_inputs(targets: Any, name: str) -> None:
    kept = sorted((FOLDER / "corpus" / name).glob("*"))
    assert kept
    for path in kept:
        targets.TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_variations(targets: Any, name: str, seed: int) -> None:
    random = seeded.Random(seed)
    inputs = targets.seeds(name)
    for data in inputs:
        targets.TARGETS[name](data)
    for _ in range(VARIATIONS[name]):
        data = bytearray(random.choice(inputs))
        if name == "parsers":
            for _ in range(random.randint(1, 4)):
                data[random.randrange(len(data))] = random.randrange(256)
            del data[random.randint(2, 2 * len(data)) :]
        else:
            data = data[:1] + bytes((random.choice((0, 0, 1, 5)),)) + random.randbytes(random.randint(1, 20))
        targets.TARGETS[name](bytes(data))


def test_unedited_recordings_reach_the_end(targets: Any) -> None:
    """Else the handshake targets would fuzz nothing but the beginning."""
    ends = []
    for scenario in targets.scenarios():
        client, server = scenario.client(), scenario.server()
        client.start()
        for handshake, sender in ((server, "client"), (client, "server")):
            try:
                for level, raw in scenario.sent[sender]:
                    handshake.receive(level, raw)
            except targets.EXPECTED:
                break
        ends.append((server.state.value, client.state.value))

    # One is rejected on purpose: outdated keys of ECH.
    assert len(ends) - 1 == ends.count(("connected", "connected"))
