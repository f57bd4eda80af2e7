"""The two ways round: this stack as the client of an aioquic server, and the other way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aioquic.quic.configuration import QuicConfiguration
from aioquic.tls import CipherSuite, load_pem_private_key, load_pem_x509_certificates

from qcore.admission import always_retry
from qcore.config import QuicConfig
from qcore.testing import Trace
from qcore.testing.pair import SERVER_ADDRESS, SERVER_NAME
from qtls.adapters.self_signed import MadeCertificate, make_certificate
from qtls.client_hello import DEFAULT_CIPHERS
from qtls.config import ClientTLS, ServerTLS
from qtls.constants import CHACHA20_POLY1305_SHA256
from qtls.resumption import MemorySessionStore
from qwire.constants import VERSION_1, VERSION_2

from . import aioquic_sides, ours
from .rig import PREFERRED_ADDRESS, WALL_OFFSET, Client
from .sides import Application, Side

MADE = make_certificate([SERVER_NAME])
# A case may take a minute, and so may a handshake through heavy loss.
PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a case asks of both sides, in no implementation's words.

    Attributes:
        windows: flow-control windows of the client, per stream and in all.
        max_streams: streams that the server allows at first.
        version: what the client begins with; `versions` are what both can, their favourite first.
        chacha20: whether the client offers that cipher and nothing else.
        grant_early: whether the server takes 0-RTT.
        prefers_another: whether the server asks its clients to go to its other address.
    """

    alpn: str = "hq-interop"
    certificate: MadeCertificate = MADE
    windows: tuple[int, int] | None = None
    max_streams: int = 128
    version: int = VERSION_1
    versions: tuple[int, ...] = (VERSION_1, VERSION_2)
    chacha20: bool = False
    retry: bool = False
    grant_early: bool = True
    prefers_another: bool = False
    congestion: str = "cubic"


class Stacks:
    """One way round. It keeps the sessions of its client.

    Attributes:
        is_our_client: whether the client is this stack, and the server aioquic.
        make_our_connection, make_their_connection: what is spoken over connections, HTTP/0.9 unless changed.
    """

    is_our_client: bool

    def __init__(self) -> None:
        self.make_our_connection: ours.MakeConnection = ours.Connection
        self.make_their_connection: aioquic_sides.MakeConnection = aioquic_sides.Connection

    def serve(self, make_application: Callable[[], Application], options: Options, seed: int) -> Side:
        """Make a server."""
        raise NotImplementedError

    def dial(
        self, application: Application, options: Options, seed: int, now: float, *, early: bool = False
    ) -> Client:
        """Make a client; it resumes if an earlier one got a session."""
        raise NotImplementedError

    def our_trace(self) -> Trace:
        """What this stack observed of the last connection."""
        raise NotImplementedError


class OurClient(Stacks):
    """This stack at an aioquic server."""

    is_our_client = True

    def __init__(self) -> None:
        super().__init__()
        self.sessions = MemorySessionStore()
        self.client: ours.OurClient | None = None

    def serve(self, make_application: Callable[[], Application], options: Options, seed: int) -> Side:
        made = options.certificate
        chain = load_pem_x509_certificates(made.chain.certificate_pem())
        configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=[options.alpn],
            supported_versions=list(options.versions),
            certificate=chain[0],
            certificate_chain=chain[1:],
            private_key=load_pem_private_key(made.chain.key_pem()),
            congestion_control_algorithm="cubic" if options.congestion == "cubic" else "reno",
        )
        return aioquic_sides.AioquicServer(
            make_application,
            configuration=configuration,
            retry=options.retry,
            make_connection=self.make_their_connection,
        )

    def dial(
        self, application: Application, options: Options, seed: int, now: float, *, early: bool = False
    ) -> Client:
        ciphers = (CHACHA20_POLY1305_SHA256,) if options.chacha20 else DEFAULT_CIPHERS
        self.client = ours.OurClient(
            application,
            SERVER_ADDRESS,
            tls=ClientTLS(
                alpn=(options.alpn,),
                ca=options.certificate.ca_pem,
                server_name=SERVER_NAME,
                sessions=self.sessions,
                ciphers=ciphers,
            ),
            config=replace(_config(options), original_version=options.version),
            seed=seed,
            now=now,
            wall_offset=WALL_OFFSET,
            early=early,
            make_connection=self.make_our_connection,
        )
        return self.client

    def our_trace(self) -> Trace:
        assert self.client is not None
        return self.client.trace


class OurServer(Stacks):
    """aioquic at a server of this stack."""

    is_our_client = False

    def __init__(self) -> None:
        super().__init__()
        self.server: ours.OurServer | None = None
        self.client: aioquic_sides.AioquicClient | None = None

    def serve(self, make_application: Callable[[], Application], options: Options, seed: int) -> Side:
        self.server = ours.OurServer(
            make_application,
            tls=ServerTLS(
                certs=options.certificate.chain, alpn=(options.alpn,), early_data=options.grant_early
            ),
            config=replace(
                _config(options),
                max_bidi=options.max_streams,
                congestion=options.congestion,
                preferred_addresses=(PREFERRED_ADDRESS,) if options.prefers_another else (),
            ),
            admit=always_retry if options.retry else None,
            seed=seed,
            wall_offset=WALL_OFFSET,
            make_connection=self.make_our_connection,
        )
        return self.server

    def dial(
        self, application: Application, options: Options, seed: int, now: float, *, early: bool = False
    ) -> Client:
        settings: dict[str, Any] = {}
        if options.windows is not None:
            settings["max_stream_data"], settings["max_data"] = options.windows
        if options.chacha20:
            settings["cipher_suites"] = [CipherSuite.CHACHA20_POLY1305_SHA256]
        if self.client is not None and self.client.tickets:
            settings["session_ticket"] = self.client.tickets[-1]
        configuration = QuicConfiguration(
            alpn_protocols=[options.alpn],
            server_name=SERVER_NAME,
            original_version=options.version,
            supported_versions=list(options.versions),
            cadata=options.certificate.ca_pem,
            **settings,
        )
        self.client = aioquic_sides.AioquicClient(
            application,
            SERVER_ADDRESS,
            configuration=configuration,
            now=now,
            early=early,
            make_connection=self.make_their_connection,
        )
        return self.client

    def our_trace(self) -> Trace:
        assert self.server is not None
        return self.server.traces[-1]


def _config(options: Options) -> QuicConfig:
    config = QuicConfig(versions=options.versions, handshake_timeout=PATIENCE)
    if options.windows is not None:
        config = replace(config, stream_window=options.windows[0], connection_window=options.windows[1])
    return config
