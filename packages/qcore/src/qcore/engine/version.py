"""Which QUIC version a connection uses. RFC 9000 §6, RFC 9368."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qwire.constants import VERSION_1, VERSION_2, VERSION_NEGOTIATION_ERROR
from qwire.transport_parameters import TransportParameters

from ..errors import TransportError

# RFC 9369 §4.1: the two are compatible with each other; nothing else is known here.
COMPATIBLE: Final = frozenset({VERSION_1, VERSION_2})


def choose_after_negotiation(supported: Sequence[int], attempted: int, offered: Sequence[int]) -> int | None:
    """The version to try again with after a Version Negotiation packet.

    RFC 9000 §6.2: the packet counts for nothing when it lists the attempted version.

    Returns:
        A version, or None when there is none in common.
    """
    return next((version for version in supported if version != attempted and version in offered), None)


def choose_compatible(supported: Sequence[int], first_flight: int, parameters: TransportParameters) -> int:
    """Server: the version to answer with. RFC 9368 §2.3.

    Our order of preference decides among what the client made available; without version_information the version
    of the first flight stays.

    Raises:
        TransportError: the parameter contradicts the packet it came in.
    """
    information = parameters.version_information
    if information is None:
        return first_flight
    chosen, available = information
    if chosen != first_flight:  # RFC 9368 §4
        raise TransportError(
            VERSION_NEGOTIATION_ERROR,
            None,
            f"chosen version 0x{chosen:x} in a first flight of 0x{first_flight:x}",
        )
    if chosen not in available:  # RFC 9368 §3
        raise TransportError(
            VERSION_NEGOTIATION_ERROR, None, "the chosen version is not among the available ones"
        )
    if first_flight not in COMPATIBLE:
        return first_flight
    for version in supported:
        if version == first_flight or (version in available and version in COMPATIBLE):
            return version
    return first_flight


def check_negotiated(
    supported: Sequence[int],
    original: int,
    negotiated: int,
    parameters: TransportParameters,
    after_negotiation: bool,
) -> None:
    """Client: no one has talked us into a lesser version. RFC 9368 §4.

    Raises:
        TransportError: VERSION_NEGOTIATION_ERROR.
    """
    information = parameters.version_information
    if information is None:
        # RFC 9368 §8: servers of version 1 alone do not know the parameter.
        if negotiated != VERSION_1 and (after_negotiation or negotiated != original):
            raise TransportError(
                VERSION_NEGOTIATION_ERROR, None, "the version changed without version_information"
            )
        return
    chosen, available = information
    if chosen != negotiated:
        raise TransportError(
            VERSION_NEGOTIATION_ERROR, None, f"the server chose 0x{chosen:x} and speaks 0x{negotiated:x}"
        )
    if after_negotiation and choose_after_negotiation(supported, 0, available) != negotiated:
        raise TransportError(VERSION_NEGOTIATION_ERROR, None, "a better version was hidden from us")
