"""One socket's worth of connections.

Finds the engine for a datagram, makes those of servers that are dialled and of clients that are let in, and leaves
what belongs to nobody to `Reception`. RFC 9000 §5.2.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, final

from qtls.config import ClientTLS, ServerTLS
from qtls.light_dataclass import replace
from qtls.resumption import Session
from qwire.constants import RESET_TOKEN_SIZE

from .batch import Address, Datagram, SendBatch
from .config import QuicConfig
from .engine.engine import QuicEngine
from .errors import UsageError
from .ids.generator import ConnectionIdGenerator, RandomIds
from .observer import Observer
from .stateless_reset import KEY_SIZE, ResetTokens

if TYPE_CHECKING:
    from .admission import Admit
    from .reception import HandOn, Newcomer, ObserverFactory, Reception
    from .tokens import UsedTokens

DEFAULT_CID_SIZE: Final = 8
# What routers share that have none of a kind: nobody may put anything into these.
NO_ENGINES: Final[list[QuicEngine]] = []
NO_SOCKETS: Final[dict[int, QuicEngine]] = {}


@final
class Router:
    """Routes datagrams to engines.

    Args:
        cids: makes connection IDs of a listener, and of clients whose configuration asks for the same size.
        reset_key: secret that stateless reset tokens follow from; the same one after a restart.
        reset_tokens: instead of the key: what routers without strangers share.
        token_keys: secrets of address validation tokens, newest first.
        wall_offset: wall clock minus the clock of `now`, for the dates in tokens.
        hand_on: where several processes share an address: takes what names another's connection.
        pass_on: takes what clients send that come while nobody is let in here, and name no connection.
        used_tokens: remembers which tokens were taken; by default what this router has taken.
    """

    def __init__(
        self,
        *,
        cids: ConnectionIdGenerator | None = None,
        reset_key: bytes | None = None,
        reset_tokens: ResetTokens | None = None,
        token_keys: Sequence[bytes] = (),
        random: Callable[[int], bytes] = os.urandom,
        wall_offset: float = 0.0,
        hand_on: HandOn | None = None,
        pass_on: HandOn | None = None,
        used_tokens: UsedTokens | None = None,
    ) -> None:
        self._random = random
        self._cids = cids or RandomIds(DEFAULT_CID_SIZE, random)
        self._reset_token = (reset_tokens or ResetTokens(reset_key or random(KEY_SIZE))).make
        self._wall_offset = wall_offset
        self._token_keys = tuple(token_keys)
        self._hand_on = hand_on
        self._pass_on = pass_on
        self._used_tokens = used_tokens
        # Only those who serve receive strangers, and those who hand them on.
        self._reception: Reception | None = None if hand_on is None else self._make_reception()
        self._by_cid: dict[bytes, QuicEngine] = {}
        # Clients by the server's address: stateless resets come with a connection ID that says nothing.
        self._by_address: dict[Address, list[QuicEngine]] = {}
        self._cid_sizes: tuple[int, ...] = ()
        self._accepted = NO_ENGINES
        self._by_local = NO_SOCKETS

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
        waiting: Callable[[], int] | None = None,
    ) -> None:
        """Serve clients that arrive from now on. 0-RTT is taken if both configurations say so.

        Args:
            admit: decides about each of them.
            waiting: tells how many connections the application has yet to accept.
        """
        from .reception import Listening

        if self._reception is None:
            self._reception = self._make_reception()
        self._reception.listening = Listening(tls, config, admit, observer_factory, waiting or _none_wait)
        self._add_size(self._cids.size)

    def _make_reception(self) -> Reception:
        from .reception import Reception  # clients do without what belongs to it
        from .tokens import AddressTokens

        keys = self._token_keys or (self._random(32),)
        return Reception(
            cids=self._cids,
            tokens=AddressTokens(keys, self._random, used=self._used_tokens),
            reset_token=self._reset_token,
            random=self._random,
            wall_offset=self._wall_offset,
            hand_on=self._hand_on,
            pass_on=self._pass_on,
        )

    def stop_listening(self) -> None:
        """Let no further client in; those that are in stay."""
        if self._reception is not None:
            self._reception.listening = None

    @property
    def half_open(self) -> int:
        """Handshakes in progress with clients that were let in."""
        return self._reception.crowd.half_open if self._reception is not None else 0

    def accepted(self) -> list[QuicEngine]:
        """Engines of clients whose handshake has completed since the last call."""
        accepted = self._accepted
        self._accepted = NO_ENGINES
        return accepted

    def forget(self, engine: QuicEngine) -> None:
        """Route nothing to an engine any more."""
        if self._reception is not None:
            self._reception.crowd.leave(engine)
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
        if self._by_local:
            self._by_local[local] = engine
        else:
            self._by_local = {local: engine}

    def disown(self, local: int) -> None:
        """Nothing arrives at a socket any more."""
        if local in self._by_local:
            del self._by_local[local]

    # Datagrams

    def receive(
        self, datagrams: Sequence[Datagram], now: float, *, settles: bool = False
    ) -> list[QuicEngine]:
        """Give each datagram to its engine; returns the engines that got any, which `settles` means.

        See `QuicEngine.receive`.
        """
        groups: dict[QuicEngine, list[Datagram]] = {}
        reception = self._reception
        group: list[Datagram] | None = None
        # In bulk transfer datagram after datagram has the same connection ID, which need not be looked up.
        size = self._cid_sizes[0] if len(datagrams) > 1 and self._cid_sizes and not self._by_local else 0
        last = b""
        for datagram in datagrams:
            data = datagram.data
            if not data:
                continue
            cid = data[1 : 1 + size] if size and data[0] < 0x80 else b""
            if group is not None and cid and cid == last:
                group.append(datagram)
                continue
            engine = self._find(datagram)
            last = cid if cid and self._by_cid.get(cid) is engine else b""
            if engine is None:
                newcomer = reception.receive(datagram, now) if reception is not None else None
                if reception is not None and newcomer is not None:
                    groups[self._accept(reception, newcomer, now)] = list(newcomer.datagrams)
                continue
            group = groups.get(engine)
            if group is None:
                group = groups[engine] = [datagram]
            else:
                group.append(datagram)
        for engine, group in groups.items():
            engine.receive(group, now, settles=settles)
            ids = engine.parts.local_ids
            if ids.added or ids.removed:
                self._update_ids(engine)
            if (
                reception is not None
                and reception.crowd.is_half_open(engine)
                and (engine.is_established or engine.is_closed)
            ):
                reception.crowd.settle(engine)
                if engine.is_established:
                    if self._accepted:
                        self._accepted.append(engine)
                    else:
                        self._accepted = [engine]
        return list(groups)

    def transmit(self, now: float, batch: SendBatch) -> int:
        """Add answers that belong to no connection; returns the number of datagrams."""
        return self._reception.transmit(batch) if self._reception is not None else 0

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

    def _accept(self, reception: Reception, newcomer: Newcomer, now: float) -> QuicEngine:
        listening = newcomer.listening
        engine = QuicEngine.server(
            newcomer.first,
            address=newcomer.address,
            tls=listening.tls,
            config=listening.config,
            generator=self._cids,
            reset_token=self._reset_token,
            now=now,
            wall_clock=now + self._wall_offset,
            new_token=lambda peer: reception.tokens.seal_new(peer, now + self._wall_offset),
            observer=listening.observer_factory() if listening.observer_factory is not None else None,
        )
        reception.crowd.enter(engine, newcomer.address)
        self._update_ids(engine)
        return engine


def _none_wait() -> int:
    return 0
