"""What may be sent at a moment."""

from enum import Enum


class SendMode(Enum):
    """What may be sent now. Each allows what the one before it does."""

    NONE = "none"
    ACK_ONLY = "ack_only"
    PACED = "paced"
    PROBE = "probe"
    ANY = "any"
