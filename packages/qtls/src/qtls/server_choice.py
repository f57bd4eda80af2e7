"""How a server answers a ClientHello: version, suite, group, protocol, certificate, PSK.

Pure decisions over a parsed hello and a configuration. RFC 8446 §4.1.1, §4.2 and §9.2; RFC 9001 §8.
"""

from __future__ import annotations

from typing import Final, final

from .certificates import CertificateChain
from .config import ServerTLS
from .constants import (
    DECRYPT_ERROR,
    EXT_ALPN,
    EXT_KEY_SHARE,
    EXT_PRE_SHARED_KEY,
    EXT_PSK_KEY_EXCHANGE_MODES,
    EXT_QUIC_TRANSPORT_PARAMETERS,
    EXT_SIGNATURE_ALGORITHMS,
    EXT_SUPPORTED_GROUPS,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    MISSING_EXTENSION,
    NO_APPLICATION_PROTOCOL,
    PROTOCOL_VERSION,
    PROTOCOL_VIOLATION,
    PSK_DHE_KE,
    TLS_1_2,
    TLS_1_3,
    group_name,
    suite_name,
)
from .errors import LocalAlert
from .key_schedule import KeySchedule, Transcript
from .mac import equal
from .messages.client_hello import ClientHello
from .packet_keys import SUITES, suite_parameters
from .tickets import TicketState, open_ticket

__all__ = [
    "Resumption",
    "check_hello",
    "check_second_hello",
    "choose_alpn",
    "choose_chain",
    "choose_group",
    "choose_suite",
]

# RFC 8446 §8.3: how far the age a client claims may be off before its 0-RTT counts as replayed.
AGE_TOLERANCE: Final = 10.0
# A client that offers more identities makes the server try keys for nothing.
MAX_IDENTITIES: Final = 4


def check_hello(hello: ClientHello) -> bytes:
    """Check what every ClientHello over QUIC must have, and return its transport parameters.

    Raises:
        LocalAlert: protocol_version, illegal_parameter or missing_extension.
        DecodeError: malformed.
    """
    if TLS_1_3 not in hello.versions() or hello.legacy_version != TLS_1_2:
        raise LocalAlert(PROTOCOL_VERSION, "the client does not offer TLS 1.3")
    if hello.compression != b"\0":
        raise LocalAlert(ILLEGAL_PARAMETER, "the client offers compression")
    if hello.session_id:  # RFC 9001 §8.4
        raise LocalAlert(ILLEGAL_PARAMETER, "legacy session ID over QUIC", PROTOCOL_VIOLATION)
    parameters = hello.get(EXT_QUIC_TRANSPORT_PARAMETERS)
    if parameters is None:  # RFC 9001 §8.2
        raise LocalAlert(MISSING_EXTENSION, "the client sent no quic_transport_parameters")
    # RFC 8446 §9.2
    if hello.offers(EXT_SUPPORTED_GROUPS) != hello.offers(EXT_KEY_SHARE):
        raise LocalAlert(MISSING_EXTENSION, "supported_groups and key_share go together")
    if hello.offers(EXT_PRE_SHARED_KEY):
        if not hello.offers(EXT_PSK_KEY_EXCHANGE_MODES):
            raise LocalAlert(MISSING_EXTENSION, "pre_shared_key without psk_key_exchange_modes")
    elif not hello.offers(EXT_SIGNATURE_ALGORITHMS) or not hello.offers(EXT_SUPPORTED_GROUPS):
        raise LocalAlert(MISSING_EXTENSION, "neither a PSK nor signature_algorithms with supported_groups")
    groups = hello.groups()
    positions = {group: index for index, group in enumerate(groups)}
    last = -1
    for group, _ in hello.key_shares():  # RFC 8446 §4.2.8: shares are for offered groups, in their order
        position = positions.get(group, -1)
        if position < 0:
            raise LocalAlert(
                ILLEGAL_PARAMETER, f"key share of group {group_name(group)}, which is not offered"
            )
        last = max(last, position)
    return parameters


def check_second_hello(
    first: ClientHello, second: ClientHello, group: int, cookie: bytes | None = None
) -> None:
    """Check that only what a HelloRetryRequest permits has changed, RFC 8446 §4.1.2, and that the cookie came back.

    Raises:
        LocalAlert: illegal_parameter, or missing_extension without the cookie.
        DecodeError: malformed.
    """
    if first.random != second.random or first.cipher_suites != second.cipher_suites:
        raise LocalAlert(
            ILLEGAL_PARAMETER, "the second ClientHello has another random or other cipher suites"
        )
    if first.groups() != second.groups() or first.alpn() != second.alpn():
        raise LocalAlert(ILLEGAL_PARAMETER, "the second ClientHello has other groups or protocols")
    if first.server_name() != second.server_name():
        raise LocalAlert(ILLEGAL_PARAMETER, "the second ClientHello has another server name")
    if [each for each, _ in second.key_shares()] != [group]:
        raise LocalAlert(
            ILLEGAL_PARAMETER, f"the second ClientHello has not one share, for {group_name(group)}"
        )
    if second.early_data():
        raise LocalAlert(ILLEGAL_PARAMETER, "the second ClientHello has early_data")
    returned = second.cookie()
    if cookie is not None and returned is None:
        raise LocalAlert(MISSING_EXTENSION, "the second ClientHello has no cookie")
    if returned is not None and (cookie is None or not equal(returned, cookie)):
        raise LocalAlert(ILLEGAL_PARAMETER, "the second ClientHello has another cookie")


