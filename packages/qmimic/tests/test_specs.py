"""The profiles of `examples/specs`, one for each kind of specification that uQUIC has, do what they say."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from qcore.testing import Pair, Seeded
from qcore.testing.pair import throwaway_certificate
from qmimic import ClientProfile
from qmimic.draw import Family, draw_flows
from qmimic.fingerprint import Fingerprint, fingerprint
from qmimic.fingerprint.initials import initial_header, keys_of, unprotect_initial
from qmimic.lint import lint
from qtls.config import ServerTLS
from qtls.constants import SECP384R1
from qwire.constants import VERSION_1
from qwire.frames import CryptoFrame, PaddingFrame, PingFrame, parse_frames

FOLDER: Final = Path(__file__).parents[1] / "examples" / "specs"
NAMES: Final = sorted(path.stem for path in FOLDER.glob("*.toml"))
SEEDS: Final = 100

#: A packet as a list of (start, stop) for CRYPTO, "ping", and sizes of runs of PADDING.
Shape = list[tuple[int, int] | str | int]


def load(name: str) -> ClientProfile:
    return ClientProfile.from_toml((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def flights(
    name: str, family: Family = 4, resumed: bool = False
) -> list[tuple[Fingerprint, list[bytes], list[Shape]]]:
    """Drawn flights: what an observer sees, the datagrams, and the frames of each."""
    flows = draw_flows(
        load(name), seed=1, count=SEEDS, server_names=["www.example.com"], family=family, resumed=resumed
    )
    drawn = []
    for flow in flows:
        [found] = fingerprint(flow.payloads)
        drawn.append((found, flow.payloads, [shape_of(data) for data in flow.payloads]))
    return drawn


def shape_of(data: bytes) -> Shape:
    header = initial_header(data, (VERSION_1,))
    assert header is not None
    opened = unprotect_initial(data, header, keys_of(header))
    assert opened is not None
    shape: Shape = []
    for frame in parse_frames(opened[2]):
        if isinstance(frame, CryptoFrame):
            shape.append((frame.offset, frame.offset + len(frame.data)))
        elif isinstance(frame, PaddingFrame):
            shape.append(frame.count)
        else:
            assert isinstance(frame, PingFrame)
            shape.append("ping")
    return shape


def crypto(shape: Shape) -> list[tuple[int, int]]:
    return [item for item in shape if isinstance(item, tuple)]


def covered(shape: Shape) -> list[tuple[int, int]]:
    """The ranges of CRYPTO bytes in a packet, joined."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(crypto(shape)):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def total(found: Fingerprint) -> int:
    return len(found.flight.client_hello)


def test_there_is_one_for_each_kind() -> None:
    assert 10 == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_lint_finds_no_error(name: str) -> None:
    found = lint(load(name))
    # A layout that is fixed has no room for the longest of names, and lint says so.
    assert {"overflow"} >= {finding.kind for finding in found if finding.severity == "error"}


@pytest.mark.parametrize("groups", [None, (SECP384R1,)], ids=["at once", "after HelloRetryRequest"])
@pytest.mark.parametrize("name", NAMES)
def test_handshake_completes(name: str, groups: tuple[int, ...] | None) -> None:
    made = throwaway_certificate()
    drawn = load(name).draw(Seeded(name))
    server = ServerTLS(certs=made.chain, alpn=("h3",))
    pair = Pair(
        client_config=drawn.quic,
        client_tls=replace(drawn.tls, ca=made.ca_pem),
        server_tls=server if groups is None else replace(server, groups=groups),
    )
    pair.run_until(lambda: pair.client.is_confirmed)

    assert 0 == pair.client_trace.count("probe_sent")


def test_fixed_frames() -> None:
    for found, datagrams, [shape] in flights("quic-frames"):
        assert [(200, total(found)), "ping", 12, (0, 200)] == shape[:4]
        assert isinstance(shape[4], int)
        assert [1250] == [len(data) for data in datagrams]


