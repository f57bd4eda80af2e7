"""What a client sends: a URL and fields made into the head of a request, and the body behind it.

RFC 9114 §4.1, §4.3.1; RFC 3986.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias, final

from qcore.errors import QuicError
from qhttp3.aio.connection import Exchange
from qhttp3.aio.fields import FieldsInput, encode_fields
from qhttp3.events import Field
from qhttp3.values import Value

if TYPE_CHECKING:
    from qhttp3.priority import Priority

Content: TypeAlias = bytes | str | Iterable[bytes] | AsyncIterable[bytes] | None

# URLs whose parts are remembered: the same few are asked for again and again.
KEPT_TARGETS: Final = 256
# What may stand in a path or a query as it is; a percent sign is taken to belong to an escape.
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"


@final
class Target(Value):
    """Where a URL leads."""

    __slots__ = ("authority", "host", "path", "port")

    def __init__(self, host: str, port: int, authority: bytes, path: bytes) -> None:
        self.host: Final = host
        self.port: Final = port
        self.authority: Final = authority
        self.path: Final = path

    @classmethod
    @lru_cache(maxsize=KEPT_TARGETS)
    def parse(cls, url: str) -> Target:
        """Read a URL.

        Raises:
            ValueError: it is not one of https.
        """
        from urllib.parse import quote, urlsplit  # with `ipaddress`, and servers read no URLs

        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"not an https URL: {url!r}")
        host = parts.hostname
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        port = parts.port or 443
        shown = f"[{host}]" if ":" in host else host
        authority = shown if port == 443 else f"{shown}:{port}"
        path = quote(parts.path or "/", safe=_PATH_SAFE)
        if parts.query:
            path += "?" + quote(parts.query, safe=_PATH_SAFE + "?")
        return cls(host, port, authority.encode("ascii"), path.encode("ascii"))


def request_fields(
    method: str, target: Target, headers: FieldsInput, content: Content, priority: Priority | str | None
) -> Sequence[Field]:
    """Make the head of a request."""
    pseudo = _pseudo_fields(method, target.authority, target.path)
    if not headers and content is None and priority is None:
        return pseudo
    fields = list(pseudo)
    given = encode_fields(headers)
    names = {name for name, _ in given}
    if b"host" in names:
        fields[2] = (b":authority", next(value for name, value in given if name == b"host"))
        given = [field for field in given if field[0] != b"host"]
    fields += given
    if b"content-length" not in names and isinstance(content, bytes | str):
        size = len(content.encode()) if isinstance(content, str) else len(content)
        fields.append((b"content-length", b"%d" % size))
    if priority is not None and b"priority" not in names and (value := priority.encode()):
        fields.append((b"priority", value))
    return fields


@lru_cache(maxsize=KEPT_TARGETS)
def plain_request(method: str, url: str) -> tuple[Target, Sequence[Field]]:
    """Where a request leads, and its head, if nothing else is to be said: the same few are made again and again.

    Raises:
        ValueError: the URL is not one of https.
    """
    target = Target.parse(url)
    return target, _pseudo_fields(method, target.authority, target.path)


@lru_cache(maxsize=KEPT_TARGETS)
def _pseudo_fields(method: str, authority: bytes, path: bytes) -> tuple[Field, ...]:
    return (
        (b":method", method.upper().encode("ascii")),
        (b":scheme", b"https"),
        (b":authority", authority),
        (b":path", path),
    )


async def send_body(
    exchange: Exchange,
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None,
    trailers: list[Field] | None,
) -> None:
    """Send a body piece by piece, as fast as the server takes it, and what comes behind it."""
    try:
        if isinstance(content, AsyncIterable):
            async for piece in content:
                await exchange.write(piece)
        elif isinstance(content, bytes):
            await exchange.write(content, end=not trailers)
            if not trailers:
                return
        elif content is not None:
            for part in content:
                await exchange.write(bytes(part))
        if trailers:
            exchange.engine.send_headers(exchange.stream_id, trailers, True)
            exchange.connection.pump()
        else:
            await exchange.write(b"", end=True)
    except QuicError:
        # RFC 9114 §4.1: a server that has seen enough answers and stops us; its answer, or its refusal, is what
        # the caller waits for.
        if exchange.stopped is None and exchange.error is None:
            raise
