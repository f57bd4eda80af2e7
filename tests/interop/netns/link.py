"""A link between two network namespaces: two TUN devices, joined by the seeded links of `qcore.testing`, in real time.

    python -m tests.interop.netns.link CLIENT SERVER '{"delay": 0.015, "loss": 0.02}'

Prints "ready", runs until it is terminated, and then prints what has passed, one JSON object per UDP packet.
"""

import ctypes
import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from qcore.batch import Datagram
from qcore.testing import Link, LinkConfig, Seeded
from qcore.testing.interop import LINK

from .packets import Endpoint, parse_udp, with_byte, with_source, with_target

CLIENT_HOSTS = ("10.78.0.1", "fd78::1")
SERVER_HOSTS = ("10.78.0.2", "fd78::2")
DEVICE = "link0"
MTU = 1_500

# <linux/if_tun.h>, <sched.h>.
TUNSETIFF = 0x400454CA
IFF_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
CLONE_NEWNET = 0x40000000
# Bytes of a short header in the record of a packet; where there are long ones, all is kept.
SHOWN = 32
# The runner damages a byte within the first 50, of three packets in a row at most.
DAMAGED_WITHIN = 50
LONGEST_RUN = 3


@dataclass(frozen=True)
class Conditions:
    """What the link does to packets, as the runner's scenarios.

    Attributes:
        loss, damage: share of the packets, in both directions.
        holes: seconds on and off, in turn; none if empty.
        lost_early: the numbers of the client's packets that are lost.
        rebindings: seconds at which the client is seen at another port, and at another address if `changes_host`.
    """

    delay: float = LINK.delay
    rate: float = 1_250_000.0
    loss: float = 0.0
    damage: float = 0.0
    holes: tuple[float, float] | tuple[()] = ()
    lost_early: tuple[int, ...] = ()
    rebindings: tuple[float, ...] = ()
    changes_host: bool = False
    seed: int = 1

    def link(self, start: float) -> LinkConfig:
        holes: list[tuple[float, float]] = []
        if self.holes:
            on, off = self.holes
            holes = [
                (start + on + index * (on + off), start + (index + 1) * (on + off)) for index in range(60)
            ]
        return replace(
            LINK,
            delay=self.delay,
            rate=self.rate,
            loss=self.loss,
            max_loss_run=LONGEST_RUN,
            black_holes=tuple(holes),
        )


@dataclass
class Passed:
    """A UDP packet that came onto the link, whether or not it got off at the other end."""

    time: float
    to_server: bool
    source: Endpoint
    target: Endpoint
    ecn: int
    size: int
    start: str = field(repr=False)


class Translator:
    """Shows the client to the server at other ports and addresses, as NAT does."""

    def __init__(self, conditions: Conditions, start: float) -> None:
        self._times = [start + after for after in conditions.rebindings]
        self._changes_host = conditions.changes_host
        self._inside: dict[Endpoint, Endpoint] = {}
        self._step = 0

    def outward(self, packet: bytes, now: float) -> bytes:
        found = parse_udp(packet)
        if found is None or not self._times or ":" in found.source.host:
            return packet
        step = sum(now >= at for at in self._times)
        if step != self._step:
            self._step = step
            self._inside.clear()
        if not step:
            return packet
        host = f"10.78.0.{100 + step}" if self._changes_host else found.source.host
        seen = Endpoint(host, 20_000 + (found.source.port + step) % 40_000)
        self._inside[seen] = found.source
        return with_source(packet, seen)

    def inward(self, packet: bytes) -> bytes | None:
        found = parse_udp(packet)
        if found is None or not self._step or ":" in found.target.host:
            return packet
        inside = self._inside.get(found.target)
        return None if inside is None else with_target(packet, inside)


