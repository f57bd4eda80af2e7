"""0-RTT that is taken once, by one worker of several. RFC 8446 §8."""

from dataclasses import replace

from qtls import ServerTLS
from qtls.tickets import ReplayWindow


def with_shared_replays(tls: ServerTLS) -> ServerTLS:
    """The configuration with a memory of 0-RTT that forked processes share, in place of one of each process's own."""
    if tls.early_data and isinstance(tls.replays, ReplayWindow):
        from qtls.adapters.shared_replays import SharedReplayWindow  # needs what only systems that fork have

        return replace(tls, replays=SharedReplayWindow())
    return tls
