"""Send 8 MiB over the loopback and say what the connection measured on the way."""

import asyncio
import hashlib

import qcore
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import make_certificate

SIZE = 8 << 20


async def digest(connection: qcore.Connection) -> None:
    """Answer each stream with the SHA-256 of what it carried."""
    async for stream in connection.streams():
        received = hashlib.sha256()
        async for chunk in stream:
            received.update(chunk)
        await stream.write(received.digest())
        await stream.finish()


async def main() -> None:
    made = make_certificate()
    server_tls = ServerTLS(certs=made.chain, alpn=("digest",))
    async with qcore.serve(digest, ("127.0.0.1", 0), tls=server_tls) as listener:
        client_tls = ClientTLS(alpn=("digest",), ca=made.ca_pem)
        port = listener.addresses[0][1]
        async with qcore.connect("127.0.0.1", port, tls=client_tls) as connection:
            data = bytes(SIZE)
            stream = await connection.open_stream()
            await stream.write(data)
            await stream.finish()
            answer = await stream.read()

            assert hashlib.sha256(data).digest() == answer
            stats = connection.stats()
            print(
                f"{SIZE >> 20} MiB in {stats.datagrams_sent} datagrams of up to {stats.datagram_size} bytes"
            )
            print(f"round trip {stats.smoothed_rtt * 1000:.2f} ms, {stats.packets_lost} packets lost")


asyncio.run(main())
