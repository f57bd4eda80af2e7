"""Client: Retry and Version Negotiation, which send the first flight once more. RFC 9000 §6.2, §17.2.5."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, final

from qtls.initial import initial_keys
from qtls.mac import equal
from qwire.constants import PacketType
from qwire.errors import DecodeError
from qwire.headers import long_packet_type
from qwire.unprotected import Retry, VersionNegotiation

from ..errors import caused
from ..observer import Observer
from ..packing.initial_flight import FlightReason
from ..spaces import INITIAL
from .handshake import TlsHandshake, configuration_error
from .negotiation import Negotiation
from .parts import Parts
from .version import choose_after_negotiation

TAG_SIZE: Final = 16
# A long header with two empty connection IDs.
SHORTEST: Final = 7


class Outcome(Enum):
    """What became of a packet without protection."""

    IGNORED = "ignored"
    RESTARTED = "restarted"
    HOPELESS = "no version in common"


@final
class Restart:
    """Judges Retry and Version Negotiation packets and restarts the first flight.

    Attributes:
        offered: the versions of the last Version Negotiation packet.
    """

    __slots__ = ("_negotiation", "_observer", "_parts", "_restart_tls", "offered")

    def __init__(
        self,
        parts: Parts,
        negotiation: Negotiation,
        restart_tls: Callable[[], tuple[TlsHandshake, bytes]] | None,
        observer: Observer | None,
    ) -> None:
        self.offered: tuple[int, ...] = ()
        self._parts = parts
        self._negotiation = negotiation
        self._restart_tls = restart_tls
        self._observer = observer

    def settle(self) -> None:
        """The server was heard, and nothing starts anew any more."""
        self._restart_tls = None

    def receive(self, data: bytes, now: float) -> Outcome | None:
        """Look at a datagram that came before anything else was heard; None when it holds protected packets."""
        if not data[0] & 0x80 or len(data) < SHORTEST:
            return None
        version = int.from_bytes(data[1:5], "big")
        if version == 0:
            outcome = self.on_version_negotiation(data)
            if outcome is not Outcome.IGNORED and self._observer is not None:
                chosen = self._negotiation.version if outcome is Outcome.RESTARTED else None
                self._observer.version_negotiated(now, self.offered, chosen)
            return outcome
        if version != self._negotiation.version or long_packet_type(data[0], version) is not PacketType.RETRY:
            return None
        outcome = self.on_retry(data, now)
        if outcome is Outcome.RESTARTED and self._observer is not None:
            self._observer.retry_received(now, self._parts.packer.headers.token)
        return outcome

    def on_retry(self, datagram: bytes, now: float) -> Outcome:
        """Take a Retry packet, if it is genuine and the first. RFC 9000 §17.2.5.2."""
        negotiation, parts = self._negotiation, self._parts
        try:
            retry = Retry.parse(datagram)
        except DecodeError:
            return Outcome.IGNORED
        if (
            negotiation.retry_cid is not None
            or retry.version != negotiation.version
            or retry.destination_cid != negotiation.local_cid
            or retry.source_cid == negotiation.original_cid
            or not retry.token
        ):
            return Outcome.IGNORED
        from qtls.retry import integrity_tag  # few servers send a Retry

        tag = integrity_tag(datagram[:-TAG_SIZE], negotiation.original_cid, negotiation.version)
        if not equal(tag, retry.integrity_tag):
            return Outcome.IGNORED
        negotiation.retry_cid = retry.source_cid
        parts.remote_ids.replace_first(retry.source_cid)
        parts.packer.headers.destination_cid = retry.source_cid
        parts.packer.headers.token = retry.token
        keys = initial_keys(retry.source_cid, negotiation.version)
        parts.install_initial_keys(keys.client_sealer, keys.server_opener)
        parts.recovery.on_retry(now)
        parts.spaces[INITIAL].crypto.restart()
        parts.packer.begin_flight(FlightReason.RETRY)
        return Outcome.RESTARTED

    def on_version_negotiation(self, datagram: bytes) -> Outcome:
        """Take a Version Negotiation packet that answers our first flight. RFC 9000 §6.2.

        Raises:
            TransportError: INTERNAL_ERROR, no other ClientHello can be made.
        """
        negotiation, parts = self._negotiation, self._parts
        try:
            packet = VersionNegotiation.parse(datagram)
        except DecodeError:
            return Outcome.IGNORED
        if (
            self._restart_tls is None
            or negotiation.after_negotiation
            or packet.destination_cid != negotiation.local_cid
            or packet.source_cid != parts.packer.headers.destination_cid
        ):
            return Outcome.IGNORED
        self.offered = tuple(packet.versions)
        if negotiation.version in packet.versions:  # RFC 9000 §6.2: to be ignored
            return Outcome.HOPELESS if parts.packer.habits.heeds_any_negotiation else Outcome.IGNORED
        version = choose_after_negotiation(negotiation.config.versions, negotiation.version, packet.versions)
        if version is None:
            return Outcome.HOPELESS
        negotiation.after_negotiation = True
        self.use_version(version)
        parts.recovery.requeue_all(INITIAL)
        try:
            tls, hello = self._restart_tls()
        except Exception as error:
            raise caused(configuration_error(error), error) from error
        parts.handshake.tls = tls
        parts.spaces[INITIAL].crypto.replace(hello)
        parts.packer.begin_flight(FlightReason.VERSION_NEGOTIATION, hello)
        return Outcome.RESTARTED

    def change_version(self, version: int, now: float) -> None:
        """The other side, or we as a server, settled on a compatible version. RFC 9368 §2.3."""
        self.use_version(version)
        self._parts.handshake.tls.set_version(version)
        if self._observer is not None:
            self._observer.version_negotiated(now, (), version)

    def use_version(self, version: int) -> None:
        """Speak another version from here on, with Initial keys of that version."""
        negotiation, parts = self._negotiation, self._parts
        negotiation.version = version
        parts.packer.headers.version = version
        parts.receiver.version = version
        keys = initial_keys(
            negotiation.retry_cid if negotiation.retry_cid is not None else negotiation.original_cid, version
        )
        if parts.is_client:
            parts.install_initial_keys(keys.client_sealer, keys.server_opener)
        else:
            parts.receiver.first_opener = parts.spaces[INITIAL].opener
            parts.install_initial_keys(keys.server_sealer, keys.client_opener)