def choose_suite(config: ServerTLS, hello: ClientHello) -> int:
    """The server's most preferred suite that is offered.

    Raises:
        LocalAlert: handshake_failure.
    """
    for suite in config.ciphers:
        if suite in hello.cipher_suites and suite in SUITES:
            return suite
    offered = ", ".join(map(suite_name, hello.cipher_suites[:8]))
    raise LocalAlert(HANDSHAKE_FAILURE, f"no common cipher suite: the client offers {offered}")


def choose_group(config: ServerTLS, hello: ClientHello) -> tuple[int, bytes | None]:
    """Group and the client's share for it; None when it has to be asked for with a HelloRetryRequest.

    A group with a share is taken before a preferred one without: a round trip costs more than a group gains.

    Raises:
        LocalAlert: handshake_failure.
        DecodeError: malformed.
    """
    shares = dict(hello.key_shares())
    for group in config.groups:
        if group in shares:
            return group, shares[group]
    groups = hello.groups()
    for group in config.groups:
        if group in groups:
            return group, None
    raise LocalAlert(
        HANDSHAKE_FAILURE, f"no common group: the client offers {', '.join(map(group_name, groups[:8]))}"
    )


def choose_alpn(config: ServerTLS, hello: ClientHello) -> str | None:
    """The server's most preferred protocol that is offered, RFC 9001 §8.1.

    Raises:
        LocalAlert: no_application_protocol.
        DecodeError: malformed.
    """
    offered = hello.alpn() if hello.offers(EXT_ALPN) else ()
    for protocol in config.alpn:
        if protocol in offered:
            return protocol
    if config.alpn or offered:
        raise LocalAlert(
            NO_APPLICATION_PROTOCOL,
            f"no common protocol: the client offers {', '.join(offered[:8]) or 'none'}",
        )
    return None


def choose_chain(
    config: ServerTLS, hello: ClientHello, server_name: str | None
) -> tuple[CertificateChain, int]:
    """The chain for a name, the first one if none is for it, and a scheme its key and the client share.

    Raises:
        LocalAlert: handshake_failure, the client can check none of the signatures.
        DecodeError: malformed.
    """
    offered = hello.signatures()
    fallback: tuple[CertificateChain, int] | None = None
    for chain in config.chains():
        for scheme in chain.schemes:
            if scheme in offered:
                if server_name is None or chain.is_for(server_name):
                    return chain, scheme
                fallback = fallback or (chain, scheme)
    if fallback is None:
        raise LocalAlert(HANDSHAKE_FAILURE, "no common signature scheme for the server's certificates")
    return fallback


@final
class Resumption:
    """The ticket a ClientHello resumes with: its place in the offer, its state, its checked key schedule."""

    __slots__ = ("binder", "index", "is_timely", "schedule", "state")

    def __init__(
        self, index: int, state: TicketState, schedule: KeySchedule, binder: bytes, is_timely: bool
    ) -> None:
        self.index = index
        self.state = state
        self.schedule = schedule
        self.binder = binder
        self.is_timely = is_timely

    @classmethod
    def find(
        cls,
        config: ServerTLS,
        hello: ClientHello,
        suite: int,
        quic_version: int,
        transcript: Transcript,
        wall_clock: float,
    ) -> Resumption | None:
        """The first offered ticket that can be resumed, its binder checked; None for a full handshake.

        Raises:
            LocalAlert: decrypt_error, the binder is wrong.
            DecodeError: malformed.
        """
        identities, binders = hello.offered_psks()
        if PSK_DHE_KE not in hello.psk_modes():
            return None
        hash_name = suite_parameters(suite).hash_name
        for index, (ticket, age) in enumerate(identities[:MAX_IDENTITIES]):
            state = open_ticket(ticket, config.ticket_keys)
            if state is None or not state.is_fresh(wall_clock) or state.quic_version != quic_version:
                continue
            if state.suite not in SUITES or suite_parameters(state.suite).hash_name != hash_name:
                continue
            # RFC 6066 §3: a session is for one name. A required certificate must have been seen.
            if state.server_name != hello.server_name():
                continue
            if config.client_auth == "require" and not state.client_certificates:
                continue
            schedule = KeySchedule(hash_name, state.secret)
            expected = schedule.binder(transcript.digest_with(hello.without_binders(), hash_name))
            if not equal(expected, binders[index]):
                raise LocalAlert(DECRYPT_ERROR, "PSK binder does not match")
            claimed = ((age - state.age_add) & 0xFFFFFFFF) / 1000
            timely = abs(wall_clock - state.issued_at - claimed) <= AGE_TOLERANCE
            return cls(index, state, schedule, expected, timely)
        return None
