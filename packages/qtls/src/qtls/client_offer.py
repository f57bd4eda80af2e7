"""What a ClientHello offered, and whether the server's answers keep to it.

The offer is read from the encoded message, so it holds for whatever a ``ClientHelloBuilder`` drew. RFC 8446 §4.1.3,
§4.1.4 and §4.3.1; RFC 9001 §8.
"""

from __future__ import annotations

from typing import Final, final

from . import extensions
from .codec import vector8, vector16
from .constants import (
    EXT_ALPN,
    EXT_CERTIFICATE_AUTHORITIES,
    EXT_COMPRESS_CERTIFICATE,
    EXT_COOKIE,
    EXT_DELEGATED_CREDENTIALS,
    EXT_ENCRYPTED_CLIENT_HELLO,
    EXT_KEY_SHARE,
    EXT_OID_FILTERS,
    EXT_PADDING,
    EXT_POST_HANDSHAKE_AUTH,
    EXT_PRE_SHARED_KEY,
    EXT_PSK_KEY_EXCHANGE_MODES,
    EXT_QUIC_TRANSPORT_PARAMETERS,
    EXT_SIGNATURE_ALGORITHMS,
    EXT_SIGNATURE_ALGORITHMS_CERT,
    EXT_SIGNED_CERTIFICATE_TIMESTAMP,
    EXT_STATUS_REQUEST,
    EXT_SUPPORTED_VERSIONS,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    MISSING_EXTENSION,
    NO_APPLICATION_PROTOCOL,
    PROTOCOL_VERSION,
    PSK_KE,
    TLS_1_2,
    TLS_1_3,
    UNSUPPORTED_EXTENSION,
    group_name,
    suite_name,
)
from .errors import LocalAlert
from .extensions import Extension
from .key_exchange import IMPLEMENTED
from .key_schedule import KeySchedule, Transcript
from .messages.client_hello import ClientHello
from .messages.server_hello import ServerHello
from .packet_keys import SUITES, suite_parameters
from .resumption import Session

__all__ = ["Offer", "ServerChoice", "bind"]

IN_SERVER_HELLO: Final = frozenset((EXT_SUPPORTED_VERSIONS, EXT_KEY_SHARE, EXT_PRE_SHARED_KEY))
IN_RETRY: Final = frozenset((EXT_SUPPORTED_VERSIONS, EXT_KEY_SHARE, EXT_COOKIE, EXT_ENCRYPTED_CLIENT_HELLO))
# RFC 8446 §4.2: extensions that belong to other messages. A server may answer all others that were offered.
NOT_IN_ENCRYPTED_EXTENSIONS: Final = frozenset(
    (
        EXT_STATUS_REQUEST,
        EXT_SIGNATURE_ALGORITHMS,
        EXT_SIGNED_CERTIFICATE_TIMESTAMP,
        EXT_PADDING,
        EXT_COMPRESS_CERTIFICATE,
        EXT_DELEGATED_CREDENTIALS,
        EXT_PRE_SHARED_KEY,
        EXT_SUPPORTED_VERSIONS,
        EXT_COOKIE,
        EXT_PSK_KEY_EXCHANGE_MODES,
        EXT_CERTIFICATE_AUTHORITIES,
        EXT_OID_FILTERS,
        EXT_POST_HANDSHAKE_AUTH,
        EXT_SIGNATURE_ALGORITHMS_CERT,
        EXT_KEY_SHARE,
    )
)


@final
class ServerChoice:
    """What a ServerHello settled; ``group`` 0 means PSK without key exchange."""

    __slots__ = ("group", "resumes", "share", "suite")

    def __init__(self, suite: int, group: int, share: bytes, resumes: bool) -> None:
        self.suite = suite
        self.group = group
        self.share = share
        self.resumes = resumes


