"""The keys of a captured connection: Initial ones from the wire, the others from a key log.

`FlowKeys` follows one connection in both directions and opens what it can for `qwire.dissect`. RFC 9001 §5;
key-log labels as in draft-ietf-tls-keylogfile.
"""

from collections.abc import Mapping
from typing import Final, final

from qtls.constants import AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256
from qtls.initial import InitialKeys, initial_keys
from qtls.protection import Opener, opener_from_secret
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.dissect import OpenedPacket, open_packet
from qwire.errors import DecodeError
from qwire.headers import parse_long_header

CLIENT_LABELS: Final = {
    PacketType.ZERO_RTT: "CLIENT_EARLY_TRAFFIC_SECRET",
    PacketType.HANDSHAKE: "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    PacketType.ONE_RTT: "CLIENT_TRAFFIC_SECRET_0",
}
SERVER_LABELS: Final = {
    PacketType.HANDSHAKE: "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    PacketType.ONE_RTT: "SERVER_TRAFFIC_SECRET_0",
}
VERSIONS: Final = (VERSION_1, VERSION_2)
SUITES: Final = {
    32: (AES_128_GCM_SHA256, CHACHA20_POLY1305_SHA256),
    48: (AES_256_GCM_SHA384,),
}
#: Attempts to connect on one pair of addresses that are kept apart; Retry makes another of one.
MAX_ATTEMPTS: Final = 16


@final
class FlowKeys:
    """The keys of one connection, or of several attempts on one pair of addresses.

    Args:
        secrets: key-log labels to secrets; without them only Initial packets open.
    """

    def __init__(self, secrets: Mapping[str, bytes] | None = None) -> None:
        secrets = secrets or {}
        self._first_cids: list[bytes] = []
        self._initial: dict[tuple[bytes, int], InitialKeys] = {}
        self.client = DirectionKeys(self, secrets, CLIENT_LABELS, True)
        self.server = DirectionKeys(self, secrets, SERVER_LABELS, False)

    def observe(self, datagram: bytes, from_client: bool) -> None:
        """Learn connection IDs, and with them Initial keys, before `datagram` is opened."""
        try:
            header = parse_long_header(datagram)
        except DecodeError:
            return
        receiver = self.server if from_client else self.client
        receiver.cid_size = len(header.source_cid)
        if not from_client or header.packet_type is not PacketType.INITIAL or header.version not in VERSIONS:
            return
        if header.destination_cid not in self._first_cids:
            self._first_cids.append(header.destination_cid)
            del self._first_cids[:-MAX_ATTEMPTS]

    def initial_openers(self, is_client: bool, version: int) -> list[Opener]:
        """Openers for Initial packets of one side, of the newest attempt first.

        The version may change within an attempt, its connection ID for keys does not. RFC 9369 §4.
        """
        openers = []
        for cid in reversed(self._first_cids):
            keys = self._initial.get((cid, version))
            if keys is None:
                keys = self._initial[cid, version] = initial_keys(cid, version)
            openers.append(keys.client_opener if is_client else keys.server_opener)
        return openers


@final
class DirectionKeys:
    """What opens the packets of one side; a `qwire.dissect.KeySource`."""

    def __init__(
        self, flow: FlowKeys, secrets: Mapping[str, bytes], labels: Mapping[PacketType, str], is_client: bool
    ) -> None:
        self.cid_size: int | None = None
        self._flow = flow
        self._is_client = is_client
        self._secrets = {kind: secrets[label] for kind, label in labels.items() if label in secrets}
        self._openers: dict[PacketType, list[Opener]] = {}
        self._largest: dict[PacketType, int] = {}
        self._version = VERSION_1

    def short_cid_size(self, packet: bytes) -> int | None:
        """Size of the destination connection ID, as the other side chose it."""
        return self.cid_size

    def open(
        self,
        packet_type: PacketType,
        version: int,
        destination_cid: bytes,
        packet: bytes,
        packet_number_offset: int,
    ) -> OpenedPacket | None:
        """Open one packet with whatever key fits."""
        if version in VERSIONS:
            self._version = version
        for opener in self._candidates(packet_type):
            opened = open_packet(
                packet, packet_number_offset, opener.masks, opener.open, self._largest.get(packet_type, -1)
            )
            if opened is not None:
                self._largest[packet_type] = max(opened.packet_number, self._largest.get(packet_type, -1))
                if packet_type is not PacketType.INITIAL:
                    self._prefer(packet_type, opener)
                return opened
        return None

    def _candidates(self, packet_type: PacketType) -> list[Opener]:
        if packet_type is PacketType.INITIAL:
            return self._flow.initial_openers(self._is_client, self._version)
        secret = self._secrets.get(packet_type)
        if secret is None:
            return []
        openers = self._openers.get(packet_type)
        if openers is None:
            suites = SUITES.get(len(secret), ())
            openers = [opener_from_secret(suite, secret, self._version) for suite in suites]
            self._openers[packet_type] = openers
        return openers

    def _prefer(self, packet_type: PacketType, opener: Opener) -> None:
        """Keep the key that fits in front, and the one that follows it after a key update."""
        openers = self._openers[packet_type]
        if packet_type is not PacketType.ONE_RTT:
            self._openers[packet_type] = [opener]
        elif openers[0] is not opener or len(openers) != 2 or openers[1] is openers[0]:
            self._openers[packet_type] = [opener, opener.next()]
