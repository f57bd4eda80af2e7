"""What the tests of the asyncio side share. They need qcore, which the engine does without; so does who weighs it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from qhttp3 import Client
    from qtls.adapters.self_signed import MadeCertificate

collect_ignore_glob = [] if find_spec("qcore") else ["aio/*", "adapters/*", "test_floods.py"]

HOST = "127.0.0.1"


class Serving(NamedTuple):
    """A server, a client that trusts it, and the beginning of its URLs."""

    server: Any  # a `RunningServer`; with one worker, a `Server`
    client: "Client"
    url: str


Serve = Callable[..., AbstractAsyncContextManager[Serving]]


def run(main: Coroutine[Any, Any, None], seconds: float = 60) -> None:
    """Run a test within a time."""
    asyncio.run(asyncio.wait_for(main, seconds))


@pytest.fixture(scope="session")
def made() -> "MadeCertificate":
    from qtls.adapters.self_signed import make_certificate

    return make_certificate()


@pytest.fixture(scope="session")
def serve(made: "MadeCertificate") -> Serve:
    """Serves an ASGI application on the loopback; arguments as for `serve_asgi`, and ``client`` for those of `Client`."""
    from qhttp3 import Client, serve_asgi
    from qtls import ClientTLS, ServerTLS

    @asynccontextmanager
    async def serving(
        app: Any, *, client: dict[str, Any] | None = None, has_lifespan: bool = False, **more: Any
    ) -> AsyncIterator[Serving]:
        async def http_only(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                raise ValueError("no lifespan")
            await app(scope, receive, send)

        options: dict[str, Any] = {"drain": 0.2, **more}
        async with (
            serve_asgi(
                app if has_lifespan else http_only, (HOST, 0), tls=ServerTLS(certs=made.chain), **options
            ) as server,
            Client(tls=ClientTLS(ca=made.ca_pem), **(client or {})) as user,
        ):
            yield Serving(server, user, f"https://{HOST}:{server.addresses[0][1]}")

    return serving