@final
class Offer:
    """One ClientHello as sent; ``session`` is what its pre_shared_key stands for."""

    __slots__ = (
        "alpn",
        "certificate_compression",
        "early_data",
        "groups",
        "hello",
        "psk_modes",
        "session",
        "share_groups",
        "signatures",
    )

    def __init__(self, hello: ClientHello, session: Session | None) -> None:
        """Read what ``hello`` offers.

        Raises:
            ValueError: a hello with which no TLS 1.3 handshake over QUIC can be made.
        """
        if TLS_1_3 not in hello.versions():
            raise ValueError("the ClientHello does not offer TLS 1.3")
        if not hello.offers(EXT_QUIC_TRANSPORT_PARAMETERS):
            raise ValueError("the ClientHello has no quic_transport_parameters")
        self.hello = hello
        self.session = session
        self.groups = hello.groups()
        self.share_groups = tuple([group for group, _ in hello.key_shares()])
        self.signatures = hello.signatures()
        self.alpn = hello.alpn()
        self.psk_modes = hello.psk_modes()
        self.certificate_compression = hello.certificate_compression()
        self.early_data = hello.early_data()

    def check_retry(self, retry: ServerHello) -> tuple[int | None, bytes | None]:
        """Group and cookie of a HelloRetryRequest, RFC 8446 §4.1.4.

        Raises:
            LocalAlert: it asks for what was not offered, or for nothing.
            DecodeError: malformed.
        """
        self._check_hello(retry, IN_RETRY)
        bodies = dict(retry.extensions)
        group: int | None = None
        cookie: bytes | None = None
        if EXT_KEY_SHARE in bodies:
            group = extensions.parse_uint16(bodies[EXT_KEY_SHARE], "key_share")
            if group not in self.groups or group in self.share_groups:
                raise LocalAlert(
                    ILLEGAL_PARAMETER,
                    f"retry with group {group_name(group)}, which was not offered or had a share",
                )
            if group not in IMPLEMENTED:
                raise LocalAlert(HANDSHAKE_FAILURE, f"group {group_name(group)} is not implemented")
        if EXT_COOKIE in bodies:
            cookie = extensions.parse_cookie(bodies[EXT_COOKIE])
        if group is None and cookie is None:
            raise LocalAlert(ILLEGAL_PARAMETER, "HelloRetryRequest would not change the ClientHello")
        return group, cookie

    def choose(self, answer: ServerHello, retry: ServerHello | None) -> ServerChoice:
        """What a ServerHello chose, RFC 8446 §4.1.3; ``retry`` is the HelloRetryRequest that came before it.

        Raises:
            LocalAlert: it chose what was not offered.
            DecodeError: malformed.
        """
        self._check_hello(answer, IN_SERVER_HELLO)
        bodies = dict(answer.extensions)
        if retry is not None and retry.suite != answer.suite:
            raise LocalAlert(ILLEGAL_PARAMETER, "ServerHello has another cipher suite than HelloRetryRequest")
        resumes = False
        if EXT_PRE_SHARED_KEY in bodies:
            index = extensions.parse_uint16(bodies[EXT_PRE_SHARED_KEY], "pre_shared_key")
            if index != 0 or self.session is None:
                raise LocalAlert(ILLEGAL_PARAMETER, f"PSK {index} was not offered")
            offered_hash = suite_parameters(self.session.suite).hash_name
            if suite_parameters(answer.suite).hash_name != offered_hash:
                raise LocalAlert(ILLEGAL_PARAMETER, "the cipher suite has another hash than the PSK")
            resumes = True
        if EXT_KEY_SHARE not in bodies:
            if resumes and PSK_KE in self.psk_modes:
                return ServerChoice(answer.suite, 0, b"", True)
            raise LocalAlert(MISSING_EXTENSION, "ServerHello without key_share")
        group, share = extensions.parse_server_share(bodies[EXT_KEY_SHARE])
        if group not in self.share_groups:
            raise LocalAlert(ILLEGAL_PARAMETER, f"key share of group {group_name(group)}, which had no share")
        if retry is not None:
            asked = dict(retry.extensions).get(EXT_KEY_SHARE)
            if asked is not None and asked != group.to_bytes(2, "big"):
                raise LocalAlert(ILLEGAL_PARAMETER, "ServerHello has another group than HelloRetryRequest")
        return ServerChoice(answer.suite, group, share, resumes)

    def check_encrypted_extensions(self, entries: tuple[Extension, ...]) -> str | None:
        """Check EncryptedExtensions and return the protocol chosen, RFC 8446 §4.3.1.

        Raises:
            LocalAlert: an extension that was not offered or belongs elsewhere, no transport parameters, or a protocol
                that was not offered.
            DecodeError: malformed.
        """
        bodies = dict(entries)
        for number, _ in entries:
            if not self.hello.offers(number):
                raise LocalAlert(UNSUPPORTED_EXTENSION, f"extension {number} was not offered")
            if number in NOT_IN_ENCRYPTED_EXTENSIONS:
                raise LocalAlert(ILLEGAL_PARAMETER, f"extension {number} in EncryptedExtensions")
        if EXT_QUIC_TRANSPORT_PARAMETERS not in bodies:
            raise LocalAlert(MISSING_EXTENSION, "the server sent no quic_transport_parameters")
        if EXT_ALPN not in bodies:
            # RFC 9001 §8.1: without an agreed protocol the connection ends.
            if self.alpn:
                raise LocalAlert(NO_APPLICATION_PROTOCOL, f"the server chose none of {', '.join(self.alpn)}")
            return None
        chosen = extensions.parse_alpn(bodies[EXT_ALPN])
        if len(chosen) != 1 or chosen[0] not in self.alpn:
            raise LocalAlert(ILLEGAL_PARAMETER, f"protocol {', '.join(chosen)!r} was not offered")
        return chosen[0]

    def _check_hello(self, answer: ServerHello, allowed: frozenset[int]) -> None:
        bodies = dict(answer.extensions)
        if EXT_SUPPORTED_VERSIONS not in bodies or answer.legacy_version != TLS_1_2:
            raise LocalAlert(PROTOCOL_VERSION, "the server does not speak TLS 1.3")
        version = extensions.parse_uint16(bodies[EXT_SUPPORTED_VERSIONS], "supported_versions")
        if version != TLS_1_3:
            raise LocalAlert(ILLEGAL_PARAMETER, f"the server chose TLS version 0x{version:04x}")
        if answer.session_id != self.hello.session_id:
            raise LocalAlert(ILLEGAL_PARAMETER, "session ID is not the one sent")
        if answer.compression != 0:
            raise LocalAlert(ILLEGAL_PARAMETER, f"compression method {answer.compression}")
        for number, _ in answer.extensions:
            if number not in allowed:
                known = self.hello.offers(number)
                raise LocalAlert(
                    ILLEGAL_PARAMETER if known else UNSUPPORTED_EXTENSION,
                    f"extension {number} in ServerHello",
                )
            # RFC 8446 §4.2: a cookie is the one extension that may come unasked.
            if number != EXT_COOKIE and not self.hello.offers(number):
                raise LocalAlert(UNSUPPORTED_EXTENSION, f"extension {number} was not offered")
        if answer.suite not in self.hello.cipher_suites:
            raise LocalAlert(ILLEGAL_PARAMETER, f"cipher suite {suite_name(answer.suite)} was not offered")
        if answer.suite not in SUITES:
            raise LocalAlert(HANDSHAKE_FAILURE, f"cipher suite {suite_name(answer.suite)} is not implemented")


def bind(hello: ClientHello, session: Session, transcript: Transcript) -> tuple[ClientHello, KeySchedule]:
    """The hello with its binder filled in, and the key schedule that begins with the PSK. RFC 8446 §4.2.11.2.

    Raises:
        ValueError: the hello has not room for exactly one binder of the right size.
    """
    parameters = suite_parameters(session.suite)
    prefix = hello.without_binders()
    if len(hello.raw) != len(prefix) + 3 + parameters.hash_size:
        raise ValueError("pre_shared_key needs one binder as long as the hash")
    schedule = KeySchedule(parameters.hash_name, session.secret)
    binder = schedule.binder(transcript.digest_with(prefix, parameters.hash_name))
    return ClientHello(prefix + vector16(vector8(binder))), schedule
