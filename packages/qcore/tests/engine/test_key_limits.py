"""Connections under ciphers that wear out quickly. RFC 9001 §6.6."""

import pytest

from qcore.errors import TransportError
from qcore.key_phases import RESERVE, UPDATE_MARGIN, KeyPhases
from qcore.spaces import APPLICATION
from qcore.testing import LinkConfig, Pair
from qtls.constants import AES_128_GCM_SHA256
from qtls.packet_keys import PacketKeys, SuiteParameters, labels_of
from qtls.protection import Opener, Sealer
from qwire.constants import AEAD_LIMIT_REACHED, VERSION_1, PacketType
from qwire.frames import PingFrame

from .crafting import Cheat, confirmed_pair, craft


def wear_out(pair: Pair, *, confidentiality: int = 1 << 23, integrity: int = 1 << 52) -> None:
    """Give both sides keys with other limits."""
    parameters = SuiteParameters(AES_128_GCM_SHA256, "sha256", 32, 16, True, confidentiality, integrity)
    up, down = (PacketKeys(parameters, secret * 32, labels_of(VERSION_1)) for secret in (b"u", b"d"))
    assert pair.server is not None
    pair.client.parts.spaces[APPLICATION].phases = KeyPhases(Sealer(up), Opener(down))
    pair.server.parts.spaces[APPLICATION].phases = KeyPhases(Sealer(down), Opener(up))


def generations(pair: Pair) -> tuple[int, int]:
    assert pair.server is not None
    one, other = (engine.parts.spaces[APPLICATION].phases for engine in (pair.client, pair.server))
    assert one is not None
    assert other is not None
    return one.generation, other.generation


def test_keys_are_updated_before_they_wear_out() -> None:
    pair = confirmed_pair()
    wear_out(pair, confidentiality=UPDATE_MARGIN + 100)
    for _ in range(3):
        stream = pair.client.open_stream()
        pair.client.send(stream, bytes(500_000), True)
        pair.run_until(lambda: ("server", stream) in pair.finished)  # noqa: B023 - called at once
        pair.run_for(1.0)
    one, other = generations(pair)

    assert one >= 3
    assert abs(one - other) <= 1
    assert not pair.client.is_closed


@pytest.mark.parametrize("seed", range(5))
def test_updates_survive_loss_and_reordering(seed: int) -> None:
    link = LinkConfig(loss=0.05, reorder=0.2, duplicate=0.05)
    pair = confirmed_pair(to_server=link, to_client=link, seed=seed)
    wear_out(pair, confidentiality=UPDATE_MARGIN + 40)
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(500_000), True)
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert min(generations(pair)) >= 1
    assert not pair.client.is_closed


def test_connection_ends_when_keys_cannot_be_updated() -> None:
    pair = confirmed_pair()
    limit = RESERVE + 5
    wear_out(pair, confidentiality=limit)
    pair.to_server.filter(lambda datagram: False)  # nothing is acknowledged, so no update is possible
    before = len(pair.client_trace.sent)
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(100_000), True)
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, TransportError)
    assert AEAD_LIMIT_REACHED == pair.client.error.code
    assert len(pair.client_trace.sent) - before <= limit


def test_forgeries_end_the_connection() -> None:
    pair = confirmed_pair()
    wear_out(pair, integrity=10)
    cheat = Cheat(pair, "client")
    good = craft(cheat.engine, PacketType.ONE_RTT, PingFrame(), full=True)
    for number in range(9):
        cheat.deliver(good[:-1] + bytes((good[-1] ^ (number + 1),)))
    assert cheat.code is None
    cheat.deliver(good[:-1] + b"\0" if good[-1] else good[:-1] + b"\1")

    assert AEAD_LIMIT_REACHED == cheat.code
