"""An HTTP/3 server of ours inside the test, so that the test sees its connections.

Serves a page whose script is fetched only after the connection of the page was closed: whoever loads it comes
back with a second connection.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from qcore import Connection, Endpoint
from qhttp3 import H3Config
from qhttp3.aio.server import Request
from qhttp3.aio.server import Server as Http3Server
from qtls import ServerTLS
from qtls.adapters.files import load_certificate_chain

from .certificates import Certificates
from .servers import HOST, Server

# The renderer is kept busy while the server closes the connection.
PAGE = """<!DOCTYPE html>
<title>interop</title>
<link rel="icon" href="data:,">
<p id="said">nothing</p>
<script>
for (const end = Date.now() + 1000; Date.now() < end;);
document.write('<script src="script.js"></' + 'script>');
</script>
"""
SCRIPT = 'document.getElementById("said").textContent = "the script " + "ran";\n'
SCRIPT_RAN = "the script ran"
H3_NO_ERROR = 0x100
CLOSE_AFTER = 0.2


class Watched:
    """The server's connections in the order of their arrival, and what was asked for."""

    def __init__(self, port: int, closes: bool) -> None:
        self.server = Server("watched", port, Path())
        self.connections: list[Connection] = []
        self.paths: list[str] = []
        self._closes = closes

    def on_request(self, request: Request) -> None:
        path = request.path.decode()
        self.paths.append(path)
        is_page = path in ("/", "/index.html")
        body = PAGE if is_page else SCRIPT
        kind = b"text/html" if is_page else b"text/javascript"
        request.send_head(200, [(b"content-type", kind), (b"cache-control", b"no-store")])
        request.engine.send_data(request.stream_id, body.encode(), True)
        request.connection.pump()
        request.finish()
        if is_page and self._closes:
            connection = request.connection.connection
            asyncio.get_running_loop().call_later(CLOSE_AFTER, connection.abort, H3_NO_ERROR)


@asynccontextmanager
async def watched_server(
    certificates: Certificates, *, closes: bool = False, **options: Any
) -> AsyncIterator[Watched]:
    """Run the server; ``options`` go to its `ServerTLS`.

    Args:
        closes: close the connection of a page some time after it was sent.
    """
    chain = load_certificate_chain(certificates.chain, certificates.key)
    tls = ServerTLS(certs=chain, alpn=("h3",), **options)
    tasks: set[asyncio.Task[None]] = set()
    async with Endpoint.open((HOST, 0)) as endpoint:
        watched = Watched(endpoint.address[1], closes)
        listener = endpoint.listen(tls=tls)
        http = Http3Server(listener, H3Config(), watched.on_request)

        async def accept() -> None:
            async for connection in listener:
                watched.connections.append(connection)
                task = asyncio.create_task(http.handle(connection))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        accepting = asyncio.create_task(accept())
        try:
            yield watched
        finally:
            await listener.close()
            await accepting
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
