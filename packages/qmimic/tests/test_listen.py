"""`qmimic fingerprint --listen`: a real socket, in a process of its own."""

import json
import socket
import subprocess
import sys

import pytest

from qmimic.catalog import profile
from qmimic.draw import draw_flows
from qmimic.fingerprint import fingerprint


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
