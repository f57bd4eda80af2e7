"""Every profile, fresh and resumed, with early data and a token, on each way that a handshake can take.

Whatever happens, each datagram with an Initial keeps the profile's size, and nothing has to be sent twice.
"""

from dataclasses import replace
from itertools import product
from typing import Final

import pytest

from qcore.admission import always_retry
from qcore.batch import Datagram
from qcore.testing import Pair, Seeded
from qcore.testing.pair import WALL, throwaway_certificate
from qmimic.catalog import BUILT_IN
from qmimic.draw import draw_flows
from qmimic.extensions import EarlyData
from qmimic.profile import ClientProfile, DrawnClient, Resumption
from qmimic.tokens import RandomToken
from qtls.config import ServerTLS
from qtls.constants import SECP384R1
from qtls.resumption import MemorySessionStore
from qwire.constants import VERSION_2

#: Settings of a server that takes hellos of any group, and of one that takes P-384 alone.
WAYS: Final = ("at once", "Retry", "HelloRetryRequest", "Retry and HelloRetryRequest", "other version")


def meet(drawn: DrawnClient, way: str, key: bytes, seed: int) -> Pair:
    """A drawn client at a server that makes it go this way; the client's early request is on its way."""
    made = throwaway_certificate()
    server = ServerTLS(certs=made.chain, alpn=("h3",), ticket_keys=(key,), early_data=True)
    if "Hello" in way:
        server = replace(server, groups=(SECP384R1,))
    config = drawn.quic
    server_config = replace(config, versions=(VERSION_2,) if way == "other version" else (1, VERSION_2))
    return Pair(
        client_config=config,
        client_tls=replace(drawn.tls, ca=made.ca_pem),
        server_config=replace(
            server_config, parameters=None, initial=type(config.initial)(), token=b"", max_udp_payload=1452
        ),
        server_tls=server,
        admit=always_retry if "Retry" in way.split() else None,
        wall=WALL + 60 * seed,
        seed=seed,
    )


def run(pair: Pair, sizes: set[int]) -> None:
    """Until both sides are done; sizes of datagrams that begin with an Initial are noted."""
    pair.to_server.filter(lambda datagram: note(datagram, sizes))
    stream = pair.client.open_stream() if pair.client.can_send_early else None
    if stream is not None:
        pair.client.send(stream, bytes(300), True)
    pair.run_until(lambda: pair.client.is_confirmed)
    pair.run_for(1.0)  # tickets


def note(datagram: Datagram, sizes: set[int]) -> bool:
    first, version = datagram.data[0], int.from_bytes(datagram.data[1:5], "big")
    if first & 0xB0 == (0x90 if version == VERSION_2 else 0x80):
        sizes.add(len(datagram.data))
    return True


def offers_early_data(chosen: ClientProfile) -> bool:
    return chosen.hello is None or any(isinstance(item, EarlyData) for item in chosen.hello.extensions)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        (name, way)
        for name, way in product(BUILT_IN, WAYS)
        if way != "other version" or VERSION_2 in BUILT_IN[name].engine.versions
    ],
)
def test_fresh_and_resumed(name: str, way: str) -> None:
    chosen = BUILT_IN[name]
    store = MemorySessionStore()
    key = bytes(32)
    for visit in range(3):
        resumption = Resumption(sessions=store, token=bytes(60) if visit else b"", rtt=0.03)
        drawn = chosen.draw(Seeded(f"{name} {way} {visit}"), resumption)
        pair = meet(drawn, way, key, visit)
        sizes: set[int] = set()
        run(pair, sizes)
        info = pair.client.info

        assert {chosen.header.datagram_size} == sizes
        assert 0 == pair.client_trace.count("probe_sent")
        assert (visit > 0) == info.resumed
        taken = visit > 0 and offers_early_data(chosen) and "Hello" not in way and way != "other version"
        assert taken == info.early_accepted


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("size", [1, 52, 70, 200, 500])
@pytest.mark.parametrize("name", BUILT_IN)
def test_no_token_changes_a_size(name: str, size: int, family: int) -> None:
    chosen = replace(BUILT_IN[name], header=replace(BUILT_IN[name].header, token=RandomToken(size=size)))
    flows = draw_flows(
        chosen,
        seed=1,
        count=3,
        server_names=["a.example", "www.example.com"],
        family=4 if family == 4 else 6,
    )
    expected = chosen.header.datagram_size if family == 4 else chosen.header.datagram_size_ipv6

    assert {expected} == {len(data) for flow in flows for data in flow.payloads}
