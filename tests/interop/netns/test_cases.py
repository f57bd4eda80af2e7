"""The quic-interop-runner's cases between processes in network namespaces, over a link in real time.

Needs root and Linux. A few run wherever they can; with NETNS=all in the environment all of them do, which takes four
minutes on a machine that is not busy; on one that is, the link itself may be too slow for `test_goodput`. The same cases
run in virtual time elsewhere: what is added here are sockets, ECN on the wire, IPv6, and TCP on the same link.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from qcore.batch import Datagram
from qcore.testing.interop import Sent
from qtls.adapters.long_chain import make_long_chain
from qtls.adapters.self_signed import MadeCertificate, make_certificate
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.headers import LongHeader

from ..servers import clean_environment
from .link import SERVER_HOSTS, Conditions

pytestmark = pytest.mark.netns

ROOT = Path(__file__).parents[3]
# Others may run these tests at the same time.
CLIENT, SERVER = f"quic-client-{os.getpid()}", f"quic-server-{os.getpid()}"
PORT = 443
KIB, MIB = 1 << 10, 1 << 20
NAMES = ["server", *SERVER_HOSTS]
LIMIT = 60.0
IS_COMPLETE = os.environ.get("NETNS") == "all"
SLOW = pytest.mark.skipif(not IS_COMPLETE, reason="takes long; NETNS=all runs it")


@dataclass(frozen=True)
class Packet:
    """A UDP packet that was put on the link."""

    time: float
    to_server: bool
    source: tuple[str, int]
    target: tuple[str, int]
    ecn: int
    size: int
    start: bytes

    @property
    def headers(self) -> list[LongHeader]:
        """The long headers of its packets."""
        return self._sent.headers

    @property
    def kind(self) -> PacketType | None:
        """The type of its first QUIC packet; None for short headers."""
        return self._sent.kind

    @property
    def _sent(self) -> Sent:
        return Sent(self.time, Datagram(self.start, self.source, self.ecn))

    def has(self, kind: PacketType) -> bool:
        return any(header.packet_type is kind for header in self.headers)


def run_ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)


@pytest.fixture(scope="module")
def namespaces() -> Iterator[None]:
    """A namespace for each side."""
    if sys.platform != "linux" or os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        pytest.skip("network namespaces need Linux, root and TUN devices")
    try:
        for name in (CLIENT, SERVER):
            run_ip("netns", "del", name, check=False)
            run_ip("netns", "add", name)
            run_ip("-n", name, "link", "set", "lo", "up")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here: {error}")
    yield
    for name in (CLIENT, SERVER):
        run_ip("netns", "del", name, check=False)


@pytest.fixture(scope="module")
def made() -> MadeCertificate:
    return make_certificate(NAMES)


@contextmanager
def started(
    command: list[str], ready: str, *, namespace: str | None = None, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that says when it is ready, and ends when told to."""
    prefix = ["ip", "netns", "exec", namespace] if namespace else []
    process = subprocess.Popen(
        [*prefix, *command],
        cwd=ROOT,
        env=environment or clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith(ready), f"{line!r}"
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


class Rig:
    """One case: files, a link, a server, a client.

    Attributes:
        passed: what came onto the link.
        took: seconds that the client needed.
    """

    def __init__(self, folder: Path, made: MadeCertificate) -> None:
        self.passed: list[Packet] = []
        self.took = 0.0
        self._www, self._downloads, self._certificates = (
            folder / name for name in ("www", "downloads", "certs")
        )
        for each in (self._www, self._downloads, self._certificates):
            each.mkdir()
        (self._certificates / "ca.pem").write_bytes(made.ca_pem)
        (self._certificates / "cert.pem").write_bytes(made.chain.certificate_pem())
        (self._certificates / "priv.key").write_bytes(made.chain.key_pem())

    def run(
        self,
        sizes: list[int],
        *,
        client: str = "transfer",
        server: str = "transfer",
        conditions: Conditions = Conditions(),  # noqa: B008 - frozen
        host: str = SERVER_HOSTS[0],
        limit: float = LIMIT,
        beside: list[str] | None = None,
    ) -> None:
        """Download files of these sizes; `beside` is a command for both namespaces that makes other traffic."""
        names = [f"{index:06d}" for index in range(len(sizes))]
        for name, size in zip(names, sizes, strict=True):
            (self._www / name).write_bytes(random.Random(name).randbytes(size))
        shown = f"[{host}]" if ":" in host else host
        environment = {
            **clean_environment(),
            "CERTS": str(self._certificates),
            "WWW": str(self._www),
            "DOWNLOADS": str(self._downloads),
            "PORT": str(PORT),
            "PREFERRED": host,
            "REQUESTS": " ".join(f"https://{shown}:{PORT}/{name}" for name in names),
        }
        endpoint = [sys.executable, "-m", "tests.interop.endpoint.run"]
        link = [
            sys.executable,
            "-m",
            "tests.interop.netns.link",
            CLIENT,
            SERVER,
            json.dumps(asdict(conditions)),
        ]
        with ExitStack() as stack:
            carrier = stack.enter_context(started(link, "ready"))
            stack.enter_context(
                started(
                    endpoint,
                    "serving",
                    namespace=SERVER,
                    environment={**environment, "ROLE": "server", "TESTCASE": server},
                )
            )
            if beside is not None:
                stack.enter_context(started([*beside, "send"], "ready", namespace=SERVER))
                stack.enter_context(started([*beside, "take"], "ready", namespace=CLIENT))
            begin = time.monotonic()
            done = subprocess.run(
                ["ip", "netns", "exec", CLIENT, *endpoint],
                cwd=ROOT,
                env={**environment, "ROLE": "client", "TESTCASE": client},
                timeout=limit,
                check=False,
                capture_output=True,
                text=True,
            )
            self.took = time.monotonic() - begin
            carrier.send_signal(signal.SIGTERM)
            assert carrier.stdout is not None
            self.passed = [_packet(json.loads(line)) for line in carrier.stdout]
        assert 0 == done.returncode, done.stderr
        for name in names:
            assert (self._www / name).read_bytes() == (self._downloads / name).read_bytes()

    def handshakes(self) -> int:
        return len({each.headers[0].source_cid for each in self.answers(PacketType.INITIAL)})

    def answers(self, kind: PacketType | None) -> list[Packet]:
        return [each for each in self.passed if not each.to_server and each.kind is kind]


def _packet(fields: dict[str, Any]) -> Packet:
    fields["start"] = bytes.fromhex(fields["start"])
    return Packet(**{**fields, "source": tuple(fields["source"]), "target": tuple(fields["target"])})


@pytest.fixture
def rig(namespaces: None, tmp_path: Path, made: MadeCertificate) -> Rig:
    return Rig(tmp_path, made)


@SLOW
def test_handshake(rig: Rig) -> None:
    rig.run([KIB], client="handshake", server="handshake")

    assert 1 == rig.handshakes()
    assert not rig.answers(PacketType.RETRY)


@SLOW
def test_transfer(rig: Rig) -> None:
    rig.run([2 * MIB, 3 * MIB, 5 * MIB])

    assert 1 == rig.handshakes()


@SLOW
def test_longrtt(rig: Rig) -> None:
    rig.run([KIB], client="handshake", server="handshake", conditions=Conditions(delay=0.75))

    initials = [each for each in rig.passed if each.to_server and each.kind is PacketType.INITIAL]
    assert 1 == rig.handshakes()
    assert 2 <= len(initials)


@SLOW
def test_chacha20(rig: Rig) -> None:
    rig.run([3 * MIB], client="chacha20", server="chacha20")

    assert 1 == rig.handshakes()


@SLOW
def test_multiplexing(rig: Rig) -> None:
    rig.run([32] * 1_999)

    assert 1 == rig.handshakes()


@SLOW
def test_retry(rig: Rig) -> None:
    rig.run([10 * KIB], client="retry", server="retry")

    assert rig.answers(PacketType.RETRY)
    initials = [each for each in rig.passed if each.to_server and each.kind is PacketType.INITIAL]
    assert any(each.headers[0].token for each in initials)


@SLOW
@pytest.mark.parametrize("name", ["resumption", "zerortt"])
def test_resumption(rig: Rig, name: str) -> None:
    rig.run([5 * KIB, *[10 * KIB] * 4], client=name, server=name)

    assert 2 == rig.handshakes()
    early = [each for each in rig.passed if each.to_server and each.has(PacketType.ZERO_RTT)]
    assert (name == "zerortt") == bool(early)


@SLOW
def test_http3(rig: Rig) -> None:
    rig.run([5 * KIB, 10 * KIB, 500 * KIB], client="http3", server="http3")

    assert 1 == rig.handshakes()


@SLOW
def test_blackhole(rig: Rig) -> None:
    rig.run([10 * MIB], conditions=Conditions(holes=(5.0, 2.0)))

    assert 1 == rig.handshakes()


@SLOW
def test_keyupdate(rig: Rig) -> None:
    rig.run([3 * MIB], client="keyupdate")

    assert 1 == rig.handshakes()


def test_ecn(rig: Rig) -> None:
    rig.run([100 * KIB], client="ecn", server="ecn")

    assert {2} == {each.ecn for each in rig.passed}, "ECT(0) on all packets of both sides"


@SLOW
def test_amplificationlimit(namespaces: None, tmp_path: Path) -> None:
    rig = Rig(tmp_path, make_long_chain(NAMES))
    rig.run([5 * KIB], conditions=Conditions(lost_early=(2, 3, 4, 5, 6, 7)))

    validated = min(each.time for each in rig.passed if each.to_server and each.has(PacketType.HANDSHAKE))
    asked = [each for each in rig.passed if each.to_server]
    received = [asked[0], *asked[7:]]
    sent = 0
    for packet in rig.passed:
        if not packet.to_server and packet.time < validated:
            sent += packet.size
            assert sent <= 3 * sum(each.size for each in received if each.time < packet.time)
    assert 7_500 <= sent


@SLOW
def test_handshakeloss(rig: Rig) -> None:
    rig.run([KIB] * 50, client="multiconnect", conditions=Conditions(loss=0.3), limit=300.0)

    assert 50 == rig.handshakes()


@SLOW
def test_transferloss(rig: Rig) -> None:
    rig.run([2 * MIB], conditions=Conditions(loss=0.02))

    assert 1 == rig.handshakes()


@SLOW
def test_handshakecorruption(rig: Rig) -> None:
    rig.run([KIB] * 50, client="multiconnect", conditions=Conditions(damage=0.3), limit=300.0)


@SLOW
def test_transfercorruption(rig: Rig) -> None:
    rig.run([2 * MIB], conditions=Conditions(damage=0.02))


def test_ipv6(rig: Rig) -> None:
    rig.run([5 * KIB, 10 * KIB], host=SERVER_HOSTS[1])

    assert 1 == rig.handshakes()
    assert all(":" in each.source[0] for each in rig.passed)


@SLOW
def test_v2(rig: Rig) -> None:
    rig.run([KIB], client="v2", server="v2")

    headers = [header for each in rig.passed for header in each.headers]
    versions = {header.version for header in headers if header.packet_type is PacketType.HANDSHAKE}
    assert {VERSION_2} == versions
    assert VERSION_1 == headers[0].version


@SLOW
@pytest.mark.parametrize("changes_host", [False, True], ids=["port", "addr"])
def test_rebind(rig: Rig, changes_host: bool) -> None:
    # The clock of the link begins before the client is there.
    times = tuple(2.0 + 5 * index for index in range(10))
    rig.run([10 * MIB], conditions=Conditions(rebindings=times, changes_host=changes_host))

    paths = {each.source for each in rig.passed if each.to_server}
    assert 1 == rig.handshakes()
    assert 2 <= len(paths)
    assert (2 <= len({host for host, _ in paths})) == changes_host


@SLOW
@pytest.mark.parametrize("host", SERVER_HOSTS, ids=["IPv4", "IPv6"])
def test_connectionmigration(rig: Rig, host: str) -> None:
    rig.run([2 * MIB], server="connectionmigration", host=host)

    first, *_, last = [each for each in rig.passed if each.to_server]
    assert ((host, PORT), (host, PORT + 1)) == (first.target, last.target)
    moved = next(each for each in rig.passed if each.target == (host, PORT + 1))
    before = [each.start[1:9] for each in rig.passed if each.target == (host, PORT) and each.kind is None]
    assert moved.start[1:9] not in before, "the new path has a connection ID of its own"


@SLOW
def test_goodput(rig: Rig) -> None:
    rig.run([10 * MIB])

    data = [each.time for each in rig.answers(None)]
    kilobits = 10 * MIB * 8 / (max(data) - min(data)) / 1_000
    print(f"{kilobits:.0f} kbit/s")
    assert 8_700 <= kilobits


def test_crosstraffic(rig: Rig) -> None:
    size = 25 * MIB if IS_COMPLETE else 3 * MIB
    beside = [sys.executable, "-m", "tests.interop.netns.stream"]
    rig.run([size], limit=180.0, beside=beside)

    data = [each.time for each in rig.answers(None)]
    kilobits = size * 8 / (max(data) - min(data)) / 1_000
    print(f"{kilobits:.0f} kbit/s beside TCP")
    # The link runs in real time: on a machine that does other things beside, it is not what it says.
    assert not IS_COMPLETE or 3_000 <= kilobits
