"""Numbers of TLS 1.3 and QUIC-TLS.

Wire numbers are ``Final`` ints; encryption levels are an ``Enum``. RFC 8446 §B, RFC 9001, the IANA TLS registries.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Level(Enum):
    """Encryption level of handshake bytes and of packet keys, RFC 9001 §2.1."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    INITIAL = "initial"
    EARLY = "early"
    HANDSHAKE = "handshake"
    APPLICATION = "application"


# QUIC versions with key derivations of their own: RFC 9001 §5.2, RFC 9369 §3.3.
QUIC_VERSION_1: Final = 0x00000001
QUIC_VERSION_2: Final = 0x6B3343CF
# RFC 9001 §4 and §8: what in a handshake is an error of the transport, not of TLS.
PROTOCOL_VIOLATION: Final = 0x0A

TLS_1_2: Final = 0x0303
TLS_1_3: Final = 0x0304

# Cipher suites, RFC 8446 §B.4.
AES_128_GCM_SHA256: Final = 0x1301
AES_256_GCM_SHA384: Final = 0x1302
CHACHA20_POLY1305_SHA256: Final = 0x1303

# Groups, RFC 8446 §4.2.7 and draft-ietf-tls-ecdhe-mlkem.
SECP256R1: Final = 0x0017
SECP384R1: Final = 0x0018
SECP521R1: Final = 0x0019
X25519: Final = 0x001D
X25519MLKEM768: Final = 0x11EC

# Signature schemes, RFC 8446 §4.2.3.
RSA_PKCS1_SHA1: Final = 0x0201
ECDSA_SHA1: Final = 0x0203
RSA_PKCS1_SHA256: Final = 0x0401
RSA_PKCS1_SHA384: Final = 0x0501
RSA_PKCS1_SHA512: Final = 0x0601
ECDSA_SECP256R1_SHA256: Final = 0x0403
ECDSA_SECP384R1_SHA384: Final = 0x0503
ECDSA_SECP521R1_SHA512: Final = 0x0603
RSA_PSS_RSAE_SHA256: Final = 0x0804
RSA_PSS_RSAE_SHA384: Final = 0x0805
RSA_PSS_RSAE_SHA512: Final = 0x0806
ED25519: Final = 0x0807
ED448: Final = 0x0808
RSA_PSS_PSS_SHA256: Final = 0x0809
RSA_PSS_PSS_SHA384: Final = 0x080A
RSA_PSS_PSS_SHA512: Final = 0x080B

# Handshake message types, RFC 8446 §B.3.
CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2
NEW_SESSION_TICKET: Final = 4
END_OF_EARLY_DATA: Final = 5
ENCRYPTED_EXTENSIONS: Final = 8
CERTIFICATE: Final = 11
CERTIFICATE_REQUEST: Final = 13
CERTIFICATE_VERIFY: Final = 15
FINISHED: Final = 20
KEY_UPDATE: Final = 24
COMPRESSED_CERTIFICATE: Final = 25
MESSAGE_HASH: Final = 254

# Extensions.
EXT_SERVER_NAME: Final = 0
EXT_STATUS_REQUEST: Final = 5
EXT_SUPPORTED_GROUPS: Final = 10
EXT_SIGNATURE_ALGORITHMS: Final = 13
EXT_ALPN: Final = 16
EXT_SIGNED_CERTIFICATE_TIMESTAMP: Final = 18
EXT_PADDING: Final = 21
EXT_EXTENDED_MASTER_SECRET: Final = 23
EXT_COMPRESS_CERTIFICATE: Final = 27
EXT_RECORD_SIZE_LIMIT: Final = 28
EXT_DELEGATED_CREDENTIALS: Final = 34
EXT_PRE_SHARED_KEY: Final = 41
EXT_EARLY_DATA: Final = 42
EXT_SUPPORTED_VERSIONS: Final = 43
EXT_COOKIE: Final = 44
EXT_PSK_KEY_EXCHANGE_MODES: Final = 45
EXT_CERTIFICATE_AUTHORITIES: Final = 47
EXT_OID_FILTERS: Final = 48
EXT_POST_HANDSHAKE_AUTH: Final = 49
EXT_SIGNATURE_ALGORITHMS_CERT: Final = 50
EXT_KEY_SHARE: Final = 51
EXT_QUIC_TRANSPORT_PARAMETERS: Final = 0x39
EXT_ALPS_OLD: Final = 17513
EXT_ALPS: Final = 17613
EXT_TRUST_ANCHORS: Final = 0xCA34
EXT_ECH_OUTER_EXTENSIONS: Final = 0xFD00
EXT_ENCRYPTED_CLIENT_HELLO: Final = 0xFE0D
EXT_RENEGOTIATION_INFO: Final = 0xFF01

# Certificate compression, RFC 8879 §7.3.
COMPRESSION_ZLIB: Final = 1
COMPRESSION_BROTLI: Final = 2
COMPRESSION_ZSTD: Final = 3

# PSK key exchange modes, RFC 8446 §4.2.9.
PSK_KE: Final = 0
PSK_DHE_KE: Final = 1

