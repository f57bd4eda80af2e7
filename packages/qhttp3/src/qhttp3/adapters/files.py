"""A file server as an ASGI application.

Serves the regular files below one directory, which nothing leaves: not with dots, not with encoded slashes, not
through symbolic links. Files are read in pieces, in threads, as fast as the client takes them. RFC 9110.
"""

from __future__ import annotations

import asyncio
import html
import mimetypes
import os
import stat
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias
from urllib.parse import quote

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Field = tuple[bytes, bytes]

# Enough that a thread hop per piece costs little beside sending it.
PIECE_SIZE: Final = 1 << 18
# Below this a file is read at once on the event loop: a thread hop costs more than the page cache.
INLINE_SIZE: Final = 1 << 16
INDEX: Final = "index.html"


class FileServer:
    """Serves ``directory``; ``listing`` shows folders that have no index page."""

    def __init__(self, directory: str | os.PathLike[str], *, listing: bool = True) -> None:
        self._root = Path(directory).resolve(strict=True)
        if not self._root.is_dir():
            raise NotADirectoryError(str(directory))
        self._listing = listing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            await _answer(send, 405, b"method not allowed\n", [(b"allow", b"GET, HEAD")])
            return
        place = self._find(scope["path"])
        if place is None:
            await _answer(send, 404, b"not found\n")
        elif place.is_dir():
            await self._send_folder(scope, send, place)
        else:
            await self._send_file(scope, send, place)

    def _find(self, path: str) -> Path | None:
        # An existing file or folder inside the root, links resolved; None for anything else.
        if "\0" in path or "\\" in path:
            return None
        names = [name for name in path.split("/") if name]
        if any(name in (".", "..") for name in names):
            return None
        try:
            place = self._root.joinpath(*names).resolve(strict=True)
            mode = place.stat().st_mode
        except (OSError, ValueError):
            return None
        if place != self._root and self._root not in place.parents:
            return None
        if stat.S_ISDIR(mode):
            return place
        return place if stat.S_ISREG(mode) and not path.endswith("/") else None

    async def _send_folder(self, scope: Scope, send: Send, place: Path) -> None:
        path = scope["path"]
        if not path.endswith("/"):
            query = b"?" + scope["query_string"] if scope.get("query_string") else b""
            # A path that begins with two slashes would name another host.
            target = "/" + quote(path.strip("/")) + "/"
            await _answer(send, 308, b"", [(b"location", target.encode() + query)])
            return
        index = self._find(path + INDEX)
        if index is not None and index.is_file():
            await self._send_file(scope, send, index)
        elif self._listing:
            page = await asyncio.to_thread(_list_folder, place, path)
            await _answer(
                send, 200, page, kind=b"text/html; charset=utf-8", is_head=scope["method"] == "HEAD"
            )
        else:
            await _answer(send, 404, b"not found\n")

    async def _send_file(self, scope: Scope, send: Send, place: Path) -> None:
        try:
            file = place.open("rb")
        except OSError:
            await _answer(send, 403, b"forbidden\n")
            return
        with file:
            status = os.fstat(file.fileno())
            size = status.st_size
            etag = b'"%x-%x"' % (status.st_mtime_ns, size)
            fields = [
                (b"content-type", _content_type(place)),
                (b"last-modified", formatdate(status.st_mtime, usegmt=True).encode()),
                (b"etag", etag),
                (b"accept-ranges", b"bytes"),
            ]
            wanted = {name: value for name, value in scope["headers"]}
            if _is_unchanged(wanted, etag, int(status.st_mtime)):
                await send({"type": "http.response.start", "status": 304, "headers": fields})
                await send({"type": "http.response.body", "body": b""})
                return
            code, start, stop = 200, 0, size
            part = _parse_range(wanted, etag, size)
            if part is not None:
                start, stop = part
                if start >= stop:
                    fields.append((b"content-range", b"bytes */%d" % size))
                    await _answer(send, 416, b"range not satisfiable\n", fields[1:])
                    return
                code = 206
                fields.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size)))
            fields.append((b"content-length", b"%d" % (stop - start)))
            await send({"type": "http.response.start", "status": code, "headers": fields})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await _send_part(send, file, start, stop)


async def _send_part(send: Send, file: BinaryIO, start: int, stop: int) -> None:
    left = stop - start
    if start:
        file.seek(start)
    while left > PIECE_SIZE or left > INLINE_SIZE:
        data = await asyncio.to_thread(file.read, min(left, PIECE_SIZE))
        left -= len(data)
        if not data:
            raise OSError("the file became shorter while it was sent")
        await send({"type": "http.response.body", "body": data, "more_body": left > 0})
        if not left:
            return
    data = file.read(left)
    if len(data) < left:
        raise OSError("the file became shorter while it was sent")
    await send({"type": "http.response.body", "body": data})


async def _answer(
    send: Send,
    status: int,
    body: bytes,
    fields: list[Field] | None = None,
    *,
    kind: bytes = b"text/plain; charset=utf-8",
    is_head: bool = False,
) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *(fields or ())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else body})


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _list_folder(place: Path, path: str) -> bytes:
    rows = [] if path == "/" else ['<li><a href="../">../</a></li>']
    for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
        name = entry.name + ("/" if entry.is_dir() else "")
        link = html.escape(quote("./" + name))
        rows.append(f'<li><a href="{link}">{html.escape(name)}</a></li>')
    title = html.escape(path)
    page = (
        f"<!doctype html>\n<meta charset=utf-8>\n<title>{title}</title>\n<h1>{title}</h1>\n"
        f"<ul>\n{chr(10).join(rows)}\n</ul>\n"
    )
    return page.encode("utf-8", "surrogateescape")


def _content_type(place: Path) -> bytes:
    kind, encoding = mimetypes.guess_type(place.name)
    if encoding is not None or kind is None:
        return b"application/octet-stream"
    if kind.startswith("text/") or kind in ("application/javascript", "application/json"):
        kind += "; charset=utf-8"
    return kind.encode("ascii")


def _is_unchanged(wanted: dict[bytes, bytes], etag: bytes, modified: int) -> bool:
    # RFC 9110 §13.2.2: If-None-Match decides alone if it is there.
    tags = wanted.get(b"if-none-match")
    if tags is not None:
        return tags.strip() == b"*" or etag in [tag.strip().removeprefix(b"W/") for tag in tags.split(b",")]
    since = wanted.get(b"if-modified-since")
    if since is None:
        return False
    try:
        return modified <= parsedate_to_datetime(since.decode("latin-1")).timestamp()
    except ValueError:
        return False


def _parse_range(wanted: dict[bytes, bytes], etag: bytes, size: int) -> tuple[int, int] | None:
    # One range of bytes as start and stop, an empty one if it cannot be met; None to send everything, which is
    # always allowed (RFC 9110 §14.2).
    text = wanted.get(b"range", b"")
    if not text.startswith(b"bytes=") or b"," in text or wanted.get(b"if-range", etag) != etag:
        return None
    first, dash, last = text[6:].strip().partition(b"-")
    if not dash or not (first.isdigit() or (not first and last.isdigit())) or (last and not last.isdigit()):
        return None
    if len(first) > 18 or len(last) > 18:
        return None
    if not first:
        return max(size - int(last), 0), size
    stop = min(int(last) + 1, size) if last else size
    if last and int(last) < int(first):
        return None
    return int(first), stop
