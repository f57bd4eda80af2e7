"""Configuration of clients and servers.

Frozen and picklable (with picklable sinks and stores). What is expensive to make of it, such as the parsed roots, is
made once per content and shared.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, Literal

from .client_hello import DEFAULT_CIPHERS, ClientHelloBuilder, DefaultHello
from .constants import SECP256R1, SECP384R1, X25519, X25519MLKEM768
from .key_exchange import IMPLEMENTED
from .light_dataclass import dataclass, field
from .resumption import SessionStore

if TYPE_CHECKING:
    from .adapters.trust_store import Trust
    from .certificates import CertificateChain
    from .ech import EchKey
    from .tickets import ReplayGuard
    from .trust import TrustStore

__all__ = ["ClientTLS", "KeyLog", "ServerTLS"]

KeyLog = Callable[[str], None]

DEFAULT_GROUPS: Final = (X25519MLKEM768, X25519, SECP256R1, SECP384R1)


def _new_ticket_keys() -> tuple[bytes, ...]:
    return (os.urandom(32),)


def _replay_window() -> ReplayGuard:
    from .tickets import ReplayWindow  # only servers need it

    return ReplayWindow()


@cache
def _resolver() -> Callable[[Trust], TrustStore]:
    """What reads certificates is loaded by who needs any."""
    from .adapters.trust_store import resolve_trust

    return resolve_trust


@dataclass(frozen=True, kw_only=True)
class ClientTLS:
    """How a client does TLS.

    ``ca`` is what it trusts: a path (bundle or folder), PEM or DER bytes, a ``TrustStore``, or None for the roots of
    the system. ``server_name`` replaces the name given to the handshake. ``keylog`` gets one line of NSS key log at a
    time. ``groups`` is the order of supported_groups. ``application_settings`` is what a client sends when ALPS was
    negotiated. ``ech`` is the ECHConfigList of the server's HTTPS record, "grease" to look as if there were one, or None.
    """

    alpn: tuple[str, ...] = ()
    verify: bool = True
    ca: Trust = field(default=None, repr=False)
    server_name: str | None = None
    client_cert: CertificateChain | None = None
    groups: tuple[int, ...] = DEFAULT_GROUPS
    ciphers: tuple[int, ...] = DEFAULT_CIPHERS
    ech: bytes | Literal["grease"] | None = None
    sessions: SessionStore | None = None
    keylog: KeyLog | None = None
    hello: ClientHelloBuilder = field(default_factory=DefaultHello)
    application_settings: bytes = b""

    def trust_store(self) -> TrustStore:
        """The roots of ``ca``; read and parsed when first asked for.

        Raises:
            OSError: a file cannot be read, or the system has no roots.
            ValueError: no certificate in it.
        """
        return _resolver()(self.ca)


@dataclass(frozen=True, kw_only=True)
class ServerTLS:
    """How a server does TLS.

    ``certs`` is one chain or several, of which the first that fits the client's server name is taken. ``ticket_keys``
    are 32 bytes each: the first seals tickets, all open them; an empty tuple turns tickets off. ``groups`` and
    ``ciphers`` are in order of preference. ``replays`` remembers which 0-RTT hellos were taken; None takes none.
    ``select`` sees each ClientHello (name, ALPN, raw bytes) before it is
    answered and may return another configuration. ``ech_keys`` open encrypted ClientHellos; clients whose hello none of
    them opens get the configurations of all. ``retry_cookie`` asks clients to return a cookie after a HelloRetryRequest.
    """

    certs: CertificateChain | Sequence[CertificateChain]
    alpn: tuple[str, ...] = ()
    client_auth: Literal["none", "request", "require"] = "none"
    client_ca: Trust = field(default=None, repr=False)
    ticket_keys: tuple[bytes, ...] = field(default_factory=_new_ticket_keys, repr=False)
    ticket_lifetime: float = 86_400.0
    tickets: int = 2
    early_data: bool = False
    application_settings: bytes | None = None
    replays: ReplayGuard | None = field(default_factory=_replay_window, repr=False, compare=False)
    groups: tuple[int, ...] = DEFAULT_GROUPS
    ciphers: tuple[int, ...] = DEFAULT_CIPHERS
    ech_keys: tuple[EchKey, ...] = field(default=(), repr=False)
    retry_cookie: bool = True
    keylog: KeyLog | None = None
    select: Callable[[str | None, tuple[str, ...], bytes], ServerTLS | None] | None = None

    def __post_init__(self) -> None:
        if not self.chains():
            raise ValueError("a server needs a certificate")
        if any(len(key) != 32 for key in self.ticket_keys):
            raise ValueError("ticket keys are 32 bytes")
        unknown = [group for group in self.groups if group not in IMPLEMENTED]
        for each in self.ech_keys:
            each.parsed()
        if unknown:
            raise ValueError(f"groups that are not implemented: {', '.join(map(hex, unknown))}")

    def chains(self) -> tuple[CertificateChain, ...]:
        """All chains, in order of preference."""
        return self._chains

    @cached_property
    def _chains(self) -> tuple[CertificateChain, ...]:
        return tuple(self.certs) if isinstance(self.certs, Sequence) else (self.certs,)

    def client_trust(self) -> TrustStore:
        """The roots of ``client_ca``.

        Raises:
            OSError: a file cannot be read, or the system has no roots.
            ValueError: no certificate in it.
        """
        return _resolver()(self.client_ca)
