"""HTTP/0.9 over QUIC, "hq-interop": a request line on a stream of the client, and the file as the answer."""

import asyncio
from pathlib import Path

from qcore import Connection, Stream

CHUNK = 1 << 16
# A request is one line; no file of the runner has a name this long.
MAX_REQUEST = 4_096


async def download(connection: Connection, path: str, target: Path) -> None:
    """Fetch a file."""
    stream = await connection.open_stream()
    await stream.write(f"GET {path}\r\n".encode())
    await stream.finish()
    with target.open("wb") as file:
        async for chunk in stream:
            file.write(chunk)


class FileServer:
    """Answers requests with the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def serve(self, connection: Connection) -> None:
        """Answer all requests of a connection, side by side."""
        async with asyncio.TaskGroup() as group:
            async for stream in connection.streams():
                group.create_task(self._answer(stream))

    async def _answer(self, stream: Stream) -> None:
        request = b""
        async for chunk in stream:
            request += chunk
            if len(request) > MAX_REQUEST:
                break
        file = self._find(request)
        if file is None:
            stream.reset(1)
            return
        with file.open("rb") as content:
            while chunk := content.read(CHUNK):
                await stream.write(chunk)
        await stream.finish()

    def _find(self, request: bytes) -> Path | None:
        line = request.decode("latin-1").split()
        if len(line) != 2 or line[0] != "GET" or not line[1].startswith("/"):
            return None
        file = (self._folder / line[1][1:]).resolve()
        return file if file.is_relative_to(self._folder) and file.is_file() else None
