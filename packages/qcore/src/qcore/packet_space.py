"""What one packet-number space owns: its keys, its CRYPTO stream, and what was received in it. RFC 9000 §12.3."""

from __future__ import annotations

from typing import Final, final

from qtls.protection import Opener, Sealer

from .ackhandler.received import ReceivedPacketHandler
from .crypto_stream import CryptoStream
from .key_phases import KeyPhases
from .spaces import INITIAL

# What all spaces share that were discarded: nobody sends, receives or acknowledges anything there any more.
NO_CRYPTO: Final = CryptoStream(INITIAL)
NOTHING_RECEIVED: Final = ReceivedPacketHandler(INITIAL)


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
        marks: packets by ECN mark - ECT(0), ECT(1), CE - that came before the space was discarded.
    """

    __slots__ = (
        "can_open_application",
        "crypto",
        "early_opener",
        "early_sealer",
        "index",
        "is_discarded",
        "largest_received",
        "marks",
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
        self.marks = (0, 0, 0)

    def discard(self) -> None:
        """Drop the keys and what they were for; nothing is sent or opened in this space any more. RFC 9001 §4.9."""
        self.sealer = None
        self.opener = None
        received = self.received
        self.marks = (received.ect0, received.ect1, received.ce)
        self.crypto.release()
        self.crypto = NO_CRYPTO
        self.received = NOTHING_RECEIVED
        self.is_discarded = True
