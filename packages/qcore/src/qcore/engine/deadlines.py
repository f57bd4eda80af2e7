"""What a connection waits for while it is open, asked of those who wait."""

from __future__ import annotations

from .lifecycle import Lifecycle
from .parts import Parts
from .progress import Progress
from .sending import Transmitter
from .timers import NEVER, TimerTable


def gather(
    table: TimerTable, parts: Parts, lifecycle: Lifecycle, transmitter: Transmitter, progress: Progress
) -> None:
    """Fill the table with the deadlines of all parts; those of handshake and end are set by whoever begins them."""
    is_established = lifecycle.is_established
    idle = parts.idle
    recovery = parts.recovery
    table.idle = idle.deadline(recovery.rtt.period + recovery.peer_max_ack_delay)
    has_keep_alive = is_established and idle.keep_alive is not None
    table.keep_alive = idle.keep_alive_deadline() if has_keep_alive else NEVER
    table.loss = recovery.next_timeout()
    initial, handshake, application = parts.spaces
    ack = application.received.deadline
    if not handshake.is_discarded:
        ack = min(ack, initial.received.deadline, handshake.received.deadline)
    table.ack = ack
    table.pacing = transmitter.pacing_deadline
    paths = parts.paths
    table.path = paths.next_timeout()
    phases = application.phases
    table.keys = progress.deadline
    if phases is not None and phases.deadline < table.keys:
        table.keys = phases.deadline
    mtu = paths.active.mtu
    # A probe that was due and did not go waits for an ACK to make room, not for the clock.
    waits = mtu is None or not lifecycle.is_confirmed or mtu.deadline <= transmitter.last_pass
    table.mtu = NEVER if waits or mtu is None else mtu.deadline
    if is_established:
        table.handshake = NEVER