def damaging(share: float, seed: str) -> Callable[[Datagram], bool]:
    """A filter that changes a byte near the start of a UDP payload; Version Negotiation is left as it is."""
    chance = Seeded(seed)
    run = 0

    def pass_on(datagram: Datagram) -> bool:
        nonlocal run
        found = parse_udp(datagram.data)
        if found is None or not found.payload or found.payload[0] & 0x80 and found.payload[1:5] == bytes(4):
            return True
        if run >= LONGEST_RUN or chance.uniform() >= share:
            run = 0
            return True
        run += 1
        at = found.payload_at + chance.below(min(DAMAGED_WITHIN, len(found.payload)))
        datagram.data = with_byte(datagram.data, at, datagram.data[at] ^ (1 + chance.below(255)))
        return True

    return pass_on


def open_device(namespace: str) -> int:
    """A TUN device in another namespace; this process stays where it is."""
    library = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if library.setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")
    try:
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN_WITHOUT_HEADER))
    finally:
        library.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)
    return device


def configure(namespace: str, hosts: tuple[str, str]) -> None:
    for command in (
        f"addr add {hosts[0]}/24 dev {DEVICE}",
        f"-6 addr add {hosts[1]}/64 dev {DEVICE} nodad",
        f"link set {DEVICE} up mtu {MTU}",
    ):
        subprocess.run(["ip", "-n", namespace, *command.split()], check=True)


class Carrier:
    """Carries packets between two devices until it is told to stop."""

    def __init__(self, conditions: Conditions, client: int, server: int) -> None:
        self.passed: list[Passed] = []
        self.is_stopped = False
        start = time.monotonic()
        self._start = start
        self._devices = {client: server, server: client}
        self._client = client
        self._translator = Translator(conditions, start)
        config = conditions.link(start)
        self._links = {
            client: Link(config, f"{conditions.seed} to server"),
            server: Link(config, f"{conditions.seed} to client"),
        }
        if conditions.damage:
            for device, link in self._links.items():
                link.filter(damaging(conditions.damage, f"{conditions.seed} {device == client}"))
        count = 0

        def keep(datagram: Datagram) -> bool:
            nonlocal count
            count += parse_udp(datagram.data) is not None
            return count not in conditions.lost_early

        if conditions.lost_early:
            self._links[client].filter(keep)

    def run(self) -> None:
        poll = select.epoll()
        for device in self._devices:
            poll.register(device, select.EPOLLIN)
        while not self.is_stopped:
            now = time.monotonic()
            due = min(link.next_delivery() for link in self._links.values())
            for device, _ in poll.poll(min(0.2, max(0.0, due - now))):
                self._read(device)
            now = time.monotonic()
            for device, link in self._links.items():
                for datagram in link.deliver(now):
                    self._write(self._devices[device], datagram.data)

    def _read(self, device: int) -> None:
        for _ in range(64):
            try:
                packet = os.read(device, 65_536)
            except BlockingIOError:
                return
            now = time.monotonic()
            to_server = device == self._client
            translated = self._translator.outward(packet, now) if to_server else packet
            found = parse_udp(translated)
            if found is not None:
                is_long = bool(found.payload and found.payload[0] & 0x80)
                start = (found.payload if is_long else found.payload[:SHOWN]).hex()
                self.passed.append(
                    Passed(
                        now - self._start, to_server, found.source, found.target, found.ecn,
                        len(found.payload), start,
                    )
                )  # fmt: skip
            self._links[device].send(Datagram(translated, ("", 0)), now)

    def _write(self, device: int, packet: bytes) -> None:
        translated = self._translator.inward(packet) if device == self._client else packet
        if translated is not None:
            os.write(device, translated)


def main(client_namespace: str, server_namespace: str, text: str) -> None:
    fields: dict[str, Any] = json.loads(text)
    for name, value in fields.items():
        fields[name] = tuple(value) if isinstance(value, list) else value
    conditions = Conditions(**fields)
    client, server = open_device(client_namespace), open_device(server_namespace)
    configure(client_namespace, CLIENT_HOSTS)
    configure(server_namespace, SERVER_HOSTS)
    carrier = Carrier(conditions, client, server)
    signal.signal(signal.SIGTERM, lambda *_: setattr(carrier, "is_stopped", True))
    print("ready", flush=True)
    carrier.run()
    for passed in carrier.passed:
        print(json.dumps(asdict(passed)))


if __name__ == "__main__":
    main(*sys.argv[1:])
