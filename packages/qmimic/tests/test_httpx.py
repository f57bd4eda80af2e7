"""httpx over connections that look like a browser's."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from qtls import ServerTLS
from qtls.adapters.self_signed import make_certificate

httpx = pytest.importorskip("httpx", reason="httpx is not installed")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def agent_app(scope: Message, receive: Receive, send: Send) -> None:
    """Answers with the user agent that asked."""
    if scope["type"] != "http":
        return
    agent = dict(scope["headers"]).get(b"user-agent", b"")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": agent})


@pytest.mark.parametrize(("profile", "token"), [("chrome", "Chrome/156"), ("firefox", "Firefox/159")])
def test_requests_carry_the_profile(profile: str, token: str) -> None:
    async def main() -> str:
        from qhttp3 import serve_asgi
        from qmimic import AsyncMimicTransport

        made = make_certificate(["localhost", "127.0.0.1"])
        tls = ServerTLS(certs=made.chain, alpn=("h3",))
        async with serve_asgi(agent_app, ("127.0.0.1", 0), tls=tls) as server:
            transport = AsyncMimicTransport(profile, ca=made.ca_pem)
            async with httpx.AsyncClient(transport=transport) as client:
                client.headers.clear()
                response = await client.get(f"https://127.0.0.1:{server.addresses[0][1]}/")
                assert "HTTP/3" == response.http_version
                return str(response.text)

    assert token in asyncio.run(main())
