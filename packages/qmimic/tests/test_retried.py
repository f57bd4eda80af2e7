"""First flights after a Retry, against those that browsers sent after one."""

from dataclasses import replace
from pathlib import Path

import pytest

from qcore.admission import always_retry
from qcore.batch import Datagram
from qcore.testing import Pair, Seeded
from qcore.testing.pair import WALL
from qmimic import profile
from qmimic.capture import CapturedDatagram, CapturedFlow, read_capture
from qmimic.diff import diff
from qtls.adapters.self_signed import Authority
from qtls.config import ServerTLS

DRAWS = 40


def after_retry(flow: CapturedFlow) -> CapturedFlow:
    """What the client sent between the server's first datagrams, which are Retry packets, and its next."""
    sent: list[CapturedDatagram] = []
    is_retried = False
    for datagram in flow.datagrams:
        if not datagram.from_client:
            if sent:
                break
            is_retried = True
        elif is_retried:
            sent.append(datagram)
    return CapturedFlow(flow.about, sent)


def retried(name: str, server_name: str, seed: int) -> CapturedFlow:
    """A drawn client at a server that wants its address validated."""
    authority = Authority(wall_clock=WALL)
    drawn = profile(name).draw(Seeded(f"{name} {seed}"))
    pair = Pair(
        client_config=drawn.quic,
        client_tls=replace(drawn.tls, ca=authority.pem, server_name=server_name),
        server_tls=ServerTLS(certs=authority.issue([server_name]), alpn=("h3",)),
        admit=always_retry,
        seed=seed,
    )
    datagrams: list[CapturedDatagram] = []

    def note(datagram: Datagram, from_client: bool) -> bool:
        datagrams.append(CapturedDatagram(pair.now * 1000, from_client, datagram.data))
        return True

    pair.to_server.filter(lambda datagram: note(datagram, True))
    pair.to_client.filter(lambda datagram: note(datagram, False))
    pair.run_until(lambda: pair.client.is_confirmed)
    return after_retry(CapturedFlow({"host": server_name, "family": 4}, datagrams))


@pytest.mark.parametrize(
    ("name", "client"),
    [("chrome-156", "chromium-156.0.8078.79"), ("firefox-esr-153", "firefox-esr-153.7.0esr")],
)
def test_flights_after_a_retry_are_those_of_the_browser(name: str, client: str, shared: Path) -> None:
    captured = [
        after_retry(flow) for flow in read_capture(shared / "captures" / f"{client}-retry-train.jsonl")
    ]
    hosts = [str(flow.about["host"]) for flow in captured]
    drawn = [retried(name, hosts[seed % len(hosts)], seed) for seed in range(DRAWS)]

    # The token is the server's.
    assert {"header.token_size"} >= {item.field for item in diff(drawn, captured)}
