"""Fetch a hundred files at once over one connection from a file server."""

import asyncio
import tempfile
from pathlib import Path

from qhttp3 import Client, serve_asgi
from qhttp3.adapters.files import FileServer
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import make_certificate

COUNT = 100


async def main(folder: Path) -> None:
    for number in range(COUNT):
        (folder / f"{number}.txt").write_text(f"file {number}\n" * 100)
    made = make_certificate()
    async with (
        serve_asgi(FileServer(folder), ("127.0.0.1", 0), tls=ServerTLS(certs=made.chain)) as server,
        Client(tls=ClientTLS(ca=made.ca_pem)) as client,
    ):
        base = f"https://localhost:{server.addresses[0][1]}"

        async def fetch(number: int) -> int:
            response = await client.request("GET", f"{base}/{number}.txt")
            body = await response.read()
            assert f"file {number}\n".encode() * 100 == body
            return len(body)

        sizes = await asyncio.gather(*(fetch(number) for number in range(COUNT)))
        print(f"{len(sizes)} files, {sum(sizes)} bytes, {server.connections} connection")


with tempfile.TemporaryDirectory() as name:
    asyncio.run(main(Path(name)))
