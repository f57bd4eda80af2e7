"""What the cases of the interoperability runner have in common: a client and a server that speak HTTP/0.9.

HTTP/0.9 over QUIC ("hq-interop") is a request line on a stream of the client, and the file as the answer.
"""

from typing import Final

from qcore.config import QuicConfig
from qcore.errors import IdleTimeout, StreamLimitReached
from qcore.events import SessionReceived
from qcore.testing import LinkConfig, Pair, Seeded
from qcore.testing.interop import LIMIT, LINK, Sent
from qcore.testing.pair import WALL, throwaway_certificate
from qtls.config import ClientTLS, ServerTLS
from qtls.resumption import MemorySessionStore
from qwire.constants import PacketType

KIB: Final = 1 << 10
MIB: Final = 1 << 20
ALPN: Final = "hq-interop"


class Endpoints:
    """Certificates and sessions that several connections share."""

    def __init__(self, *, server: ServerTLS | None = None, ca: bytes = b"", **client: object) -> None:
        made = throwaway_certificate()
        self.server = server or ServerTLS(certs=made.chain, alpn=(ALPN,), early_data=True)
        self.store = MemorySessionStore()
        self.client = ClientTLS(alpn=(ALPN,), ca=ca or made.ca_pem, sessions=self.store, **client)  # type: ignore[arg-type]  # fields of ClientTLS


class Case:
    """One connection of a case, and a server with files.

    Attributes:
        pair: the connection.
        to_server, to_client: what was put on the links.
    """

    def __init__(
        self,
        endpoints: Endpoints | None = None,
        *,
        link: LinkConfig = LINK,
        client: QuicConfig | None = None,
        server: QuicConfig | None = None,
        seed: int = 0,
        connection: int = 0,
        **options: object,
    ) -> None:
        endpoints = endpoints or Endpoints()
        self.pair = Pair(
            client_tls=endpoints.client,
            server_tls=endpoints.server,
            client_config=client or QuicConfig(),
            server_config=server or QuicConfig(),
            to_server=link,
            to_client=link,
            seed=seed,
            wall=WALL + 60 * connection,
            **options,  # type: ignore[arg-type]  # the options of Pair
        )
        self.to_server: list[Sent] = []
        self.to_client: list[Sent] = []
        for link_of, wire in ((self.pair.to_server, self.to_server), (self.pair.to_client, self.to_client)):
            link_of.filter(lambda datagram, wire=wire: not wire.append(Sent(self.pair.now, datagram)))  # type: ignore[misc]
        self._files: dict[bytes, bytes] = {}
        self._wanted: list[bytes] = []
        self._streams: dict[int, bytes] = {}
        self._seen = 0

    def fetch(
        self,
        sizes: list[int],
        *,
        early: bool = False,
        session: bool = False,
        name_size: int = 10,
        limit: float = LIMIT,
    ) -> None:
        """Download files of these sizes, all at once, and close.

        Args:
            early: ask in 0-RTT.
            session: stay until there is a session to resume.
            name_size: characters of a file's name.
        """
        pair = self.pair
        content = Seeded(f"files {pair.seed}")(max(sizes) + len(sizes))
        for index, size in enumerate(sizes):
            name = f"{index:0{name_size}}".encode()
            self._files[name] = content[index : index + size]
            self._wanted.append(name)
        if early:
            self._ask()
        pair.run_until(self._is_done, limit)
        for stream, name in self._streams.items():
            assert self._files[name] == pair.received["client", stream]
        if session:
            pair.run_until(lambda: any(isinstance(event, SessionReceived) for event in pair.client_events))
        pair.client.close()
        pair.run_until(lambda: pair.server is not None and pair.server.is_closed, limit)
        assert pair.client.error is None
        assert pair.server is not None
        # On a bad link the close may be lost, and nobody asks for it again.
        assert pair.server.error is None or isinstance(pair.server.error, IdleTimeout)

    def _is_done(self) -> bool:
        pair = self.pair
        assert not pair.client.is_closed, f"seed {pair.seed}: {pair.client.error!r}"
        if self._wanted and pair.client.is_established:
            self._ask()
        if pair.server is not None:
            self._answer()
        return not self._wanted and all(("client", stream) in pair.finished for stream in self._streams)

    def _ask(self) -> None:
        client = self.pair.client
        while self._wanted:
            try:
                stream = client.open_stream()
            except StreamLimitReached:
                return
            name = self._wanted.pop(0)
            self._streams[stream] = name
            client.send(stream, b"GET /" + name + b"\r\n", True)

    def _answer(self) -> None:
        pair = self.pair
        assert pair.server is not None
        if self._seen == len(pair.finished):
            return
        self._seen = len(pair.finished)
        for key in [key for key in pair.finished if key[0] == "server"]:
            request = pair.received.get(key)
            if request:
                pair.server.send(key[1], self._files[bytes(request[5:-2])], True)
                pair.received[key].clear()  # answered

    def handshakes(self) -> int:
        """Handshakes as the runner counts them: source connection IDs of the server's Initial packets."""
        return len({sent.headers[0].source_cid for sent in self.to_client if sent.kind is PacketType.INITIAL})

    def is_retried(self) -> bool:
        return any(sent.kind is PacketType.RETRY for sent in self.to_client)
