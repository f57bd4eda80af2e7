"""Visit a server twice: the second connection resumes the first, with 0-RTT, as a browser's would."""

import asyncio
from typing import Any

import qhttp3
import qmimic
from qtls import ServerTLS
from qtls.adapters.self_signed import make_certificate


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def main() -> None:
    made = make_certificate(["localhost"])
    tls = ServerTLS(certs=made.chain, alpn=("h3",), early_data=True)
    memory = qmimic.Memory()
    async with qhttp3.serve_asgi(app, ("127.0.0.1", 0), tls=tls) as server:
        url = f"https://localhost:{server.addresses[0][1]}/"
        for _ in range(2):
            async with qmimic.Client("chrome", ca=made.ca_pem, memory=memory) as client:
                response = await client.request("GET", url, early=True)
                await response.read()
                await asyncio.sleep(0.05)  # tickets come behind the response
                info = response.connection.info
                print(response.status, "resumed" if info.resumed else "fresh")


asyncio.run(main())
