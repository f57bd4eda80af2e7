"""Habits of a client that show behind its first flight.

Data that the packer, the receivers of acknowledgements and the socket's driver obey; the defaults are this stack's
own way. RFC 9000 leaves all of it to the implementation.
"""

from __future__ import annotations

from typing import Literal

from qtls.light_dataclass import dataclass


@dataclass(frozen=True, kw_only=True)
class PacketHabits:
    """How packets are cut, filled and answered.

    Attributes:
        spin: the spin bit is "live", always "zero", or "random" in each packet (RFC 9000 §17.4).
        omits_last_length: a STREAM or DATAGRAM frame at the end of a packet goes without its Length.
        handshake_ack_threshold: ack-eliciting Initial or Handshake packets that call for an ACK at once.
        handshake_ack_delay: seconds that fewer of them wait for theirs.
        reports_handshake_delay: ACKs of Initial and Handshake packets tell how long they were delayed.
        answers_each_datagram: until the handshake is confirmed, each datagram is answered before the next is looked
            at, even when they arrived together.
        acks_before_finished: where a certificate had to be checked, the server's flight is acknowledged in a datagram
            of its own, ahead of the client's Finished.
        repeats_hello: an Initial packet with an ACK carries again what the server has not acknowledged.
        unanswered_number_size: encoded size of the number of an Initial sent while an earlier one is unanswered, except
            for probes, the very first, and those behind 0-RTT packets; 0 for no such rule.
        early_data: whether 0-RTT packets share a datagram with "any" Initial, with the "last" of the flight, or none.
        ignores_first_gap: the first packet of a space calls for no ACK at once, whatever its number.
        issues_early: beside early data the server is offered a spare connection ID, in the first packet that would have
            room for the longest.
        smallest_cut: a STREAM frame is not cut to put fewer bytes than this at the end of a packet; 1 fills every packet.
        answers_close: the peer's CONNECTION_CLOSE is answered with one of our own (RFC 9000 §10.2.2).
        silence_limit: seconds after which a client that has heard nothing at all gives up; 0 for no such limit.
        silence_reason: the words of the CONNECTION_CLOSE that it leaves with then, in which {us} stands for the time
            that has passed in microseconds; empty to leave without a word.
        heeds_any_negotiation: a Version Negotiation packet ends the attempt even where it lists the version that was
            tried, which RFC 9000 §6.2 has clients ignore.
        streams_by_number: streams of one urgency are served to their end in the order of their numbers, and take no turns.
        pads_last: where zeros would follow the packets of a datagram, a 1-RTT packet at its end is filled instead.
    """

    spin: Literal["live", "zero", "random"] = "live"
    omits_last_length: bool = False
    handshake_ack_threshold: int = 1
    handshake_ack_delay: float = 0.0
    reports_handshake_delay: bool = False
    answers_each_datagram: bool = False
    acks_before_finished: bool = False
    repeats_hello: bool = False
    unanswered_number_size: int = 0
    early_data: Literal["any", "last", "none"] = "any"
    ignores_first_gap: bool = False
    issues_early: bool = False
    smallest_cut: int = 32
    answers_close: bool = False
    silence_limit: float = 0.0
    silence_reason: str = ""
    heeds_any_negotiation: bool = False
    streams_by_number: bool = False
    pads_last: bool = False

    def __post_init__(self) -> None:
        if self.handshake_ack_threshold < 1:
            raise ValueError("an ACK answers at least one packet")
        if not 0 <= self.handshake_ack_delay <= 1:
            raise ValueError(f"ACKs of the handshake cannot wait {self.handshake_ack_delay} s")
        if not 0 <= self.unanswered_number_size <= 4:
            raise ValueError("a packet number is encoded in 1 to 4 bytes")
        if self.silence_limit < 0:
            raise ValueError(f"nobody waits {self.silence_limit} s for an answer")
        if self.spin not in ("live", "zero", "random"):
            raise ValueError(f"the spin bit is live, zero or random, not {self.spin!r}")
        if self.smallest_cut < 1:
            raise ValueError("a STREAM frame that is cut has at least one byte")
        if self.early_data not in ("any", "last", "none"):
            raise ValueError(f"0-RTT goes with any Initial, the last or none, not {self.early_data!r}")
