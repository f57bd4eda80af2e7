"""What the cases of the interoperability runner have in common: its link, HTTP/0.9, and a look at the wire.

HTTP/0.9 over QUIC ("hq-interop") is a request line on a stream of the client, and the file as the answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.errors import IdleTimeout, StreamLimitReached
from qcore.events import SessionReceived
from qcore.testing import LinkConfig, Pair, Seeded
from qcore.testing.pair import WALL, throwaway_certificate
from qtls.config import ClientTLS, ServerTLS
from qtls.resumption import MemorySessionStore
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.headers import LongHeader, long_packet_type, parse_long_header

KIB: Final = 1 << 10
MIB: Final = 1 << 20
# 15 ms one way, 10 Mbit/s, 25 packets of 1,500 bytes.
LINK: Final = LinkConfig(delay=0.015, rate=1_250_000, queue=37_500)
# The longest time a case may take.
LIMIT: Final = 60.0
ALPN: Final = "hq-interop"


def lossy(loss: float) -> LinkConfig:
    """The link with random loss, at most three datagrams in a row."""
    return replace(LINK, loss=loss, max_loss_run=3)


def damage(seed: str, share: float) -> Callable[[Datagram], bool]:
    """A filter that corrupts a byte within the first 50 of a payload, of at most three datagrams in a row.

    Version Negotiation packets are left as they are: nothing protects them.
    """
    chance = Seeded(seed)
    run = 0

    def pass_on(datagram: Datagram) -> bool:
        nonlocal run
        data = datagram.data
        is_negotiation = data[0] & 0x80 and data[1:5] == bytes(4)
        if is_negotiation or run >= 3 or chance.uniform() >= share:
            run = 0
            return True
        run += 1
        at = chance.below(min(50, len(data)))
        datagram.data = data[:at] + bytes((data[at] ^ (1 + chance.below(255)),)) + data[at + 1 :]
        return True

    return pass_on


@dataclass(frozen=True)
class Sent:
    """A datagram that was put on a link."""

    time: float
    datagram: Datagram

    @property
    def kind(self) -> PacketType | None:
        """The type of its first packet; None for a short header or Version Negotiation."""
        data = self.datagram.data
        if not data[0] & 0x80 or self.version not in (VERSION_1, VERSION_2):
            return None
        return long_packet_type(data[0], self.version)

    @property
    def headers(self) -> list[LongHeader]:
        """The long headers of its packets."""
        data = self.datagram.data
        headers: list[LongHeader] = []
        at = 0
        while at < len(data) and data[at] & 0x80 and self.version in (VERSION_1, VERSION_2):
            if long_packet_type(data[at], self.version) is PacketType.RETRY:
                break
            headers.append(parse_long_header(data, at))
            at = headers[-1].end
        return headers

    @property
    def version(self) -> int:
        return int.from_bytes(self.datagram.data[1:5], "big") if self.datagram.data[0] & 0x80 else -1


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
