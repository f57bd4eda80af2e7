"""What one packet-number space owns: its keys, its CRYPTO stream, and what was received in it. RFC 9000 §12.3."""

from typing import final

from qtls.protection import Opener, Sealer

from .ackhandler.received import ReceivedPacketHandler
from .crypto_stream import CryptoStream
from .key_phases import KeyPhases


@final
class PacketSpace:
    """What one packet-number space owns.

    Attributes:
        sealer, opener: keys of Initial or Handshake packets; in the application space, what a server seals its
            1-RTT packets with until the client's Finished lets it open any (RFC 9001 §5.7).
        early_sealer, early_opener: keys of 0-RTT packets (application space only).
        phases: keys of 1-RTT packets (application space only).
        can_open_application: RFC 9001 §5.7: a server opens no 1-RTT packet before the handshake is complete.
        largest_received: the largest packet number that was opened, or -1.
    """

    __slots__ = (
        "can_open_application",
        "crypto",
        "early_opener",
        "early_sealer",
        "index",
        "is_discarded",
        "largest_received",
        "opener",
        "phases",
        "received",
        "sealer",
    )

    def __init__(self, index: int, crypto: CryptoStream, received: ReceivedPacketHandler) -> None:
        self.index = index
        self.crypto = crypto
        self.received = received
        self.sealer: Sealer | None = None
        self.opener: Opener | None = None
        self.early_sealer: Sealer | None = None
        self.early_opener: Opener | None = None
        self.phases: KeyPhases | None = None
        self.can_open_application = False
        self.largest_received = -1
        self.is_discarded = False

    def discard(self) -> None:
        """Drop the keys and what they were for; nothing is sent or opened in this space any more. RFC 9001 §4.9."""
        self.sealer = None
        self.opener = None
        self.crypto.release()
        self.received.release()
        self.is_discarded = True
