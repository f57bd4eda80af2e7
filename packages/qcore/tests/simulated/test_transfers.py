"""1,000 seeded transfers over bad links: every byte arrives once and in order.

A failure prints its seed; `UQUIC_SEED=17` runs that one alone.
"""

import os

import pytest

from qcore.testing import LinkConfig, Pair, Seeded

BLOCK = 50
SEEDS = 1_000
BAD = LinkConfig(delay=0.02, loss=0.05, reorder=0.1, duplicate=0.05)


def transfer(seed: int) -> None:
    pair = Pair(to_server=BAD, to_client=BAD, seed=seed)
    upload, download = Seeded(f"up {seed}")(20_000), Seeded(f"down {seed}")(15_000)
    pair.run_until(lambda: pair.client.is_established)
    stream = pair.client.open_stream()
    pair.client.send(stream, upload, True)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    assert pair.server is not None
    pair.server.send(stream, download, True)
    pair.run_until(lambda: ("client", stream) in pair.finished)

    assert upload == pair.received["server", stream], f"seed {seed}"
    assert download == pair.received["client", stream], f"seed {seed}"
    pair.client.close()
    pair.run_until(
        lambda: pair.server is not None and pair.server.is_terminated and pair.client.is_terminated
    )


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_seeded_transfers_end_with_identical_bytes(first: int) -> None:
    only = os.environ.get("UQUIC_SEED")
    for seed in range(first, first + BLOCK):
        if only is None or int(only) == seed:
            transfer(seed)
