"""One socket's worth of connections.

Finds the engine for a datagram, answers what needs no connection (Version Negotiation, Retry, refusals, stateless
resets), and makes engines for clients that are let in. RFC 9000 §5.2, §6, §8.1, §10.3.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias, final

from qtls.config import ClientTLS, ServerTLS
from qtls.initial import initial_keys
from qtls.resumption import Session
from qtls.retry import integrity_tag
from qwire.constants import CONNECTION_REFUSED, INVALID_TOKEN, RESET_TOKEN_SIZE, PacketType
from qwire.errors import DecodeError
from qwire.frames import ConnectionCloseFrame
from qwire.headers import LongHeader, long_packet_type, parse_long_header
from qwire.unprotected import Retry, VersionNegotiation, stateless_reset

from .admission import Admission, Admit, Arrival, admit_by_load
from .batch import Address, Datagram, SendBatch
from .config import QuicConfig
from .early_arrivals import EarlyArrivals
from .engine.engine import QuicEngine
from .engine.opening import FirstInitial
from .errors import UsageError
from .ids.generator import ConnectionIdGenerator, RandomIds
from .observer import Observer
from .packing.builder import HeaderMasker, PacketBuilder
from .packing.packer import MIN_INITIAL_SIZE
from .packing.source import FrameSource
from .spaces import INITIAL
from .stateless_reset import ResetLimiter, reset_size, reset_token
from .tokens import AddressTokens, TokenVerdict

DEFAULT_CID_SIZE: Final = 8
# RFC 9000 §7.2: a client's first destination connection ID.
MIN_FIRST_CID: Final = 8
# RFC 9000 §17.2.
MAX_CID: Final = 20
# A 0-RTT packet with connection IDs of 8 and 0 bytes that can be sampled.
SHORTEST_EARLY: Final = 1 + 4 + 1 + 8 + 1 + 1 + 4 + 16
# Answers without state that wait for the socket; what does not fit is not sent.
MAX_REPLIES: Final = 64

ObserverFactory: TypeAlias = Callable[[], Observer | None]
# Takes a datagram and the connection ID that it names; tells whether another process issued that ID and now has it.
HandOn: TypeAlias = Callable[[bytes, Datagram], bool]


class Listening:
    """How arriving clients are served."""

    __slots__ = ("admit", "config", "observer_factory", "tls")

    def __init__(
        self, tls: ServerTLS, config: QuicConfig, admit: Admit, observer_factory: ObserverFactory | None
    ) -> None:
        self.tls = tls
        self.config = config
        self.admit = admit
        self.observer_factory = observer_factory


@final
class Router:
    """Routes datagrams to engines.

    Args:
        cids: makes connection IDs of a listener, and of clients whose configuration asks for the same size.
        reset_key: secret that stateless reset tokens follow from; the same one after a restart.
        token_keys: secrets of address validation tokens, newest first.
        wall_offset: wall clock minus the clock of `now`, for the dates in tokens.
        hand_on: where several processes share an address: takes what names another's connection.
    """

    def __init__(
        self,
        *,
        cids: ConnectionIdGenerator | None = None,
        reset_key: bytes | None = None,
        token_keys: Sequence[bytes] = (),
        random: Callable[[int], bytes] = secrets.token_bytes,
        wall_offset: float = 0.0,
        hand_on: HandOn | None = None,
    ) -> None:
        self._random = random
        self._hand_on = hand_on or _keep
        self._cids = cids or RandomIds(DEFAULT_CID_SIZE, random)
        self._reset_token = partial(reset_token, reset_key or random(32))
        self._tokens = AddressTokens(tuple(token_keys) or (random(32),), random)
        self._wall_offset = wall_offset
        self._listening: Listening | None = None
        self._by_cid: dict[bytes, QuicEngine] = {}
        # Clients by the server's address: stateless resets come with a connection ID that says nothing.
        self._by_address: dict[Address, list[QuicEngine]] = {}
        self._cid_sizes: tuple[int, ...] = ()
        self._half_open: set[QuicEngine] = set()
        self._accepted: list[QuicEngine] = []
        self._by_local: dict[int, QuicEngine] = {}
        self._replies: list[tuple[Datagram, bytes]] = []
        self._resets = ResetLimiter()
        self._early = EarlyArrivals()

    # Connections

    def connect(
        self,
        address: Address,
        *,
        tls: ClientTLS,
        config: QuicConfig,
        server_name: str | None,
        now: float,
        wall_clock: float,
        session: Session | None = None,
        session_key: str | None = None,
        token: bytes = b"",
        observer: Observer | None = None,
    ) -> QuicEngine:
        """Start a connection to a server.

        Args:
            session: what to resume from; without one, the session store of the TLS configuration is asked.
            session_key: what sessions are kept under in that store; the server name by default.
            token: address validation token, in place of that in the configuration.

        Raises:
            UsageError: an empty source connection ID, and a connection to the same address without one.
            FlightError: the layout of the configuration does not fit the ClientHello.
        """
        size = config.initial.source_cid_size
        if size == 0 and address in self._by_address:
            raise UsageError(
                f"a second connection to {address[0]} needs connection IDs or a socket of its own"
            )
        generator = self._cids if size == self._cids.size else RandomIds(size, config.random)
        engine = QuicEngine.client(
            address=address,
            tls=tls,
            config=replace(config, token=token) if token else config,
            server_name=server_name,
            session=session,
            session_key=session_key,
            generator=generator,
            reset_token=self._reset_token,
            now=now,
            wall_clock=wall_clock,
            observer=observer,
        )
        self._by_address.setdefault(address, []).append(engine)
        self._add_size(size)
        self._update_ids(engine)
        return engine

    def listen(
        self,
        *,
        tls: ServerTLS,
        config: QuicConfig,
        admit: Admit | None = None,
        observer_factory: ObserverFactory | None = None,
    ) -> None:
        """Serve clients that arrive from now on. 0-RTT is taken if both configurations say so."""
        if tls.early_data and not config.early_data:
            tls = replace(tls, early_data=False)
        self._listening = Listening(tls, config, admit or admit_by_load, observer_factory)
        self._add_size(self._cids.size)

    def stop_listening(self) -> None:
        """Let no further client in; those that are in stay."""
        self._listening = None

    def accepted(self) -> list[QuicEngine]:
        """Engines of clients whose handshake has completed since the last call."""
        accepted, self._accepted = self._accepted, []
        return accepted

    def forget(self, engine: QuicEngine) -> None:
        """Route nothing to an engine any more."""
        self._half_open.discard(engine)
        self._update_ids(engine)
        for cid in engine.parts.local_ids.active():
            if self._by_cid.get(cid) is engine:
                del self._by_cid[cid]
        if engine.is_client:
            for address, engines in list(self._by_address.items()):
                if engine in engines:
                    engines.remove(engine)
                    if not engines:
                        del self._by_address[address]

    def own(self, local: int, engine: QuicEngine) -> None:
        """Whatever arrives at a socket other than the first belongs to one connection, until it is forgotten."""
        self._by_local[local] = engine

    def disown(self, local: int) -> None:
        """Nothing arrives at a socket any more."""
        self._by_local.pop(local, None)

    # Datagrams

    def receive(self, datagrams: Sequence[Datagram], now: float) -> list[QuicEngine]:
        """Give each datagram to its engine; returns the engines that got any."""
        groups: dict[QuicEngine, list[Datagram]] = {}
        for datagram in datagrams:
            if not datagram.data:
                continue
            engine = self._find(datagram)
            if engine is None:
                engine = self._answer(datagram, now)
                if engine is None:
                    continue
                data = datagram.data
                overtaken = self._early.take(data[6 : 6 + data[5]], datagram.address, now)
                groups[engine] = [datagram, *overtaken]
                continue
            group = groups.get(engine)
            if group is None:
                groups[engine] = [datagram]
            else:
                group.append(datagram)
        for engine, group in groups.items():
            engine.receive(group, now)
            self._update_ids(engine)
            if engine in self._half_open and (engine.is_established or engine.is_closed):
                self._half_open.discard(engine)
                if engine.is_established:
                    self._accepted.append(engine)
        return list(groups)

    def transmit(self, now: float, batch: SendBatch) -> int:
        """Add answers that belong to no connection; returns the number of datagrams."""
        count = min(len(self._replies), batch.limit - batch.count)
        for datagram, data in self._replies[:count]:
            batch.add(datagram.address, 0, data, datagram.local)
        del self._replies[:count]
        return count

    def _find(self, datagram: Datagram) -> QuicEngine | None:
        if datagram.local in self._by_local:
            return self._by_local[datagram.local]
        data = datagram.data
        if data[0] & 0x80:
            if len(data) <= 6:
                return None
            # A first Initial names an ID that nobody has yet, and may come from a peer that we dialled, too: so
            # the address counts only for clients without connection IDs.
            engine = self._by_cid.get(data[6 : 6 + data[5]])
            if engine is not None or data[5]:
                return engine
        else:
            for size in self._cid_sizes:
                engine = self._by_cid.get(data[1 : 1 + size])
                if engine is not None:
                    return engine
        engines = self._by_address.get(datagram.address)
        if engines is None:
            return None
        if len(engines) > 1 and len(data) >= RESET_TOKEN_SIZE:
            token = data[-RESET_TOKEN_SIZE:]
            for engine in engines:
                if engine.parts.remote_ids.is_reset_token(token):
                    return engine
        return engines[0]

    def _add_size(self, size: int) -> None:
        if size and size not in self._cid_sizes:
            self._cid_sizes = tuple(sorted({*self._cid_sizes, size}, reverse=True))

    def _update_ids(self, engine: QuicEngine) -> None:
        added, removed = engine.parts.local_ids.drain_changes()
        for cid in added:
            if cid:
                self._by_cid[cid] = engine
        for cid in removed:
            if self._by_cid.get(cid) is engine:
                del self._by_cid[cid]

    # Datagrams of nobody

    def _answer(self, datagram: Datagram, now: float) -> QuicEngine | None:
        """Make an engine for a new client, or answer without one, or stay silent."""
        data = datagram.data
        listening = self._listening
        if not data[0] & 0x80:
            if not self._hand_on(data[1 : 1 + self._cids.size], datagram) and listening is not None:
                self._reset(datagram, now)
            return None
        if listening is None or len(data) <= 6:
            return None
        version = int.from_bytes(data[1:5], "big")
        if version in listening.config.versions:
            packet_type = long_packet_type(data[0], version)
            if packet_type is PacketType.ZERO_RTT:
                self._keep_early(datagram, listening.config, now)
                return None
            if packet_type is not PacketType.INITIAL:
                self._hand_on(data[6 : 6 + data[5]], datagram)
                return None
        # RFC 9000 §14.1 and §5.2.2: smaller datagrams are neither served nor answered.
        if len(data) < MIN_INITIAL_SIZE:
            return None
        if version not in listening.config.versions:
            self._negotiate_version(datagram, version, listening.config)
            return None
        try:
            header = parse_long_header(data)
        except DecodeError:
            return None
        if len(header.destination_cid) < MIN_FIRST_CID:
            return None
        return self._admit(header, datagram, listening, now)

    def _keep_early(self, datagram: Datagram, config: QuicConfig, now: float) -> None:
        """Keep a datagram of nobody that starts with a 0-RTT packet: it may have overtaken its Initial."""
        data = datagram.data
        if len(data) >= SHORTEST_EARLY and config.early_data and MIN_FIRST_CID <= data[5] <= MAX_CID:
            self._early.keep(data[6 : 6 + data[5]], datagram, now)

    def _admit(
        self, header: LongHeader, datagram: Datagram, listening: Listening, now: float
    ) -> QuicEngine | None:
        address = datagram.address
        wall = now + self._wall_offset
        first = FirstInitial(
            local=datagram.local,
            destination_cid=header.destination_cid,
            source_cid=header.source_cid,
            version=header.version,
            original_cid=header.destination_cid,
        )
        if header.token:
            check = self._tokens.check(header.token, address, wall)
            if check.verdict is TokenVerdict.INVALID_RETRY or (
                check.verdict is TokenVerdict.RETRY and check.retry_source_cid != header.destination_cid
            ):
                self._refuse(header, datagram, INVALID_TOKEN)
                return None
            first.is_validated = check.verdict is not TokenVerdict.ABSENT
            if check.verdict is TokenVerdict.RETRY:
                first.is_retried = True
                first.original_cid = check.original_cid
        arrival = Arrival(
            address=address,
            version=header.version,
            is_validated=first.is_validated,
            half_open=len(self._half_open),
        )
        admission = listening.admit(arrival)
        if admission is Admission.RETRY and not first.is_retried:
            self._retry(header, datagram, wall)
        elif admission is Admission.REFUSE:
            self._refuse(header, datagram, CONNECTION_REFUSED)
        elif admission is not Admission.IGNORE:
            if first.is_genuine(datagram.data, header):
                return self._accept(first, address, listening, now)
            # A later Initial of a client whose address has changed, perhaps.
            self._hand_on(header.destination_cid, datagram)
        return None

    def _accept(self, first: FirstInitial, address: Address, listening: Listening, now: float) -> QuicEngine:
        engine = QuicEngine.server(
            first,
            address=address,
            tls=listening.tls,
            config=listening.config,
            generator=self._cids,
            reset_token=self._reset_token,
            now=now,
            wall_clock=now + self._wall_offset,
            new_token=lambda peer: self._tokens.seal_new(peer, now + self._wall_offset),
            observer=listening.observer_factory() if listening.observer_factory is not None else None,
        )
        self._half_open.add(engine)
        self._update_ids(engine)
        return engine

    def _reply(self, datagram: Datagram, data: bytes) -> None:
        if len(self._replies) < MAX_REPLIES:
            self._replies.append((datagram, data))

    def _negotiate_version(self, datagram: Datagram, version: int, config: QuicConfig) -> None:
        """RFC 9000 §6.1; never in answer to a Version Negotiation packet."""
        data = datagram.data
        destination_size = data[5]
        at = 6 + destination_size
        if version == 0 or len(data) <= at or len(data) < at + 1 + data[at]:
            return
        destination_cid, source_cid = data[6:at], data[at + 1 : at + 1 + data[at]]
        reserved = int.from_bytes(self._random(4), "big") & 0xF0F0F0F0 | 0x0A0A0A0A
        packet = VersionNegotiation(source_cid, destination_cid, (*config.versions, reserved))
        self._reply(datagram, packet.encode())

    def _retry(self, header: LongHeader, datagram: Datagram, wall: float) -> None:
        """RFC 9000 §8.1.2."""
        source_cid = self._cids.generate()
        token = self._tokens.seal_retry(datagram.address, header.destination_cid, source_cid, wall)
        draft = Retry(header.version, header.source_cid, source_cid, token, bytes(16)).encode()[:-16]
        self._reply(datagram, draft + integrity_tag(draft, header.destination_cid, header.version))

    def _refuse(self, header: LongHeader, datagram: Datagram, code: int) -> None:
        """A CONNECTION_CLOSE in an Initial packet, and no state. RFC 9000 §5.2.2, §8.1.3."""
        keys = initial_keys(header.destination_cid, header.version)
        builder = PacketBuilder(
            space=INITIAL,
            packet_type=PacketType.INITIAL,
            packet_number=0,
            packet_number_size=1,
            limit=100,
            now=0.0,
            sealer=keys.server_sealer,
            destination_cid=header.source_cid,
            source_cid=self._cids.generate(),
            version=header.version,
        )
        builder.append(ConnectionCloseFrame(code, 0, b"", False), FrameSource())
        builder.pad_for_sample()
        masker = HeaderMasker()
        packet_header, ciphertext = builder.seal()
        masker.add(builder.sealer, packet_header, 1, ciphertext)
        masker.end_datagram(1, 0)
        self._reply(datagram, masker.finish()[0])

    def _reset(self, datagram: Datagram, now: float) -> None:
        """RFC 9000 §10.3: tell a peer whose connection we do not know."""
        data = datagram.data
        size = reset_size(len(data))
        cid_size = self._cids.size
        if size and cid_size and len(data) > cid_size and self._resets.allow(now):
            token = self._reset_token(data[1 : 1 + cid_size])
            self._reply(datagram, stateless_reset(token, size, self._random))


def _keep(cid: bytes, datagram: Datagram) -> bool:
    """Hand nothing on."""
    return False
