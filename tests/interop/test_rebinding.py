"""A download from a server that others wrote, through a NAT that forgets. RFC 9000 §9.3.

Caddy 2.6 with its quic-go 0.3x goes on sending to the port that it knew first, and so cannot take part.
"""

import asyncio
from pathlib import Path

import pytest

from qcore.testing.aio import Relay
from qhttp3 import Client
from qtls import ClientTLS

from .certificates import Certificates
from .servers import Server

pytestmark = pytest.mark.peer

NAME = "20m.bin"
STEP = 2 << 20
TIME = 60.0


def test_client_is_seen_at_new_ports_during_a_download(
    aioquic_server: Server, folder: Path, certificates: Certificates
) -> None:
    async def download() -> bytes:
        tls = ClientTLS(ca=str(certificates.authority), server_name="localhost")
        body = bytearray()
        async with Relay(aioquic_server.port) as relay, Client(tls=tls) as client:
            response = await client.request("GET", f"https://127.0.0.1:{relay.port}/{NAME}")
            assert 200 == response.status
            async for chunk in response:
                body += chunk
                if len(body) >= STEP * (relay.rebindings + 1):
                    relay.rebind()
            assert 9 <= relay.rebindings
        return bytes(body)

    assert (folder / NAME).read_bytes() == asyncio.run(asyncio.wait_for(download(), TIME))
