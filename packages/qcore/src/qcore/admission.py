"""Who is let in: what a server decides before it keeps any state for a client. RFC 9000 §8.1."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from .batch import Address

# Handshakes in progress. From the first number on every new client has to prove its address, which costs an
# attacker a round trip and us nothing; at the second nobody is let in.
RETRY_ABOVE: Final = 1_000
MAX_HALF_OPEN: Final = 10_000


class Admission(Enum):
    """What to do with a new client."""

    ACCEPT = "accept"
    RETRY = "retry"
    REFUSE = "refuse"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A client whose first packet has come.

    Attributes:
        is_validated: a token has proved its address.
        half_open: handshakes in progress on this socket.
    """

    address: Address
    version: int
    is_validated: bool
    half_open: int


Admit: TypeAlias = Callable[[Arrival], Admission]


def admit_by_load(arrival: Arrival) -> Admission:
    """The default: everyone, with Retry under load."""
    if arrival.half_open >= MAX_HALF_OPEN:
        return Admission.REFUSE
    if arrival.half_open >= RETRY_ABOVE and not arrival.is_validated:
        return Admission.RETRY
    return Admission.ACCEPT


def always_retry(arrival: Arrival) -> Admission:
    """Every client has to prove its address first."""
    if not arrival.is_validated:
        return Admission.RETRY
    return admit_by_load(arrival)
