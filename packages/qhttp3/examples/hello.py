"""Serve an ASGI application over HTTP/3 on the loopback and ask it something."""

import asyncio
from typing import Any

from qhttp3 import Client, serve_asgi
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import make_certificate


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Send the body of the request back, in capitals, piece by piece."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send(
            {"type": "http.response.body", "body": message.get("body", b"").upper(), "more_body": more}
        )


async def main() -> None:
    made = make_certificate()
    async with (
        serve_asgi(app, ("127.0.0.1", 0), tls=ServerTLS(certs=made.chain)) as server,
        Client(tls=ClientTLS(ca=made.ca_pem)) as client,
    ):
        url = f"https://localhost:{server.addresses[0][1]}/shout"
        response = await client.request("POST", url, content=b"how are you?")
        body = await response.read()

        assert b"HOW ARE YOU?" == body
        print(response.status, response.headers["content-type"], body.decode())


asyncio.run(main())
