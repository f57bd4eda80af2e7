"""Handshakes between two routers without sockets: µs of CPU and function calls on each side, and the floor.

    python packages/qcore/bench/bench_handshake.py [COUNT]

X25519 and a P-256 leaf that the client verifies; then the same resumed. What follows a handshake counts, until both
sides have nothing to say at once: connection IDs, a token, the probe of the path's MTU. The floor is what the primitives
of `cryptography` cost that a full handshake cannot do without.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qcore.batch import Address, Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.router import Router
from qtls import ClientTLS, MemorySessionStore, ServerTLS
from qtls.adapters.self_signed import Authority
from qtls.constants import X25519
from qtls.mac import mac

NAME: Final = "server.test"
CLIENT: Final[Address] = ("127.0.0.1", 50_000)
SERVER: Final[Address] = ("127.0.0.1", 443)
ONE_WAY: Final = 0.0005
WARM_UP: Final = 20
MOST_TURNS: Final = 30
# What one side of a full handshake needs at least.
PACKETS: Final = 8
HMACS: Final = 35
CIPHERS: Final = 6

Result = TypeVar("Result")
Clock = Callable[[], float]


class Calls:
    """A clock that counts calls of Python functions; compiled ones are none."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> float:
        return self.count

    def note(self, frame: FrameType, event: str, arg: object) -> None:
        self.count += event == "call"


class Bench:
    """The two ends of a path, and what a clock has measured on each."""

    def __init__(self, client: ClientTLS, server: ServerTLS, clock: Clock) -> None:
        self.tls = client
        self.config = QuicConfig()
        self.clock = clock
        self.now = 1_000.0
        self.offset = time.time() - self.now
        self.spent = {"client": 0.0, "server": 0.0}
        self.dialling = Router(wall_offset=self.offset)
        self.serving = Router(wall_offset=self.offset)
        self.serving.listen(tls=server, config=self.config)

    def handshake(self) -> dict[str, float]:
        """One connection, until both sides are quiet; what was spent on it."""
        self.spent = dict.fromkeys(self.spent, 0.0)
        client = self._on("client", self._dial)
        server: QuicEngine | None = None
        for _ in range(MOST_TURNS):
            sent = self._on("client", partial(self._speak, client, CLIENT))
            if sent:
                server = self._on("server", partial(self._hear, self.serving, sent))
            answer = self._on("server", partial(self._speak, server, SERVER)) if server is not None else []
            if answer:
                self._on("client", partial(self._hear, self.dialling, answer))
            if not sent and not answer:
                break
        assert server is not None and client.is_confirmed and server.is_confirmed
        spent = dict(self.spent)
        self._rest(client, server)
        return spent

    def _on(self, side: str, step: Callable[[], Result]) -> Result:
        begun = self.clock()
        result = step()
        self.spent[side] += self.clock() - begun
        return result

    def _dial(self) -> QuicEngine:
        return self.dialling.connect(
            SERVER,
            tls=self.tls,
            config=self.config,
            server_name=NAME,
            now=self.now,
            wall_clock=self.now + self.offset,
        )

    def _hear(self, router: Router, datagrams: list[Datagram]) -> QuicEngine:
        self.now += ONE_WAY
        (engine,) = router.receive(datagrams, self.now)
        engine.events()
        router.accepted()
        return engine

    def _speak(self, engine: QuicEngine, address: Address) -> list[Datagram]:
        batch = SendBatch()
        engine.transmit(self.now, batch)
        engine.events()
        engine.next_timeout()
        return [Datagram(each.data, address) for each in batch.datagrams()]

    def _rest(self, client: QuicEngine, server: QuicEngine) -> None:
        """Tickets, which wait for the application to speak first, and the end."""
        self.now += 0.1
        server.handle_timeout(self.now)
        tickets = self._speak(server, SERVER)
        if tickets:
            self._hear(self.dialling, tickets)
        self.dialling.forget(client)
        self.serving.forget(server)


def report(name: str, client: ClientTLS, server: ServerTLS, count: int) -> None:
    """Print the median of µs and the calls of both sides."""
    bench = Bench(client, server, time.thread_time)
    for _ in range(WARM_UP):
        bench.handshake()
    gc.collect()
    samples = [bench.handshake() for _ in range(count)]
    calls = Calls()
    bench.clock = calls
    sys.setprofile(calls.note)
    counted = bench.handshake()
    sys.setprofile(None)
    for side in ("client", "server"):
        found = sorted(sample[side] * 1e6 for sample in samples)
        print(
            f"{name:8} {side} {statistics.median(found):8.0f} µs, tenth {found[len(found) // 10]:6.0f} µs, "
            f"{counted[side]:6.0f} calls"
        )


def floor() -> dict[str, float]:
    """µs of the primitives of a full handshake, by side."""
    own, peer = X25519PrivateKey.generate(), X25519PrivateKey.generate().public_key()
    signing = ec.generate_private_key(ec.SECP256R1())
    public = signing.public_key()
    algorithm = ec.ECDSA(hashes.SHA256())
    signature = signing.sign(bytes(100), algorithm)
    cipher = AESGCM(bytes(16))
    sealed = cipher.encrypt(bytes(12), bytes(800), bytes(20))
    exchange = _time(lambda: X25519PrivateKey.generate().public_key().public_bytes_raw())
    exchange += _time(lambda: own.exchange(peer))
    exchange += HMACS * _time(lambda: mac("sha256", bytes(32), bytes(50)))
    exchange += CIPHERS * _time(lambda: AESGCM(bytes(16)))
    exchange += CIPHERS * _time(lambda: Cipher(algorithms.AES(bytes(16)), modes.ECB()).encryptor())
    exchange += PACKETS / 2 * _time(lambda: cipher.encrypt(bytes(12), bytes(800), bytes(20)))
    exchange += PACKETS / 2 * _time(lambda: cipher.decrypt(bytes(12), sealed, bytes(20)))
    return {
        "client": exchange + _time(lambda: public.verify(signature, bytes(100), algorithm)),
        "server": exchange + _time(lambda: signing.sign(bytes(100), algorithm)),
    }


def _time(run: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(50):
        begun = time.perf_counter()
        for _ in range(10):
            run()
        best = min(best, (time.perf_counter() - begun) / 10)
    return best * 1e6


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    authority = Authority()
    server = ServerTLS(certs=authority.issue([NAME]), alpn=("h3",), groups=(X25519,))
    client = ClientTLS(alpn=("h3",), ca=authority.pem, groups=(X25519,))
    report("full", client, server, count)
    resuming = ClientTLS(alpn=("h3",), ca=authority.pem, groups=(X25519,), sessions=MemorySessionStore())
    report("resumed", resuming, server, count)
    for side, least in floor().items():
        print(f"floor    {side} {least:8.0f} µs")


if __name__ == "__main__":
    main()