def test_random_frames() -> None:
    seen = flights("quic-random-frames")
    assert set(range(1, 10)) == {len(crypto(shape)) for _, _, [shape] in seen}
    assert set(range(10)) == {shape.count("ping") for _, _, [shape] in seen}
    assert {1250} == {len(datagrams[0]) for _, datagrams, _ in seen}
    assert len({str(shape) for _, _, [shape] in seen}) == SEEDS


def test_datagram_by_datagram() -> None:
    for found, datagrams, [first, second] in flights("quic-multi-datagram-frames"):
        assert 6 <= len(crypto(first)) <= 12
        assert 1 <= first.count("ping") <= 2
        assert 2 <= len(crypto(second)) <= 4
        assert "ping" not in second
        [(start, middle)], [(again, stop)] = covered(first), covered(second)
        assert (0, middle, total(found)) == (start, again, stop)
        assert [1250, 1250] == [len(data) for data in datagrams]


@pytest.mark.parametrize("family", [4, 6])
def test_planned_packets(family: Family) -> None:
    for found, datagrams, [first, second] in flights("initial-packets", family):
        assert [(0, 900)] == crypto(first)
        assert [(900, total(found))] == crypto(second)
        assert [1250, 1230] == [len(data) for data in datagrams]
        assert [(1, 1), (2, 2)] == [(p.packet_number, p.packet_number_size) for p in found.flight.packets]


def test_fixed_flight() -> None:
    for found, _, [first, second] in flights("quic-flight-frames"):
        size = total(found)
        assert [(0, 70), (size - 700, size)] == first[:2]
        assert ["ping", (70, size - 700)] == second[:2]


def test_random_flight() -> None:
    counts = set()
    for found, _, [first, second] in flights("quic-random-flight-frames"):
        size = total(found)
        assert [(0, 70), (size - 700, size)] == covered(first)
        assert [(70, size - 700)] == covered(second)
        counts.add((len(crypto(first)), len(crypto(second))))
    assert set(range(4, 10)) == {first for first, _ in counts}
    assert set(range(3, 9)) == {second for _, second in counts}


def test_acknowledgement_behind_the_second_hello() -> None:
    made = throwaway_certificate()
    drawn = load("acknowledgements").draw(Seeded("ack"))
    pair = Pair(
        client_config=drawn.quic,
        client_tls=replace(drawn.tls, ca=made.ca_pem),
        server_tls=ServerTLS(certs=made.chain, alpn=("h3",), groups=(SECP384R1,)),
    )
    pair.run_until(lambda: pair.client.is_confirmed)
    shapes = [[type(frame).__name__ for frame in packet.frames] for packet in pair.client_trace.sent]

    assert ["CryptoFrame", "AckFrame"] in shapes
    assert ["AckFrame", "CryptoFrame"] not in shapes[:4]


def test_as_seen() -> None:
    starts = {str(shape[0]) for _, _, [shape] in flights("sampled")}

    assert 2 == len({start.split(",")[0] for start in starts})


@pytest.mark.parametrize("resumed", [False, True])
def test_headers(resumed: bool) -> None:
    seen = flights("headers", resumed=resumed)
    for found, datagrams, _ in seen:
        packet = found.flight.first
        assert 1357 == len(datagrams[0])
        # Early data lies behind the packet of a resumed connection, else zeros.
        assert resumed is any(datagrams[0][packet.size :])
        assert 3 == len(packet.header.source_cid)
        assert 70 == len(packet.header.token)
    assert set(range(8, 16)) == {len(found.connection) for found, _, _ in seen}
    assert set(range(10)) == {found.flight.packets[0].packet_number for found, _, _ in seen}


def test_transport_parameters() -> None:
    for found, _, _ in flights("transport-parameters"):
        ids = [entry.id for entry in found.parameters.entries]
        assert not {0x20, 0x3128} & set(ids)
        assert bytes.fromhex("c000000000600000") == found.parameters.get(0x05)
        [google] = [entry for entry in found.parameters.entries if entry.id == 0x4752]
        assert (8, 2) == (google.id_size, google.length_size)
        assert 11 == len(ids)


def test_files_say_what_they_are_based_on() -> None:
    for name in NAMES:
        data = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
        assert load(name).provenance == f"based on {data['based_on']}"
