"""Back-pressure: a writer waits for a slow reader, and memory stays flat however much there is to send."""

import asyncio

import qcore
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import make_certificate

CHUNK = 64 << 10
TOTAL = 16 << 20


async def main() -> None:
    written = 0
    read = 0
    farthest = 0

    async def pour(connection: qcore.Connection) -> None:
        nonlocal written
        async for stream in connection.streams():
            for _ in range(TOTAL // CHUNK):
                await stream.write(bytes(CHUNK))
                written += CHUNK
            await stream.finish()

    made = make_certificate()
    config = qcore.QuicConfig(send_buffer=256 << 10)
    client_config = qcore.QuicConfig(stream_window=256 << 10, max_stream_window=1 << 20)
    server_tls = ServerTLS(certs=made.chain, alpn=("pour",))
    async with qcore.serve(pour, ("127.0.0.1", 0), tls=server_tls, config=config) as listener:
        tls = ClientTLS(alpn=("pour",), ca=made.ca_pem)
        port = listener.addresses[0][1]
        async with qcore.connect("127.0.0.1", port, tls=tls, config=client_config) as connection:
            stream = await connection.open_stream()
            await stream.finish()
            while chunk := await stream.read(CHUNK):
                read += len(chunk)
                farthest = max(farthest, written - read)
                await asyncio.sleep(0)

    assert TOTAL == read
    print(f"{read >> 20} MiB; the writer was never more than {farthest >> 10} KiB ahead")


asyncio.run(main())
