"""What each TESTCASE of the quic-interop-runner asks of a client and of a server.

https://github.com/quic-interop/quic-interop-runner; several of its cases share a name here, because only the link
differs: handshakeloss is `multiconnect`, blackhole and the rebindings are `transfer`, and so on.
"""

from dataclasses import dataclass, field, replace
from enum import Enum

from qcore.config import QuicConfig
from qtls.client_hello import DEFAULT_CIPHERS
from qtls.constants import CHACHA20_POLY1305_SHA256
from qwire.constants import VERSION_1, VERSION_2

# Small enough to be raised during a transfer, large enough for a round trip of the runner's link.
CLIENT = QuicConfig(stream_window=256 << 10, connection_window=512 << 10, handshake_timeout=60.0)
SERVER = QuicConfig(handshake_timeout=60.0)
BOTH_VERSIONS = (VERSION_2, VERSION_1)


class Plan(Enum):
    """How a client spreads its requests over connections."""

    AT_ONCE = "all on one connection"
    ONE_EACH = "each on a connection of its own"
    RESUMED = "the first on one, the others on a second that resumes it"
    EARLY = "the same, and the others in 0-RTT"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A TESTCASE.

    Attributes:
        is_http3: HTTP/3 instead of HTTP/0.9.
        retry: the server validates every address with Retry.
        updates_keys: the client updates keys during the transfer.
        prefers_another: the server asks its clients to go to another address.
    """

    plan: Plan = Plan.AT_ONCE
    client: QuicConfig = field(default=CLIENT)
    server: QuicConfig = field(default=SERVER)
    ciphers: tuple[int, ...] = DEFAULT_CIPHERS
    is_http3: bool = False
    retry: bool = False
    updates_keys: bool = False
    prefers_another: bool = False

    @property
    def alpn(self) -> str:
        return "h3" if self.is_http3 else "hq-interop"


CASES = {
    "handshake": Case(),
    "transfer": Case(),
    "chacha20": Case(ciphers=(CHACHA20_POLY1305_SHA256,)),
    "retry": Case(retry=True),
    "multiconnect": Case(plan=Plan.ONE_EACH),
    "resumption": Case(plan=Plan.RESUMED),
    "zerortt": Case(plan=Plan.EARLY),
    "http3": Case(is_http3=True),
    "keyupdate": Case(updates_keys=True),
    "ecn": Case(),
    "v2": Case(
        client=replace(CLIENT, versions=BOTH_VERSIONS, original_version=VERSION_1),
        server=replace(SERVER, versions=BOTH_VERSIONS),
    ),
    "connectionmigration": Case(prefers_another=True),
}
