"""Transports for httpx that look like a browser: ``httpx.Client(transport=MimicTransport("firefox"))``."""

from typing import Any

from qhttp3.adapters.httpx import AsyncHTTP3Transport, HTTP3Transport
from qmimic.client import Client
from qmimic.profile import ClientProfile


class AsyncMimicTransport(AsyncHTTP3Transport):
    """Requests of an `httpx.AsyncClient` over connections of a profile.

    httpx adds headers of its own (accept, accept-encoding, user-agent) that take the place of the profile's; give
    it `headers={}` and clear `client.headers` to keep the browser's.

    Args:
        profile: a profile, or the name of a built-in one.
        options: as for `qmimic.Client`.
    """

    def __init__(self, profile: str | ClientProfile = "chrome", **options: Any) -> None:
        super().__init__(client=Client(profile, timeout=None, **options))


class MimicTransport(HTTP3Transport):
    """The same for an `httpx.Client`."""

    def __init__(self, profile: str | ClientProfile = "chrome", **options: Any) -> None:
        super().__init__(client=Client(profile, timeout=None, **options))
