"""What is taken once, by one worker of several: 0-RTT (RFC 8446 §8) and address tokens (RFC 9000 §8.1.4).

The memory that they share needs what only systems that fork have, and is imported where it is made.
"""

from __future__ import annotations

from dataclasses import replace

from qtls import ServerTLS
from qtls.tickets import ReplayWindow

from ...tokens import LIFETIME, UsedTokens


def with_shared_replays(tls: ServerTLS) -> ServerTLS:
    """The configuration with a memory of 0-RTT that forked processes share, in place of one of each process's own."""
    if tls.early_data and isinstance(tls.replays, ReplayWindow):
        from qtls.adapters.shared_replays import SharedReplayWindow

        return replace(tls, replays=SharedReplayWindow())
    return tls


def shared_token_memory() -> UsedTokens:
    """A memory of address tokens that forked processes share; the oldest make room."""
    from qtls.adapters.shared_replays import SharedReplayWindow

    return SharedReplayWindow(LIFETIME, forgets=True)
