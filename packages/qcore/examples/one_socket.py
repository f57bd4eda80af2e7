"""Two endpoints, each of them client and server on its one UDP socket, exchange datagrams."""

import asyncio
from contextlib import AsyncExitStack

import qcore
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import make_certificate


async def answer(listener: qcore.Listener, name: str) -> None:
    """Answer the first datagram of the first connection."""
    async for connection in listener:
        async for datagram in connection.datagrams():
            await connection.send_datagram(f"{name} heard {datagram.decode()}".encode())
            return


async def main() -> None:
    made = make_certificate()
    server_tls = ServerTLS(certs=made.chain, alpn=("chat",))
    client_tls = ClientTLS(alpn=("chat",), ca=made.ca_pem)
    async with AsyncExitStack() as stack:
        left = await stack.enter_async_context(qcore.Endpoint.open(("127.0.0.1", 0)))
        right = await stack.enter_async_context(qcore.Endpoint.open(("127.0.0.1", 0)))
        answering = [
            asyncio.create_task(answer(left.listen(tls=server_tls), "left")),
            asyncio.create_task(answer(right.listen(tls=server_tls), "right")),
        ]
        for name, here, there in (("left", left, right), ("right", right, left)):
            connection = await here.connect("127.0.0.1", there.address[1], tls=client_tls)
            await connection.send_datagram(f"hello from {name}".encode())
            async for datagram in connection.datagrams():
                print(datagram.decode())
                break
        await asyncio.gather(*answering)


asyncio.run(main())
