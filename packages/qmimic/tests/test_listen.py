"""`qmimic fingerprint --listen`: a real socket, in a process of its own."""

import asyncio
import json
import socket
import subprocess
import sys

import pytest

import qmimic
from qmimic.catalog import profile
from qmimic.catalog.references import FRESH
from qmimic.draw import draw_flows
from qmimic.fingerprint import fingerprint

HTTP3 = {
    "chrome-156": "1:65536;6:262144;7:100;51:1;GREASE|m,a,s,p",
    "firefox-159": "1:65536;7:20;727725890:0;16765559:1;51:1;8:1|m,s,a,p",
}


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_a_client_that_dials_is_shown(host: str) -> None:
    if host == "::" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    flows = list(draw_flows(profile("firefox-159"), seed=2, count=2, server_names=["a.example"]))
    command = ["fingerprint", "--listen", "0", "--host", host, "--count", "2", "--json", "--counts"]
    with subprocess.Popen(
        [sys.executable, "-m", "qmimic", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        port = int(process.stderr.readline().split()[-1])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", port))
            client.send(b"noise")
            for flow in flows:
                for data in flow.payloads:
                    client.send(data)
        out, err = process.communicate(timeout=20)

    records = [json.loads(line) for line in out.splitlines()]
    expected = fingerprint((data for flow in flows for data in flow.payloads), any_pn=True)
    assert [item.record for item in expected] == records
    assert 0 == process.returncode
    assert "foreign: 1" in err
    assert "flights: 2" in err


@pytest.mark.parametrize(("name", "family"), [("chrome-156", "127.0.0.1"), ("firefox-159", "::1")])
def test_a_client_that_is_answered_is_shown_with_its_http3(name: str, family: str) -> None:
    command = [
        "fingerprint",
        "--listen",
        "0",
        "--host",
        family,
        "--answer",
        "--count",
        "2",
        "--json",
        "--raw",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "qmimic", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("SPKI hash")
        port = int(process.stderr.readline().split()[-1])
        pages = [asyncio.run(visit(name, family, port)) for _ in range(2)]
        out, _ = process.communicate(timeout=20)

    shown = [json.loads(line) for line in out.splitlines()]
    assert pages == shown
    assert FRESH["chrome-156"].ja4 == {page["ja4"] for page in pages} or name != "chrome-156"
    assert {HTTP3[name]} == {page["http3"] for page in pages}
    assert 2 == len({page["conn_key"] for page in pages})
    assert 0 == process.returncode


async def visit(name: str, address: str, port: int) -> dict[str, object]:
    resolve = {("localhost", port): (address, port)}
    async with qmimic.Client(name, verify=False, resolve=resolve) as client:
        response = await client.request("GET", f"https://localhost:{port}/any/page")
        page: dict[str, object] = json.loads(await response.read())
        return page
