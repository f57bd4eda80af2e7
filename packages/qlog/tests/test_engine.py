"""Traces of real engines: a connection on a lossy path, seen from both sides."""

import json
from pathlib import Path

import pytest

from qlog.reader import Trace, load_traces
from qlog.summary import summarize

pytest.importorskip("qcore.router")

from qcore.batch import Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.router import Router
from qcore.testing.network import Link, LinkConfig
from qcore.testing.seeded import Seeded
from qlog.files import observe
from qtls.adapters.self_signed import Authority
from qtls.config import ClientTLS, ServerTLS

SIZE = 300_000
SERVER_NAME = "server.test"
CLIENT_ADDRESS = ("10.0.0.1", 50_000)
SERVER_ADDRESS = ("10.0.0.2", 443)
START = 1_000.0
WALL = 1_800_000_000.0


class Traced:
    """A client and a server whose observers write into ``folder``."""

    def __init__(self, folder: Path, *, loss: float, seed: int) -> None:
        authority = Authority(wall_clock=WALL)
        self.now = START
        self.links = [Link(LinkConfig(delay=0.02, loss=loss), f"{seed} {side}") for side in ("up", "down")]
        server_random, client_random = Seeded(f"{seed} server"), Seeded(f"{seed} client")
        self.routers = [
            Router(random=client_random, wall_offset=WALL - START),
            Router(random=server_random, wall_offset=WALL - START),
        ]
        self.routers[1].listen(
            tls=ServerTLS(certs=authority.issue([SERVER_NAME]), alpn=("test",)),
            config=QuicConfig(random=server_random),
            observer_factory=lambda: observe(str(folder), False),
        )
        self.engines: list[QuicEngine | None] = [
            self.routers[0].connect(
                SERVER_ADDRESS,
                tls=ClientTLS(alpn=("test",), ca=authority.pem),
                config=QuicConfig(random=client_random),
                server_name=SERVER_NAME,
                now=self.now,
                wall_clock=WALL,
                observer=observe(str(folder), True),
            ),
            None,
        ]

    @property
    def client(self) -> QuicEngine:
        assert self.engines[0] is not None
        return self.engines[0]

    def step(self) -> None:
        """Send what is due, then go to the next moment at which something happens."""
        for router, engine, link in zip(self.routers, self.engines, self.links, strict=True):
            batch = SendBatch()
            while router.transmit(self.now, batch) + (engine.transmit(self.now, batch) if engine else 0):
                for datagram in batch.datagrams():
                    link.send(datagram, self.now)
                batch.clear()
        due = [link.next_delivery() for link in self.links]
        due += [engine.next_timeout() for engine in self.engines if engine is not None]
        self.now = max(self.now, min(due))
        for engine in self.engines:
            if engine is not None and engine.next_timeout() <= self.now:
                engine.handle_timeout(self.now)
        up, down = self.links
        for side, link, address in ((1, up, CLIENT_ADDRESS), (0, down, SERVER_ADDRESS)):
            arrived = [Datagram(datagram.data, address, datagram.ecn) for datagram in link.deliver(self.now)]
            touched = self.routers[side].receive(arrived, self.now) if arrived else []
            self.engines[side] = self.engines[side] or next(iter(touched), None)

    def exchange(self) -> None:
        """Handshake, ``SIZE`` bytes to the server, and a close."""
        stream: int | None = None
        got = 0
        for _ in range(20_000):
            self.step()
            server = self.engines[1]
            if stream is None and self.client.is_established:
                stream = self.client.open_stream()
                self.client.send(stream, bytes(SIZE), True)
            if server is not None and stream is not None and server.is_established and got < SIZE:
                server.events()
                got += len(server.read(stream)[0])
            if got == SIZE and not self.client.is_closed:
                self.client.close(7, "done")
            if self.client.is_terminated and server is not None and server.is_terminated:
                return
        raise AssertionError(f"not done at {self.now}, {got} bytes arrived")


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trace]:
    folder = tmp_path_factory.mktemp("traces")
    Traced(folder, loss=0.03, seed=5).exchange()
    paths = sorted(folder.iterdir())
    assert 2 == len(paths)
    assert paths[0].name.replace("_client.sqlog", "") == paths[1].name.replace("_server.sqlog", "")
    return {path.stem.rpartition("_")[2]: load_traces(path.read_bytes())[0] for path in paths}


def names(trace: Trace) -> set[str]:
    return {str(event["name"]).partition(":")[2] for event in trace.events}


@pytest.mark.parametrize("side", ["client", "server"])
def test_both_sides_tell_the_whole_connection(traces: dict[str, Trace], side: str) -> None:
    trace = traces[side]
    expected = {
        "connection_started",
        "version_information",
        "parameters_set",
        "key_updated",
        "key_discarded",
        "alpn_information",
        "packet_sent",
        "packet_received",
        "connection_state_updated",
        "recovery_metrics_updated",
        "connection_closed",
        "udp_datagrams_received",
    }

    assert set() == expected - names(trace)
    assert 0 == trace.skipped
    assert side == trace.vantage_point


def test_what_one_side_sent_the_other_received(traces: dict[str, Trace]) -> None:
    for here, there in (("client", "server"), ("server", "client")):
        sent = packets(traces[here], "quic:packet_sent")
        received = packets(traces[there], "quic:packet_received")

        assert len(received) > 20
        assert received.items() <= sent.items()


def test_the_summary_agrees(traces: dict[str, Trace]) -> None:
    client, server = summarize(traces["client"]), summarize(traces["server"])

    assert client.sent.stream_data >= SIZE
    assert server.received.stream_data >= SIZE
    assert client.lost > 0
    assert "test" == client.alpn == server.alpn
    assert "local application unknown done code 7" == client.end
    assert "remote application unknown done code 7" == server.end
    assert client.smallest_rtt is not None and client.smallest_rtt >= 0.04


def test_times_rise_and_events_are_small(traces: dict[str, Trace]) -> None:
    for trace in traces.values():
        times = [event["time"] for event in trace.events]
        assert times == sorted(times, key=lambda time: time if isinstance(time, float) else -1.0)
        assert max(len(json.dumps(event)) for event in trace.events) < 8000


def packets(trace: Trace, name: str) -> dict[tuple[object, object], object]:
    """Sizes by type and number; each number is sent once."""
    found: dict[tuple[object, object], object] = {}
    for event in trace.events:
        data = event["data"]
        assert isinstance(data, dict)
        if event["name"] == name and "packet_number" in data["header"]:
            found[data["header"]["packet_type"], data["header"]["packet_number"]] = data["raw"]["length"]
    return found
