"""What a seed of `monte_carlo` stands for: a network, how both sides are set, and what they do."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from qcore.batch import Address
from qcore.config import QuicConfig
from qcore.congestion import NAMES
from qcore.testing import LinkConfig, Seeded
from qcore.testing.pair import START
from qwire.constants import VERSION_1, VERSION_2

IDLE: Final = 30.0
HANDSHAKE: Final = 20.0
VERSIONS: Final = ((VERSION_1, VERSION_2), (VERSION_2, VERSION_1), (VERSION_1,))


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """A stream with data in one direction.

    Attributes:
        fate: it arrives "whole", its sender resets it after a `patience` in seconds, or its receiver has it stopped.
    """

    size: int
    fate: Literal["whole", "reset", "stopped"] = "whole"
    patience: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a seed stands for.

    Attributes:
        retries: the server has every client prove its address.
        resumes: the client has a ticket, and sends its first streams in 0-RTT packets.
        takes_early: the server takes 0-RTT.
        uploads, downloads: streams of the client, each of which the server answers, and of the server.
        datagrams: how many each side sends, the client first.
        rebindings: when a NAT gives the client which address.
        forgets: the NAT drops what still goes to an address before.
        moves_at: when the client goes over to another socket, if it does; it probes the path before if `probes`.
        key_updates: when which side changes its keys.
    """

    seed: int
    to_server: LinkConfig
    to_client: LinkConfig
    client: QuicConfig
    server: QuicConfig
    retries: bool
    resumes: bool
    takes_early: bool
    uploads: tuple[Transfer, ...]
    downloads: tuple[Transfer, ...]
    datagrams: tuple[int, int]
    rebindings: tuple[tuple[float, Address], ...]
    forgets: bool
    moves_at: float | None
    probes: bool
    key_updates: tuple[tuple[float, bool], ...]

    @property
    def is_stable(self) -> bool:
        """The client keeps its address."""
        return not self.rebindings and self.moves_at is None


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    chance = Seeded(f"plan {seed}")
    holes = _draw_holes(chance)
    rebindings = _draw_rebindings(chance)
    return Plan(
        seed=seed,
        to_server=_draw_link(chance, holes),
        to_client=_draw_link(chance, holes if chance.below(2) else ()),
        client=_draw_config(chance, VERSIONS[chance.below(3)], keep_alive=5.0 if rebindings else None),
        server=_draw_config(chance, VERSIONS[chance.below(2)], keep_alive=None),
        retries=chance.below(5) == 0,
        resumes=chance.below(5) == 0,
        takes_early=chance.below(4) > 0,
        uploads=_draw_transfers(chance, 1),
        downloads=_draw_transfers(chance, 0),
        datagrams=(_draw_count(chance, 20), _draw_count(chance, 20)),
        rebindings=rebindings,
        forgets=bool(chance.below(2)),
        moves_at=START + chance.between(0.1, 3.0) if chance.below(8) == 0 else None,
        probes=bool(chance.below(2)),
        key_updates=tuple(
            sorted((START + chance.between(0.1, 2.0), bool(chance.below(2))) for _ in range(chance.below(4)))
        ),
    )


def _draw_holes(chance: Seeded) -> tuple[tuple[float, float], ...]:
    """Sometimes nothing gets through for up to 3 s."""
    if chance.below(4):
        return ()
    begin = START + chance.between(0.0, 2.0)
    return ((begin, begin + chance.between(0.1, 3.0)),)


def _draw_rebindings(chance: Seeded) -> tuple[tuple[float, Address], ...]:
    if chance.below(3):
        return ()
    rebindings: list[tuple[float, Address]] = []
    at = START
    for index in range(1 + chance.below(3)):
        at += chance.between(0.05, 2.0)
        host = "10.0.0.1" if chance.below(2) else f"10.0.1.{index + 1}"
        rebindings.append((at, (host, 50_001 + index)))
    return tuple(rebindings)


def _draw_count(chance: Seeded, most: int) -> int:
    return 1 + chance.below(most) if chance.below(3) == 0 else 0


def _draw_transfers(chance: Seeded, least: int) -> tuple[Transfer, ...]:
    """A few large streams, or many small ones."""
    if chance.below(8) == 0:
        return tuple(_draw_transfer(chance, 500) for _ in range(20 + chance.below(60)))
    return tuple(_draw_transfer(chance, 20_000) for _ in range(least + chance.below(3)))


def _draw_transfer(chance: Seeded, most: int) -> Transfer:
    size = 1 + chance.below(most)
    turn = chance.below(12)
    if turn == 0:
        return Transfer(size=size, fate="reset", patience=chance.between(0.0, 0.5))
    return Transfer(size=size, fate="stopped" if turn == 1 else "whole")


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


def _draw_config(chance: Seeded, versions: tuple[int, ...], *, keep_alive: float | None) -> QuicConfig:
    window = 2_000 + chance.below(100_000)
    return QuicConfig(
        versions=versions,
        idle_timeout=IDLE,
        handshake_timeout=HANDSHAKE,
        keep_alive=keep_alive,
        stream_window=window,
        connection_window=window + chance.below(100_000),
        max_bidi=1 + chance.below(100),
        max_uni=1 + chance.below(100),
        send_buffer=1 << 20,
        congestion=NAMES[chance.below(len(NAMES))],
        ecn=bool(chance.below(4)),
        pmtud=bool(chance.below(4)),
        max_ack_delay=0.025,
        grease=bool(chance.below(2)),
    )