# Alerts, RFC 8446 §6.
CLOSE_NOTIFY: Final = 0
UNEXPECTED_MESSAGE: Final = 10
BAD_RECORD_MAC: Final = 20
RECORD_OVERFLOW: Final = 22
HANDSHAKE_FAILURE: Final = 40
BAD_CERTIFICATE: Final = 42
UNSUPPORTED_CERTIFICATE: Final = 43
CERTIFICATE_REVOKED: Final = 44
CERTIFICATE_EXPIRED: Final = 45
CERTIFICATE_UNKNOWN: Final = 46
ILLEGAL_PARAMETER: Final = 47
UNKNOWN_CA: Final = 48
ACCESS_DENIED: Final = 49
DECODE_ERROR: Final = 50
DECRYPT_ERROR: Final = 51
PROTOCOL_VERSION: Final = 70
INSUFFICIENT_SECURITY: Final = 71
INTERNAL_ERROR: Final = 80
INAPPROPRIATE_FALLBACK: Final = 86
USER_CANCELED: Final = 90
MISSING_EXTENSION: Final = 109
UNSUPPORTED_EXTENSION: Final = 110
UNRECOGNIZED_NAME: Final = 112
BAD_CERTIFICATE_STATUS_RESPONSE: Final = 113
UNKNOWN_PSK_IDENTITY: Final = 115
CERTIFICATE_REQUIRED: Final = 116
NO_APPLICATION_PROTOCOL: Final = 120
ECH_REQUIRED: Final = 121

ALERT_NAMES: Final[dict[int, str]] = {
    CLOSE_NOTIFY: "close_notify",
    UNEXPECTED_MESSAGE: "unexpected_message",
    BAD_RECORD_MAC: "bad_record_mac",
    RECORD_OVERFLOW: "record_overflow",
    HANDSHAKE_FAILURE: "handshake_failure",
    BAD_CERTIFICATE: "bad_certificate",
    UNSUPPORTED_CERTIFICATE: "unsupported_certificate",
    CERTIFICATE_REVOKED: "certificate_revoked",
    CERTIFICATE_EXPIRED: "certificate_expired",
    CERTIFICATE_UNKNOWN: "certificate_unknown",
    ILLEGAL_PARAMETER: "illegal_parameter",
    UNKNOWN_CA: "unknown_ca",
    ACCESS_DENIED: "access_denied",
    DECODE_ERROR: "decode_error",
    DECRYPT_ERROR: "decrypt_error",
    PROTOCOL_VERSION: "protocol_version",
    INSUFFICIENT_SECURITY: "insufficient_security",
    INTERNAL_ERROR: "internal_error",
    INAPPROPRIATE_FALLBACK: "inappropriate_fallback",
    USER_CANCELED: "user_canceled",
    MISSING_EXTENSION: "missing_extension",
    UNSUPPORTED_EXTENSION: "unsupported_extension",
    UNRECOGNIZED_NAME: "unrecognized_name",
    BAD_CERTIFICATE_STATUS_RESPONSE: "bad_certificate_status_response",
    UNKNOWN_PSK_IDENTITY: "unknown_psk_identity",
    CERTIFICATE_REQUIRED: "certificate_required",
    NO_APPLICATION_PROTOCOL: "no_application_protocol",
    ECH_REQUIRED: "ech_required",
}

SUITE_NAMES: Final[dict[int, str]] = {
    AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
    AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
    CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
}

GROUP_NAMES: Final[dict[int, str]] = {
    SECP256R1: "secp256r1",
    SECP384R1: "secp384r1",
    SECP521R1: "secp521r1",
    X25519: "x25519",
    X25519MLKEM768: "X25519MLKEM768",
}

MESSAGE_NAMES: Final[dict[int, str]] = {
    CLIENT_HELLO: "ClientHello",
    SERVER_HELLO: "ServerHello",
    NEW_SESSION_TICKET: "NewSessionTicket",
    END_OF_EARLY_DATA: "EndOfEarlyData",
    ENCRYPTED_EXTENSIONS: "EncryptedExtensions",
    CERTIFICATE: "Certificate",
    CERTIFICATE_REQUEST: "CertificateRequest",
    CERTIFICATE_VERIFY: "CertificateVerify",
    FINISHED: "Finished",
    KEY_UPDATE: "KeyUpdate",
    COMPRESSED_CERTIFICATE: "CompressedCertificate",
}


# What a CertificateVerify is for, RFC 8446 §4.4.3.
SERVER_CONTEXT: Final = b"TLS 1.3, server CertificateVerify"
CLIENT_CONTEXT: Final = b"TLS 1.3, client CertificateVerify"


def alert_name(description: int) -> str:
    """Name of an alert as in RFC 8446 §6, or its number."""
    return ALERT_NAMES.get(description, f"alert {description}")


def suite_name(suite: int) -> str:
    """Name of a cipher suite, or its number in hex."""
    return SUITE_NAMES.get(suite, f"0x{suite:04x}")


def group_name(group: int) -> str:
    """Name of a group, or its number in hex."""
    return GROUP_NAMES.get(group, f"0x{group:04x}")


def message_name(message_type: int) -> str:
    """Name of a handshake message type, or its number."""
    return MESSAGE_NAMES.get(message_type, f"message type {message_type}")
