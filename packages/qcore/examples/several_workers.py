"""Serve one port with three processes, and ask each client's who it is."""

import asyncio
import os

import qcore
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import make_certificate


async def tell_who(connection: qcore.Connection) -> None:
    async for stream in connection.streams():
        await stream.read()
        await stream.write(str(os.getpid()).encode())
        await stream.finish()


async def main() -> None:
    made = make_certificate(["localhost"])
    server_tls = ServerTLS(certs=made.chain, alpn=("who",))
    client_tls = ClientTLS(alpn=("who",), ca=made.ca_pem)
    async with qcore.serve_workers(tell_who, ("127.0.0.1", 0), workers=3, tls=server_tls, drain=0) as group:
        port = group.addresses[0][1]
        seen = []
        for _ in range(10):
            async with qcore.connect("localhost", port, tls=client_tls) as connection:
                stream = await connection.open_stream()
                await stream.finish()
                seen.append(int(await stream.read()))
        assert set(seen) <= set(group.pids)
        print(f"10 connections, {len(set(seen))} of {len(group.pids)} processes")


asyncio.run(main())
