import struct
from pathlib import Path

import pytest

from qmimic.capture import (
    CapturedFlow,
    flow_of_object,
    flow_to_object,
    network_packet,
    read_capture,
    udp_datagram,
)
from qmimic.errors import CaptureError

PAYLOAD = b"payload"
CLIENT4, SERVER4 = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
CLIENT6, SERVER6 = bytes(15) + b"\1", bytes(15) + b"\2"


def udp(payload: bytes = PAYLOAD, ports: tuple[int, int] = (50_000, 443)) -> bytes:
    return struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload


def ipv4(
    body: bytes, *, protocol: int = 17, flags: int = 0x4000, options: bytes = b"", back: bool = False
) -> bytes:
    size = 20 + len(options)
    source, destination = (SERVER4, CLIENT4) if back else (CLIENT4, SERVER4)
    head = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, size + len(body), 1, flags, 64, protocol, 0)
    return head + source + destination + options + body


def ipv6(body: bytes, *, next_header: int = 17) -> bytes:
    return struct.pack("!IHBB", 0x60000000, len(body), next_header, 64) + CLIENT6 + SERVER6 + body


def pcap(frames: list[bytes], link_type: int = 1) -> bytes:
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, link_type)
    for number, frame in enumerate(frames):
        data += struct.pack("<IIII", 1_000 + number, 250_000, len(frame), len(frame)) + frame
    return data


def pcapng(frames: list[bytes], link_type: int = 1) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = 12 + len(body)
        return struct.pack("<II", kind, size) + body + struct.pack("<I", size)

    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack("<HHI", link_type, 0, 65_535))
    for frame in frames:
        data += block(6, struct.pack("<IIIII", 0, 0, 1_000, len(frame), len(frame)) + frame)
    return data


ETHERNET = bytes(12) + b"\x08\x00"


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [
        pytest.param(1, ETHERNET + ipv4(udp()), id="Ethernet"),
        pytest.param(1, bytes(12) + b"\x86\xdd" + ipv6(udp()), id="Ethernet with IPv6"),
        pytest.param(1, bytes(12) + b"\x81\x00\x00\x05\x08\x00" + ipv4(udp()), id="VLAN"),
        pytest.param(0, b"\2\0\0\0" + ipv4(udp()), id="null"),
        pytest.param(108, b"\0\0\0\2" + ipv4(udp()), id="loop"),
        pytest.param(101, ipv4(udp()), id="raw"),
        pytest.param(228, ipv4(udp()), id="raw IPv4"),
        pytest.param(229, ipv6(udp()), id="raw IPv6"),
        pytest.param(113, bytes(14) + b"\x08\x00" + ipv4(udp()), id="Linux cooked"),
        pytest.param(276, b"\x08\x00" + bytes(18) + ipv4(udp()), id="Linux cooked 2"),
    ],
)
@pytest.mark.parametrize("container", [pcap, pcapng])
def test_link_types(tmp_path: Path, container: object, link_type: int, frame: bytes) -> None:
    assert callable(container)
    path = tmp_path / "capture"
    path.write_bytes(container([frame], link_type))
    [flow] = read_capture(path)

    assert [PAYLOAD] == flow.payloads


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(ipv4(udp(), protocol=6), id="TCP"),
        pytest.param(ipv4(udp(), flags=0x2000), id="first fragment"),
        pytest.param(ipv4(udp(), flags=0x0010), id="later fragment"),
        pytest.param(ipv4(udp()[:10]), id="cut datagram"),
        pytest.param(ipv4(udp()[:6]), id="cut UDP header"),
        pytest.param(b"\x4f" + ipv4(udp())[1:24], id="options beyond the packet"),
        pytest.param(ipv6(udp(), next_header=44), id="IPv6 fragment"),
        pytest.param(
            ipv6(b"\x11\xff" + bytes(6) + udp(), next_header=0), id="IPv6 options beyond the packet"
        ),
        pytest.param(b"", id="empty"),
        pytest.param(bytes(40), id="version 0"),
    ],
)
def test_what_is_no_whole_datagram_is_passed_over(packet: bytes) -> None:
    assert udp_datagram(packet) is None


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(ipv4(udp(), options=bytes(8)), id="IPv4 options"),
        pytest.param(ipv4(udp()) + bytes(6), id="Ethernet padding"),
        pytest.param(
            ipv6(b"\x3c\0" + bytes(6) + b"\x11\0" + bytes(6) + udp(), next_header=0), id="IPv6 options"
        ),
    ],
)
def test_headers_are_skipped(packet: bytes) -> None:
    datagram = udp_datagram(packet)

    assert datagram is not None
    assert PAYLOAD == datagram[2]


def test_who_sends_first_is_the_client(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(
        pcap(
            [
                ETHERNET + ipv4(udp(b"one")),
                ETHERNET + ipv4(udp(b"two", (443, 50_000)), back=True),
                ETHERNET + ipv4(udp(b"three", (50_001, 443))),
            ]
        )
    )
    first, second = read_capture(path)

    assert [(0.0, True, b"one"), (1000.0, False, b"two")] == [
        (item.time_ms, item.from_client, item.data) for item in first.datagrams
    ]
    assert {"client": "192.0.2.1:50000", "server": "192.0.2.2:443"} == first.about
    assert [b"three"] == second.client_payloads


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "not a pcap, pcapng or captures-jsonl file", id="empty"),
        pytest.param(b"#!/bin/sh", "not a pcap, pcapng or captures-jsonl file", id="other"),
        pytest.param(pcap([])[:20], "broken capture file", id="cut header"),
        pytest.param(pcapng([ETHERNET])[:40], "broken capture file", id="cut pcapng"),
        pytest.param(pcap([ETHERNET + ipv4(udp())], 147), "link type 147", id="link type"),
        pytest.param(b'{"a": 1}\n', "line 1: not a captured connection", id="object"),
        pytest.param(b'{"datagrams": []}\n{"datagrams": [', "line 2: not a captured", id="cut line"),
        pytest.param(b'{"datagrams": [{"t": 0, "dir": "c", "hex": "zz"}]}', "line 1", id="no hex"),
        pytest.param(b'{"datagrams": 3}', "line 1", id="no list"),
        pytest.param(b'{"a": ' + b"[" * 100_000, "line 1", id="deep"),
    ],
)
def test_broken_files_give_one_clear_error(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(data)

    with pytest.raises(CaptureError, match=reason) as caught:
        read_capture(path)
    assert str(path) in str(caught.value)


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        read_capture(tmp_path / "absent")


@pytest.mark.parametrize("container", [pcap, pcapng])
def test_every_beginning_of_a_file_reads_or_is_refused(tmp_path: Path, container: object) -> None:
    assert callable(container)
    data = container([ETHERNET + ipv4(udp())] * 3)
    path = tmp_path / "capture"
    for size in range(len(data)):
        path.write_bytes(data[:size])
        try:
            flows = read_capture(path)
        except CaptureError:
            continue
        assert all(payload == PAYLOAD for flow in flows for payload in flow.payloads)


def test_flows_round_trip_through_their_objects(chromium_flights: list[CapturedFlow]) -> None:
    flow = chromium_flights[0]

    assert flow == flow_of_object(flow_to_object(flow))


def test_cooked_frames_of_other_protocols_are_passed_over() -> None:
    assert network_packet(113, bytes(14) + b"\x08\x06" + bytes(28)) is None
    assert network_packet(1, bytes(10)) is None
