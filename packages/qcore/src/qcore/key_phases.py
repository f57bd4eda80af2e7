"""1-RTT keys through their phases. RFC 9001 §6.

Keeps the keys in use, and the receive keys before them for late packets. The next receive keys are made for the first
packet that seems to be of their phase, and kept: most connections end before there is one. The time that a packet takes
does not tell later ones whether they tried to change the phase (§9.5).
"""

from __future__ import annotations

import math
from typing import Final, final

from qtls.protection import Opener, Sealer
from qwire.constants import AEAD_LIMIT_REACHED, KEY_UPDATE_ERROR

from .errors import TransportError

# Keys change well before the limit of the cipher: the larger of the two margins that others use.
UPDATE_MARGIN: Final = 10_000
# Packets under one key, unless the configuration says otherwise: an eighth of what AES-GCM allows (RFC 9001 §6.6).
UPDATE_INTERVAL: Final = 1 << 20
# Packets under the last keys that are left when the limit counts as reached: for one pass of sending, the close,
# and its ever rarer repetitions.
RESERVE: Final = 1_000


@final
class KeyPhases:
    """Sends with one generation of keys and opens with up to three.

    Args:
        interval: packets after which the keys are changed, if the limit of the cipher is not nearer.

    Attributes:
        sealer, opener: the keys in use.
        generation, peer_generation: how often each side has changed them.
        send_phase: value of the Key Phase bit for packets that leave.
        pto, next_packet_number: what a change started by the peer has to know; set before packets are opened.
        is_update_due: so many packets were sealed that it is time to update.
        deadline: when the receive keys of the last phase are dropped; `math.inf` when there are none.
    """

    __slots__ = (
        "_failures",
        "_first_received",
        "_first_sent",
        "_is_acked",
        "_next",
        "_previous",
        "_sealed",
        "_update_at",
        "deadline",
        "generation",
        "is_update_due",
        "next_packet_number",
        "opener",
        "peer_generation",
        "pto",
        "sealer",
        "send_phase",
    )

    def __init__(self, sealer: Sealer, opener: Opener, interval: int = UPDATE_INTERVAL) -> None:
        self._update_at = min(interval, sealer.confidentiality_limit - UPDATE_MARGIN)
        self.sealer = sealer
        self.opener = opener
        self.pto = 0.0
        self.next_packet_number = 0
        self.generation = 0
        self.send_phase = False
        self.peer_generation = 0
        self._previous: Opener | None = None
        self._next: Opener | None = None
        self.deadline = math.inf
        self.is_update_due = False
        self._first_received = 0  # lowest packet number seen in the current receive phase
        self._first_sent = 0  # first packet number sealed in the current send phase
        self._sealed = 0
        self._failures = 0
        self._is_acked = False

    def on_sealed(self, count: int) -> bool:
        """Count packets; True when it is time to update."""
        self._sealed += count
        self.is_update_due = self._sealed >= self._update_at
        return self.is_update_due

    def check_seal_limit(self) -> None:
        """RFC 9001 §6.6: stop before the confidentiality limit.

        Raises:
            TransportError: AEAD_LIMIT_REACHED.
        """
        if self._sealed >= self.sealer.confidentiality_limit - RESERVE:
            raise TransportError(
                AEAD_LIMIT_REACHED, None, "the confidentiality limit of the cipher is reached"
            )

    def on_acked(self, largest: int) -> None:
        """The peer acknowledged `largest`; a packet of the current phase confirms the phase."""
        if not self._is_acked and self._sealed and largest >= self._first_sent:
            self._is_acked = True

    @property
    def can_update(self) -> bool:
        """RFC 9001 §6.1: only after a packet of the current phase was acknowledged."""
        return self._is_acked and self.generation == self.peer_generation and self._previous is None

    def update(self, next_packet_number: int) -> None:
        """Start a new phase ourselves; the receive keys follow when the peer answers in it."""
        self.sealer = self.sealer.next()
        self.generation += 1
        self.send_phase = not self.send_phase
        self._first_sent = next_packet_number
        self._sealed = 0
        self.is_update_due = False
        self._is_acked = False

    def open(
        self,
        packet_number: int,
        key_phase: bool,
        header: bytes,
        ciphertext: bytes,
        now: float,
    ) -> bytes | None:
        """Open a packet with the keys of its phase; None when it does not authenticate.

        Raises:
            TransportError: KEY_UPDATE_ERROR, AEAD_LIMIT_REACHED.
        """
        if key_phase == bool(self.peer_generation & 1):
            payload = self.opener.open(packet_number, header, ciphertext)
            if payload is None:
                self._count_failure()
            elif packet_number < self._first_received:
                self._first_received = packet_number
            return payload
        if self._previous is not None and packet_number < self._first_received:
            payload = self._previous.open(packet_number, header, ciphertext)
            if payload is None:
                self._count_failure()
            return payload
        opener = self._next
        if opener is None:
            opener = self._next = self.opener.next()
        payload = opener.open(packet_number, header, ciphertext)
        if payload is None:
            self._count_failure()
            return None
        if self.generation == self.peer_generation:
            # RFC 9001 §6.2: the peer has to wait for an acknowledgement, so for a packet of ours in this phase.
            if self.generation > 0 and self._sealed == 0:
                raise TransportError(
                    KEY_UPDATE_ERROR, None, "a second key update before the first was acknowledged"
                )
            self.update(self.next_packet_number)
        if packet_number < self._first_received:
            raise TransportError(KEY_UPDATE_ERROR, None, "an older packet number in a newer key phase")
        self._previous = self.opener
        self.deadline = now + 3 * self.pto
        self.opener = opener
        self._next = None
        self.peer_generation += 1
        self._first_received = packet_number
        return payload

    @property
    def is_at_rest(self) -> bool:
        """Whether no packet has passed since `rest`."""
        return self.sealer.is_at_rest and self.opener.is_at_rest

    def rest(self) -> None:
        """Nothing has passed for a while: let go of the ciphers' contexts, which the next packets make anew."""
        self.sealer.rest()
        self.opener.rest()

    def handle_timeout(self, now: float) -> None:
        """Drop the receive keys of the last phase three probe timeouts after the change. RFC 9001 §6.5."""
        if now >= self.deadline:
            self._previous = None
            self.deadline = math.inf

    def _count_failure(self) -> None:
        self._failures += 1
        if self._failures >= self.opener.integrity_limit:
            raise TransportError(AEAD_LIMIT_REACHED, None, "the integrity limit of the cipher is reached")
