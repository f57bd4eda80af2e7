"""Datagrams that belong to no connection: who is let in, and what the others are told.

Answers what needs no state - Version Negotiation, Retry, refusals, stateless resets - and hands newcomers to whoever
makes connections. RFC 9000 §5.2.2, §6, §8.1, §10.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, final

from qtls.config import ServerTLS
from qtls.initial import initial_keys
from qtls.light_dataclass import replace
from qtls.retry import integrity_tag
from qwire.constants import CONNECTION_REFUSED, INVALID_TOKEN, PacketType
from qwire.errors import DecodeError
from qwire.frames import ConnectionCloseFrame
from qwire.headers import LongHeader, long_packet_type, parse_long_header
from qwire.unprotected import Retry, VersionNegotiation, stateless_reset

from .admission import Admission, Admit, Crowd, admit_by_load
from .batch import Address, Datagram, SendBatch
from .config import QuicConfig
from .early_arrivals import EarlyArrivals
from .engine.opening import FirstInitial
from .ids.generator import ConnectionIdGenerator
from .observer import Observer
from .packing.builder import MIN_INITIAL_SIZE, PacketBuilder
from .packing.source import FrameSource
from .spaces import INITIAL
from .stateless_reset import ResetLimiter, reset_size
from .tokens import AddressTokens, TokenVerdict

# RFC 9000 §7.2: a client's first destination connection ID.
MIN_FIRST_CID: Final = 8
# RFC 9000 §17.2.
MAX_CID: Final = 20
# A 0-RTT packet with connection IDs of 8 and 0 bytes that can be sampled.
SHORTEST_EARLY: Final = 1 + 4 + 1 + 8 + 1 + 1 + 4 + 16
# Answers without state that wait for the socket; what does not fit is not sent.
MAX_REPLIES: Final = 64

ObserverFactory: TypeAlias = Callable[[], Observer | None]
# Takes a datagram and the connection ID that it names; tells whether another process has it now.
HandOn: TypeAlias = Callable[[bytes, Datagram], bool]


@final
class Listening:
    """How arriving clients are served; `waiting` tells how many connections the application has yet to accept."""

    __slots__ = ("admit", "config", "observer_factory", "tls", "waiting")

    def __init__(
        self,
        tls: ServerTLS,
        config: QuicConfig,
        admit: Admit | None,
        observer_factory: ObserverFactory | None,
        waiting: Callable[[], int],
    ) -> None:
        # 0-RTT is taken if both configurations say so.
        self.tls = replace(tls, early_data=False) if tls.early_data and not config.early_data else tls
        self.config = config
        self.admit = admit or admit_by_load
        self.observer_factory = observer_factory
        self.waiting = waiting


@final
class Newcomer:
    """A client that is let in: its first datagram, and those that had overtaken it."""

    __slots__ = ("datagrams", "first", "listening")

    def __init__(self, first: FirstInitial, datagrams: Sequence[Datagram], listening: Listening) -> None:
        self.first = first
        self.datagrams = datagrams
        self.listening = listening

    @property
    def address(self) -> Address:
        return self.datagrams[0].address


@final
class Reception:
    """Where datagrams go that no connection wants.

    Args:
        reset_token: the stateless reset token of a connection ID.
        wall_offset: wall clock minus the clock of `now`, for the dates in tokens.
        hand_on, pass_on: as of `Router`.

    Attributes:
        crowd: the clients that were let in.
        listening: how clients are served, or None while nobody is let in.
        tokens: those that prove the addresses of clients.
    """

    __slots__ = (
        "_cids",
        "_early",
        "_hand_on",
        "_pass_on",
        "_random",
        "_replies",
        "_reset_token",
        "_resets",
        "_wall_offset",
        "crowd",
        "listening",
        "tokens",
    )

    def __init__(
        self,
        *,
        cids: ConnectionIdGenerator,
        tokens: AddressTokens,
        reset_token: Callable[[bytes], bytes],
        random: Callable[[int], bytes],
        wall_offset: float,
        hand_on: HandOn | None,
        pass_on: HandOn | None = None,
    ) -> None:
        self.crowd = Crowd()
        self.listening: Listening | None = None
        self._cids = cids
        self.tokens = tokens
        self._reset_token = reset_token
        self._random = random
        self._wall_offset = wall_offset
        self._hand_on = hand_on or _keep
        self._pass_on = pass_on or _keep
        self._early = EarlyArrivals()
        self._resets = ResetLimiter()
        self._replies: list[tuple[Datagram, bytes]] = []

    def receive(self, datagram: Datagram, now: float) -> Newcomer | None:
        """Let a client in, or answer without a connection, or stay silent."""
        data = datagram.data
        listening = self.listening
        if not data[0] & 0x80:
            if not self._hand_on(data[1 : 1 + self._cids.size], datagram) and listening is not None:
                self._reset(datagram, now)
            return None
        if len(data) <= 6:
            return None
        if listening is None:
            cid = data[6 : 6 + data[5]]
            if not self._hand_on(cid, datagram):
                self._pass_on(cid, datagram)
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
        first = self._admit(header, datagram, listening, now)
        if first is None:
            return None
        overtaken = self._early.take(header.destination_cid, datagram.address, now)
        return Newcomer(first, (datagram, *overtaken), listening)

    def transmit(self, batch: SendBatch) -> int:
        """Add the answers; returns the number of datagrams."""
        if not self._replies:
            return 0
        count = min(len(self._replies), batch.limit - batch.count)
        for datagram, data in self._replies[:count]:
            batch.add(datagram.address, 0, data, datagram.local)
        del self._replies[:count]
        return count

    def _keep_early(self, datagram: Datagram, config: QuicConfig, now: float) -> None:
        """Keep a datagram of nobody that starts with a 0-RTT packet: it may have overtaken its Initial."""
        data = datagram.data
        if len(data) >= SHORTEST_EARLY and config.early_data and MIN_FIRST_CID <= data[5] <= MAX_CID:
            self._early.keep(data[6 : 6 + data[5]], datagram, now)

    def _admit(
        self, header: LongHeader, datagram: Datagram, listening: Listening, now: float
    ) -> FirstInitial | None:
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
            check = self.tokens.check(header.token, address, wall)
            if check.verdict is TokenVerdict.INVALID_RETRY or (
                check.verdict is TokenVerdict.RETRY and check.retry_source_cid != header.destination_cid
            ):
                # RFC 9000 §8.1.3; a token that was damaged under way is no such token, nor is its packet genuine.
                if first.is_genuine(datagram.data, header):
                    self._refuse(header, datagram, INVALID_TOKEN)
                return None
            first.is_validated = check.verdict is not TokenVerdict.ABSENT
            if check.verdict is TokenVerdict.RETRY:
                first.is_retried = True
                first.original_cid = check.original_cid
        arrival = self.crowd.arrival(address, header.version, first.is_validated, listening.waiting())
        admission = listening.admit(arrival)
        if admission is Admission.RETRY and not first.is_retried:
            self._retry(header, datagram, wall)
        elif admission is Admission.REFUSE:
            self._refuse(header, datagram, CONNECTION_REFUSED)
        elif admission is not Admission.IGNORE:
            if first.is_genuine(datagram.data, header):
                return first
            # A later Initial of a client whose address has changed, perhaps.
            self._hand_on(header.destination_cid, datagram)
        return None

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
        token = self.tokens.seal_retry(datagram.address, header.destination_cid, source_cid, wall)
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
        self._reply(datagram, builder.protect())

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
