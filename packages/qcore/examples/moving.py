"""A client downloads, and moves to another socket in the middle of it; the server follows.

Here both sockets have the loopback address. On a host with two networks, give `add_path` the address of the other one.
"""

import asyncio

import qcore
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import make_certificate

SIZE = 2_000_000


async def send(connection: qcore.Connection) -> None:
    stream = await connection.open_uni()
    await stream.write(bytes(SIZE))
    await stream.finish()


async def main() -> None:
    made = make_certificate()
    server_tls = ServerTLS(certs=made.chain, alpn=("download",))
    client_tls = ClientTLS(alpn=("download",), ca=made.ca_pem)
    async with (
        qcore.serve(send, ("127.0.0.1", 0), tls=server_tls) as listener,
        qcore.connect("127.0.0.1", listener.addresses[0][1], tls=client_tls) as connection,
    ):
        async for stream in connection.uni_streams():
            received = len(await stream.readexactly(SIZE // 4))
            path = await connection.add_path(("127.0.0.1", 0))
            await path.probe()  # the server answers there, too
            path.switch()
            received += len(await stream.read())
            print(f"{received} bytes; the connection uses {path}")
            break


asyncio.run(main())
