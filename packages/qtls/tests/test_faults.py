"""Handshakes with a single fault, and the alert each must end in. RFC 8446 §4 and §6.2, RFC 9001 §4 and §8.

Each row changes one message on its way and names the side that must notice, the alert and a part of the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qtls import Level, LocalAlert, constants, extensions
from qtls.client_hello import HelloDraft
from qtls.codec import message, uint16_list, vector8, vector16, vector24
from qtls.messages import (
    certificate_request,
    certificate_verify,
    compressed_certificate,
    encrypted_extensions,
)
from qtls.messages.certificate import Certificate
from qtls.messages.client_hello import ClientHello
from qtls.messages.server_hello import RETRY_RANDOM, ServerHello
from qtls.peer_certificate import open_certificate

MakeDuo = Callable[..., Any]
Edit = Callable[[bytes], bytes]

CH = constants.CLIENT_HELLO
SH = constants.SERVER_HELLO
EE = constants.ENCRYPTED_EXTENSIONS
CERT = constants.CERTIFICATE
CV = constants.CERTIFICATE_VERIFY
FIN = constants.FINISHED
NST = constants.NEW_SESSION_TICKET


# Editing ClientHello


def hello(**changes: Any) -> Edit:
    """Changes of the fields of a ClientHello; ``extensions`` is a function of the list of extensions."""

    def edit(raw: bytes) -> bytes:
        parsed = ClientHello(raw)
        draft = HelloDraft(
            random=parsed.random,
            cipher_suites=list(parsed.cipher_suites),
            extensions=list(parsed.extensions),
            session_id=parsed.session_id,
        )
        for name, value in changes.items():
            if name == "extensions":
                draft.extensions = value(draft.extensions)
            else:
                setattr(draft, name, value)
        return draft.encode()

    return edit


def without(number: int) -> Callable[[list[Any]], list[Any]]:
    return lambda entries: [entry for entry in entries if entry[0] != number]


def with_body(number: int, body: bytes) -> Callable[[list[Any]], list[Any]]:
    """Replaces the body of an extension, or appends the extension."""

    def edit(entries: list[Any]) -> list[Any]:
        if number not in [each for each, _ in entries]:
            return [*entries, (number, body)]
        return [(each, body if each == number else old) for each, old in entries]

    return edit


def twice(number: int) -> Callable[[list[Any]], list[Any]]:
    return lambda entries: [*entries, *[entry for entry in entries if entry[0] == number]]


def ch(number: int, body: bytes) -> Edit:
    return hello(extensions=with_body(number, body))


# Editing the messages of the server


def answer(**changes: Any) -> Edit:
    """Changes of the fields of a ServerHello."""

    def edit(raw: bytes) -> bytes:
        parsed = ServerHello.parse(raw)
        for name, value in changes.items():
            if name == "extensions":
                value = tuple(value(list(parsed.extensions)))
            setattr(parsed, name, value)
        return parsed.encode()

    return edit


def sh(number: int, body: bytes) -> Edit:
    return answer(extensions=with_body(number, body))


def retry(
    *entries: tuple[int, bytes], suite: int = constants.AES_128_GCM_SHA256, session_id: bytes = b""
) -> Edit:
    """A HelloRetryRequest in place of the message."""
    listed = ((constants.EXT_SUPPORTED_VERSIONS, b"\x03\x04"), *entries)
    return lambda raw: ServerHello(RETRY_RANDOM, session_id, suite, listed).encode()


def ee(change: Callable[[list[Any]], list[Any]]) -> Edit:
    return lambda raw: encrypted_extensions.encode(change(list(encrypted_extensions.parse(raw))))


def cert(**changes: Any) -> Edit:
    def edit(raw: bytes) -> bytes:
        parsed = Certificate.parse(raw[4:])
        for name, value in changes.items():
            setattr(parsed, name, value(getattr(parsed, name)))
        return parsed.encode()

    return edit


def cv(scheme: int | None = None, change: Edit = lambda signature: signature) -> Edit:
    def edit(raw: bytes) -> bytes:
        old, signature = certificate_verify.parse(raw)
        return certificate_verify.encode(old if scheme is None else scheme, change(signature))

    return edit


# Editing any message


def body(change: Edit) -> Edit:
    return lambda raw: message(raw[0], change(raw[4:]))


def kind(number: int) -> Edit:
    return lambda raw: bytes((number,)) + raw[1:]


def before(extra: bytes) -> Edit:
    return lambda raw: extra + raw


def after(extra: bytes) -> Edit:
    return lambda raw: raw + extra


def flip(index: int) -> Edit:
    def edit(raw: bytes) -> bytes:
        changed = bytearray(raw)
        changed[index] ^= 1
        return bytes(changed)

    return edit


KEY_UPDATE = message(constants.KEY_UPDATE, b"\0")
REQUEST = certificate_request.encode(((constants.EXT_SIGNATURE_ALGORITHMS, uint16_list((0x0403,))),))
P256 = constants.SECP256R1.to_bytes(2, "big")
X25519 = constants.X25519.to_bytes(2, "big")

HELLO_FAULTS = [
    ("legacy version is not TLS 1.2", hello(legacy_version=0x0301), "protocol_version", "TLS 1.3"),
    ("no supported_versions", hello(extensions=without(43)), "protocol_version", "TLS 1.3"),
    ("only TLS 1.2", ch(43, b"\x02\x03\x03"), "protocol_version", "TLS 1.3"),
    ("empty supported_versions", ch(43, b"\x00"), "decode_error", "empty supported_versions"),
    ("odd supported_versions", ch(43, b"\x03\x03\x04\x03"), "decode_error", "odd length"),
    ("supported_versions with a tail", ch(43, b"\x02\x03\x04\x00"), "decode_error", "after the end"),
    ("no extensions at all", hello(extensions=lambda _: []), "protocol_version", "TLS 1.3"),
    ("session ID", hello(session_id=b"s" * 32), "illegal_parameter", "session ID over QUIC"),
    ("session ID of 33 bytes", hello(session_id=b"s" * 33), "decode_error", "session ID of 33"),
    ("compression", hello(compression=b"\x01\x00"), "illegal_parameter", "compression"),
    ("compression only", hello(compression=b"\x01"), "illegal_parameter", "compression"),
    ("no compression methods", hello(compression=b""), "decode_error", "compression methods"),
    ("no cipher suites", hello(cipher_suites=[]), "decode_error", "no cipher suites"),
    (
        "unknown cipher suites",
        hello(cipher_suites=[0x1305, 0x0A0A]),
        "handshake_failure",
        "no common cipher suite",
    ),
    ("cut", body(lambda data: data[:-1]), "decode_error", "truncated"),
    ("cut after the random", body(lambda data: data[:34]), "decode_error", "truncated"),
    ("empty", body(lambda data: b""), "decode_error", "truncated"),
    ("a byte too many", body(lambda data: data + b"\0"), "decode_error", "after the end"),
    (
        "no transport parameters",
        hello(extensions=without(0x39)),
        "missing_extension",
        "quic_transport_parameters",
    ),
    ("transport parameters twice", hello(extensions=twice(0x39)), "illegal_parameter", "extension 57 twice"),
    (
        "unknown extension twice",
        hello(extensions=lambda e: [*e, (9999, b""), (9999, b"")]),
        "illegal_parameter",
        "9999",
    ),
    ("no supported_groups", hello(extensions=without(10)), "missing_extension", "go together"),
    ("no key_share", hello(extensions=without(51)), "missing_extension", "go together"),
    ("no signature_algorithms", hello(extensions=without(13)), "missing_extension", "signature_algorithms"),
    ("empty supported_groups", ch(10, b"\0\0"), "decode_error", "empty supported_groups"),
    ("odd supported_groups", ch(10, b"\0\3\0\x1d\0"), "decode_error", "odd length"),
    ("empty signature_algorithms", ch(13, b"\0\0"), "decode_error", "empty signature_algorithms"),
    ("unknown signature_algorithms", ch(13, b"\0\2\x0a\x0a"), "handshake_failure", "signature scheme"),
    ("no protocols", hello(extensions=without(16)), "no_application_protocol", "offers none"),
    ("other protocols", ch(16, extensions.encode_alpn(("h2",))), "no_application_protocol", "offers h2"),
    ("empty ALPN list", ch(16, b"\0\0"), "decode_error", "empty ALPN"),
    ("empty protocol name", ch(16, b"\0\1\0"), "decode_error", "empty protocol name"),
    ("ALPN with a tail", ch(16, b"\0\3\2h3\0"), "decode_error", "after the end"),
    ("empty server_name list", ch(0, b"\0\0"), "decode_error", "empty server_name"),
    ("empty host name", ch(0, vector16(b"\0\0\0")), "illegal_parameter", "host name is empty"),
    ("host name not ASCII", ch(0, vector16(b"\0\0\1\xff")), "illegal_parameter", "not ASCII"),
    ("two host names", ch(0, vector16(b"\0\0\1a\0\0\1b")), "illegal_parameter", "two host names"),
    ("server_name with a tail", ch(0, vector16(b"\0\0\1a") + b"\0"), "decode_error", "after the end"),
    (
        "share for a group not offered",
        ch(51, vector16(P256 + b"\0\1\4")),
        "illegal_parameter",
        "share of 1 bytes",
    ),
    (
        "share of an unknown group",
        ch(51, vector16(b"\x0a\x0a\0\1\4")),
        "illegal_parameter",
        "which is not offered",
    ),
    (
        "two shares of a group",
        ch(51, vector16(2 * (X25519 + b"\0\x20" + b"\7" * 32))),
        "illegal_parameter",
        "two key",
    ),
    ("empty share", ch(51, vector16(X25519 + b"\0\0")), "decode_error", "empty key share"),
    ("short share", ch(51, vector16(X25519 + b"\0\2ab")), "illegal_parameter", "share of 2 bytes"),
    ("zero share", ch(51, vector16(X25519 + b"\0\x20" + bytes(32))), "illegal_parameter", "all-zero"),
    (
        "point off the curve",
        ch(51, vector16(P256 + b"\0\x41\4" + b"\1" * 64)),
        "illegal_parameter",
        "not a point",
    ),
    ("key_share cut", ch(51, b"\0\5\0\x1d\0\x20a"), "decode_error", "truncated"),
    ("early_data with a body", ch(42, b"x"), "decode_error", "early_data"),
    (
        "PSK without modes",
        hello(extensions=lambda e: [*without(45)(e), (41, b"\0\0")]),
        "missing_extension",
        "modes",
    ),
    ("PSK not last", hello(extensions=lambda e: [(41, b"\0\0"), *e]), "illegal_parameter", "not the last"),
    ("PSK empty", ch(41, b"\0\0\0\0"), "decode_error", "no PSK identity"),
    ("PSK without binder", ch(41, vector16(b"\0\1t" + bytes(4)) + b"\0\0"), "illegal_parameter", "0 binders"),
    (
        "PSK binder too short",
        ch(41, vector16(b"\0\1t" + bytes(4)) + vector16(vector8(bytes(31)))),
        "decode_error",
        "binder of 31",
    ),
    (
        "PSK identity empty",
        ch(41, vector16(bytes(6)) + vector16(vector8(bytes(32)))),
        "decode_error",
        "empty PSK",
    ),
    (
        "PSK modes empty",
        hello(extensions=lambda e: [*with_body(45, b"\0")(e), (41, b"\0\0\0\0")]),
        "decode_error",
        "",
    ),
    ("compress_certificate empty", ch(27, b"\0"), "decode_error", "empty compress_certificate"),
    ("ServerHello instead", kind(SH), "unexpected_message", "ServerHello in state"),
    ("Finished instead", kind(FIN), "unexpected_message", "Finished in state"),
    ("unknown type", kind(99), "unexpected_message", "message type 99"),
    ("KeyUpdate first", before(KEY_UPDATE), "unexpected_message", "KeyUpdate"),
    ("EndOfEarlyData first", before(message(5, b"")), "unexpected_message", "EndOfEarlyData"),
    ("a second ClientHello", lambda raw: raw + raw, "unexpected_message", "after the last message"),
    ("bytes after it", after(b"\1\0\0\0"), "unexpected_message", "after the last message"),
    ("longer than allowed", lambda raw: b"\1\1\0\1" + raw, "decode_error", "message of 65541 bytes"),
]

SERVER_FAULTS = [
    ("legacy version", SH, answer(legacy_version=0x0304), "protocol_version", "TLS 1.3"),
    ("no supported_versions", SH, answer(extensions=without(43)), "protocol_version", "TLS 1.3"),
    ("TLS 1.2 in supported_versions", SH, sh(43, b"\x03\x03"), "illegal_parameter", "version 0x0303"),
    ("supported_versions cut", SH, sh(43, b"\x03"), "decode_error", "truncated"),
    ("session ID", SH, answer(session_id=b"s"), "illegal_parameter", "session ID"),
    ("compression", SH, answer(compression=1), "illegal_parameter", "compression method 1"),
    ("suite not offered", SH, answer(suite=0x1304), "illegal_parameter", "0x1304 was not offered"),
    ("no key_share", SH, answer(extensions=without(51)), "missing_extension", "key_share"),
    ("share of another group", SH, sh(51, P256 + b"\0\x41\4" + bytes(64)), "illegal_parameter", "secp256r1"),
    ("share of an unknown group", SH, sh(51, b"\x0a\x0a\0\1a"), "illegal_parameter", "0x0a0a"),
    ("short share", SH, sh(51, X25519 + b"\0\2ab"), "illegal_parameter", "share of 2 bytes"),
    ("zero share", SH, sh(51, X25519 + b"\0\x20" + bytes(32)), "illegal_parameter", "all-zero"),
    ("empty share", SH, sh(51, X25519 + b"\0\0"), "decode_error", "empty key share"),
    ("key_share with a tail", SH, sh(51, X25519 + b"\0\1ab"), "decode_error", "after the end"),
    ("PSK not offered", SH, sh(41, b"\0\0"), "unsupported_extension", "extension 41"),
    ("ALPN in ServerHello", SH, sh(16, b""), "illegal_parameter", "extension 16 in ServerHello"),
    ("unknown extension", SH, sh(9999, b""), "unsupported_extension", "extension 9999"),
    ("key_share twice", SH, answer(extensions=twice(51)), "illegal_parameter", "twice"),
    ("cut", SH, body(lambda data: data[:-1]), "decode_error", "truncated"),
    ("no extensions", SH, body(lambda data: data[:38]), "protocol_version", "TLS 1.3"),
    ("a byte too many", SH, body(lambda data: data + b"\0"), "decode_error", "after the end"),
    ("another share", SH, flip(-40), "decrypt_error", ""),
    ("ClientHello instead", SH, kind(CH), "unexpected_message", "ClientHello"),
    ("EncryptedExtensions too early", SH, kind(EE), "unexpected_message", "EncryptedExtensions"),
    ("KeyUpdate first", SH, before(KEY_UPDATE), "unexpected_message", "KeyUpdate"),
    ("bytes after it", SH, after(b"\x08\0\0\0"), "unexpected_message", "after the last message"),
    ("retry without change", SH, retry(), "illegal_parameter", "would not change"),
    ("retry for a group with a share", SH, retry((51, X25519)), "illegal_parameter", "had a share"),
    ("retry for a group not offered", SH, retry((51, b"\x0a\x0a")), "illegal_parameter", "not offered"),
    ("retry with a whole share", SH, retry((51, P256 + b"\0\1a")), "decode_error", "after the end"),
    ("retry with an empty cookie", SH, retry((44, b"\0\0")), "decode_error", "empty cookie"),
    ("retry with ALPN", SH, retry((44, b"\0\1c"), (16, b"")), "illegal_parameter", "extension 16"),
    (
        "retry with a suite not offered",
        SH,
        retry((44, b"\0\1c"), suite=0x1304),
        "illegal_parameter",
        "0x1304",
    ),
    (
        "retry with a session ID",
        SH,
        retry((44, b"\0\1c"), session_id=b"s"),
        "illegal_parameter",
        "session ID",
    ),
    ("no transport parameters", EE, ee(without(0x39)), "missing_extension", "quic_transport_parameters"),
    ("transport parameters twice", EE, ee(twice(0x39)), "illegal_parameter", "twice"),
    ("no protocol", EE, ee(without(16)), "no_application_protocol", "none of h3"),
    (
        "protocol not offered",
        EE,
        ee(with_body(16, extensions.encode_alpn(("h2",)))),
        "illegal_parameter",
        "h2",
    ),
    (
        "two protocols",
        EE,
        ee(with_body(16, extensions.encode_alpn(("h3", "h2")))),
        "illegal_parameter",
        "h3, h2",
    ),
    ("empty ALPN", EE, ee(with_body(16, b"\0\0")), "decode_error", "empty ALPN"),
    ("extension not offered", EE, ee(with_body(9999, b"")), "unsupported_extension", "9999"),
    ("early_data not offered", EE, ee(with_body(42, b"")), "unsupported_extension", "extension 42"),
    ("key_share in it", EE, ee(with_body(51, b"")), "illegal_parameter", "extension 51 in Enc"),
    ("supported_versions in it", EE, ee(with_body(43, b"\3\4")), "illegal_parameter", "extension 43 in Enc"),
    ("signature_algorithms in it", EE, ee(with_body(13, b"")), "illegal_parameter", "extension 13 in Enc"),
    ("cut", EE, body(lambda data: data[:-1]), "decode_error", "truncated"),
    ("a byte too many", EE, body(lambda data: data + b"\0"), "decode_error", "after the end"),
    ("empty", EE, body(lambda data: b""), "decode_error", "truncated"),
    ("Certificate instead", EE, kind(CERT), "unexpected_message", "Certificate in state"),
    ("NewSessionTicket first", EE, before(message(NST, b"")), "unexpected_message", "NewSessionTicket"),
    ("transport parameters changed", EE, flip(-1), "decrypt_error", "signature"),
    ("EncryptedExtensions twice", EE, lambda raw: raw + raw, "unexpected_message", "EncryptedExtensions"),
    ("context", CERT, cert(context=lambda _: b"c"), "illegal_parameter", "context"),
    (
        "no certificate",
        CERT,
        cert(chain=lambda _: (), entry_extensions=lambda _: ()),
        "decode_error",
        "is empty",
    ),
    ("empty certificate", CERT, cert(chain=lambda _: (b"",)), "decode_error", "empty certificate"),
    ("not DER", CERT, cert(chain=lambda _: (b"junk",)), "bad_certificate", "cannot be parsed"),
    (
        "second one not DER",
        CERT,
        cert(chain=lambda c: (*c, b"x"), entry_extensions=lambda e: (*e, ())),
        "bad_certificate",
        "",
    ),
    (
        "17 certificates",
        CERT,
        cert(chain=lambda c: c * 17, entry_extensions=lambda e: e * 17),
        "bad_certificate",
        "17",
    ),
    (
        "staple not asked for",
        CERT,
        cert(entry_extensions=lambda _: (((5, b""),),)),
        "unsupported_extension",
        "5",
    ),
    (
        "unknown entry extension",
        CERT,
        cert(entry_extensions=lambda _: (((99, b""),),)),
        "unsupported_extension",
        "99",
    ),
    ("cut", CERT, body(lambda data: data[:-1]), "decode_error", "truncated"),
    ("a byte too many", CERT, body(lambda data: data + b"\0"), "decode_error", "after the end"),
    ("broken signature of the issuer", CERT, flip(-3), "unknown_ca", "unknown issuer"),
    (
        "compressed, unknown algorithm",
        CERT,
        lambda raw: compressed_certificate.encode(9, 9, b"x"),
        "illegal_parameter",
        "9",
    ),
    (
        "compressed junk",
        CERT,
        lambda raw: compressed_certificate.encode(1, 9, b"x"),
        "bad_certificate",
        "does not give",
    ),
    (
        "compressed to nothing",
        CERT,
        lambda raw: compressed_certificate.encode(1, 0, b"x"),
        "bad_certificate",
        "announces 0",
    ),
    (
        "compressed bomb",
        CERT,
        lambda raw: compressed_certificate.encode(1, 1 << 23, b"x"),
        "bad_certificate",
        "announces",
    ),
    ("compressed message cut", CERT, lambda raw: message(25, b"\0\1\0"), "decode_error", "truncated"),
    ("CertificateVerify instead", CERT, kind(CV), "unexpected_message", "CertificateVerify"),
    ("Finished instead", CERT, kind(FIN), "unexpected_message", "Finished"),
    ("Certificate twice", CERT, lambda raw: raw + raw, "unexpected_message", "Certificate"),
    ("request after it", CERT, after(REQUEST), "unexpected_message", "CertificateRequest"),
    ("request twice", CERT, before(REQUEST + REQUEST), "unexpected_message", "CertificateRequest"),
    (
        "request with a context",
        CERT,
        before(certificate_request.encode((), b"c")),
        "illegal_parameter",
        "context",
    ),
    (
        "request without algorithms",
        CERT,
        before(certificate_request.encode(())),
        "missing_extension",
        "algorithms",
    ),
    (
        "request with none",
        CERT,
        before(certificate_request.encode(((13, b"\0\0"),))),
        "decode_error",
        "empty",
    ),
    ("request cut", CERT, before(message(13, b"\0\0")), "decode_error", "truncated"),
    ("wrong signature", CV, flip(-1), "decrypt_error", "signature"),
    ("signature is junk", CV, cv(change=lambda _: b"junk"), "decrypt_error", "signature"),
    ("empty signature", CV, cv(change=lambda _: b""), "decrypt_error", "signature"),
    ("scheme of another key", CV, cv(0x0804), "illegal_parameter", "cannot sign with scheme 0x0804"),
    ("scheme of another curve", CV, cv(0x0503), "illegal_parameter", "cannot sign with scheme 0x0503"),
    ("PKCS #1 scheme", CV, cv(0x0401), "illegal_parameter", "scheme 0x0401"),
    ("scheme not offered", CV, cv(0x0808), "illegal_parameter", "0x0808 was not offered"),
    ("unknown scheme", CV, cv(0x0A0A), "illegal_parameter", "0x0a0a was not offered"),
    ("cut", CV, body(lambda data: data[:-1]), "decode_error", "truncated"),
    ("a byte too many", CV, body(lambda data: data + b"\0"), "decode_error", "after the end"),
    ("left out", CV, lambda raw: b"", "unexpected_message", "Finished"),
    ("twice", CV, lambda raw: raw + raw, "unexpected_message", "CertificateVerify"),
    ("changed", FIN, flip(-1), "decrypt_error", "Finished"),
    ("cut", FIN, body(lambda data: data[:-1]), "decode_error", "Finished of 31"),
    ("a byte too many", FIN, body(lambda data: data + b"\0"), "decode_error", "Finished of 33"),
    ("empty", FIN, body(lambda data: b""), "decode_error", "Finished of 0"),
    ("KeyUpdate instead", FIN, lambda raw: KEY_UPDATE, "unexpected_message", "KeyUpdate"),
    ("twice", FIN, lambda raw: raw + raw, "unexpected_message", "after the last message"),
    (
        "ticket in the same level",
        FIN,
        after(message(NST, b"")),
        "unexpected_message",
        "after the last message",
    ),
    (
        "empty ticket",
        NST,
        lambda raw: message(NST, bytes(8) + b"\0" + b"\0\0" + b"\0\0"),
        "decode_error",
        "empty ticket",
    ),
    ("lifetime beyond a week", NST, flip(4), "illegal_parameter", "ticket lifetime"),
    ("cut", NST, body(lambda data: data[:-1]), "decode_error", "truncated"),
    (
        "bounded early data",
        NST,
        body(lambda data: data[:-2] + b"\0\x08\0\x2a\0\4\0\0\x10\0"),
        "illegal_parameter",
        "0-RTT",
    ),
    (
        "early_data cut",
        NST,
        body(lambda data: data[:-2] + b"\0\x05\0\x2a\0\1\0"),
        "decode_error",
        "early_data",
    ),
    ("KeyUpdate after the handshake", NST, lambda raw: KEY_UPDATE, "unexpected_message", "KeyUpdate"),
    ("request after the handshake", NST, lambda raw: REQUEST, "unexpected_message", "CertificateRequest"),
    ("ServerHello after the handshake", NST, kind(SH), "unexpected_message", "ServerHello"),
    ("Finished after the handshake", NST, kind(FIN), "unexpected_message", "Finished"),
]

CLIENT_FAULTS = [
    ("changed", FIN, flip(-1), "decrypt_error", "Finished"),
    ("cut", FIN, body(lambda data: data[:-1]), "decode_error", "Finished of 31"),
    ("KeyUpdate instead", FIN, lambda raw: KEY_UPDATE, "unexpected_message", "KeyUpdate"),
    ("EndOfEarlyData before it", FIN, before(message(5, b"")), "unexpected_message", "EndOfEarlyData"),
    ("Certificate not asked for", FIN, before(Certificate(()).encode()), "unexpected_message", "Certificate"),
    ("twice", FIN, lambda raw: raw + raw, "unexpected_message", "after the last message"),
    ("ClientHello instead", FIN, kind(CH), "unexpected_message", "ClientHello"),
]

AUTHENTICATED_CLIENT_FAULTS = [
    ("no certificate", CERT, lambda raw: Certificate(()).encode(), "certificate_required", "no certificate"),
    ("context", CERT, cert(context=lambda _: b"c"), "illegal_parameter", "context"),
    ("not DER", CERT, cert(chain=lambda _: (b"junk",)), "bad_certificate", "cannot be parsed"),
    ("entry extension", CERT, cert(entry_extensions=lambda _: (((5, b""),),)), "unsupported_extension", "5"),
    ("cut", CERT, body(lambda data: data[:-1]), "decode_error", "truncated"),
    (
        "compressed",
        CERT,
        lambda raw: compressed_certificate.encode(9, 9, b"x"),
        "illegal_parameter",
        "not offered",
    ),
    (
        "compressed junk",
        CERT,
        lambda raw: compressed_certificate.encode(1, 9, b"x"),
        "bad_certificate",
        "does not give",
    ),
    ("left out", CERT, lambda raw: b"", "unexpected_message", "CertificateVerify"),
    ("wrong signature", CV, flip(-1), "decrypt_error", "signature"),
    ("scheme not offered", CV, cv(0x0A0A), "illegal_parameter", "not offered"),
    ("scheme of another key", CV, cv(0x0804), "illegal_parameter", "cannot sign"),
    ("left out", CV, lambda raw: b"", "unexpected_message", "Finished"),
    ("changed", FIN, flip(-1), "decrypt_error", "Finished"),
]


def fault_once(side: str, message_type: int, edit: Edit) -> Callable[[str, Level, bytes], bytes]:
    """A tamperer that edits the first message of a type that a side sends."""
    done = False

    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        nonlocal done
        if raw[0] == constants.COMPRESSED_CERTIFICATE and sender == side and message_type == CERT:
            raw = open_certificate(raw, (1, 2, 3)).encode()
        if done or sender != side or raw[0] != message_type:
            return raw
        done = True
        return edit(raw)

    return tamper


def assert_refused(duo: Any, side: str, message_type: int, edit: Edit, alert: str, reason: str) -> None:
    with pytest.raises(LocalAlert) as refused:
        duo.run(fault_once(side, message_type, edit))

    assert alert == constants.alert_name(refused.value.description), str(refused.value)
    assert reason in refused.value.reason


def ids(rows: list[Any]) -> list[str]:
    names = [constants.message_name(row[1]) if isinstance(row[1], int) else "ClientHello" for row in rows]
    return [f"{name}: {row[0]}" for name, row in zip(names, rows, strict=True)]


@pytest.mark.parametrize(("name", "edit", "alert", "reason"), HELLO_FAULTS, ids=ids(HELLO_FAULTS))
def test_fault_in_client_hello(make_duo: MakeDuo, name: str, edit: Edit, alert: str, reason: str) -> None:
    assert_refused(make_duo(), "client", CH, edit, alert, reason)


@pytest.mark.parametrize(("name", "kind", "edit", "alert", "reason"), SERVER_FAULTS, ids=ids(SERVER_FAULTS))
def test_fault_of_the_server(
    make_duo: MakeDuo, name: str, kind: int, edit: Edit, alert: str, reason: str
) -> None:
    assert_refused(make_duo(), "server", kind, edit, alert, reason)


@pytest.mark.parametrize(("name", "kind", "edit", "alert", "reason"), CLIENT_FAULTS, ids=ids(CLIENT_FAULTS))
def test_fault_of_the_client(
    make_duo: MakeDuo, name: str, kind: int, edit: Edit, alert: str, reason: str
) -> None:
    assert_refused(make_duo(), "client", kind, edit, alert, reason)


@pytest.mark.parametrize(
    ("name", "kind", "edit", "alert", "reason"),
    AUTHENTICATED_CLIENT_FAULTS,
    ids=ids(AUTHENTICATED_CLIENT_FAULTS),
)
def test_fault_of_an_authenticated_client(
    make_duo: MakeDuo, authority: Any, name: str, kind: int, edit: Edit, alert: str, reason: str
) -> None:
    own = authority.issue(["client.example"], client=True)
    duo = make_duo({"client_cert": own}, {"client_auth": "require", "client_ca": authority.pem})
    assert_refused(duo, "client", kind, edit, alert, reason)


SECOND_HELLO_FAULTS = [
    ("other random", hello(random=b"r" * 32), "another random"),
    ("other suites", hello(cipher_suites=[0x1301]), "other cipher suites"),
    ("other groups", ch(10, uint16_list((constants.SECP384R1,))), "other groups"),
    ("other protocols", ch(16, extensions.encode_alpn(("h3", "h2"))), "other groups or protocols"),
    ("other name", ch(0, extensions.encode_server_name("other.example")), "another server name"),
    ("no share", ch(51, vector16(b"")), "not one share"),
    ("share of another group", ch(51, vector16(X25519 + b"\0\x20" + b"\7" * 32)), "not one share"),
    ("early data", ch(42, b""), "early_data"),
    ("other cookie", ch(44, vector16(b"other")), "another cookie"),
]


@pytest.mark.parametrize(
    ("name", "edit", "reason"), SECOND_HELLO_FAULTS, ids=[row[0] for row in SECOND_HELLO_FAULTS]
)
def test_fault_in_second_client_hello(
    make_duo: MakeDuo, name: str, edit: Edit, reason: str
) -> None:  # RFC 8446 §4.1.2
    count = 0

    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        nonlocal count
        count += raw[0] == CH
        return edit(raw) if raw[0] == CH and count == 2 else raw

    with pytest.raises(LocalAlert, match=reason) as refused:
        make_duo({}, {"groups": (constants.SECP384R1,)}).run(tamper)
    assert constants.ILLEGAL_PARAMETER == refused.value.description


RETRY_FAULTS = [
    (
        "another suite",
        answer(suite=constants.AES_256_GCM_SHA384),
        "illegal_parameter",
        "another cipher suite",
    ),
    ("another group", sh(51, X25519 + b"\0\x20" + b"\7" * 32), "illegal_parameter", "had no share"),
    ("a second retry", retry((44, b"\0\1c")), "unexpected_message", "hello retry request"),
]


@pytest.mark.parametrize(
    ("name", "edit", "alert", "reason"), RETRY_FAULTS, ids=[row[0] for row in RETRY_FAULTS]
)
def test_fault_after_a_retry(make_duo: MakeDuo, name: str, edit: Edit, alert: str, reason: str) -> None:
    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        return edit(raw) if raw[0] == SH and not ServerHello.parse(raw).is_retry else raw

    with pytest.raises(LocalAlert) as refused:
        make_duo({}, {"groups": (constants.SECP384R1,)}).run(tamper)
    assert alert == constants.alert_name(refused.value.description)
    assert reason in refused.value.reason


@pytest.mark.parametrize("level", [Level.EARLY, Level.HANDSHAKE, Level.APPLICATION])
def test_bytes_at_another_level(make_duo: MakeDuo, level: Level) -> None:  # RFC 9001 §4.1.3
    duo = make_duo()
    duo.client.start()

    for handshake in (duo.client, duo.server):
        with pytest.raises(LocalAlert, match=f"level {level.value}, not initial") as refused:
            handshake.receive(level, b"\x02")
        assert constants.UNEXPECTED_MESSAGE == refused.value.description
        assert 0x0A == refused.value.quic_error


def test_binder_that_does_not_match(make_duo: MakeDuo) -> None:  # RFC 8446 §4.2.11
    from qtls.events import NewSession

    server = {"ticket_keys": (b"k" * 32,)}
    first = make_duo({}, server).run()
    session = next(event.session for event in first.client_events if isinstance(event, NewSession))
    duo = make_duo({}, server, {"session": session})

    assert_refused(duo, "client", CH, flip(-1), "decrypt_error", "binder")


def test_psk_of_another_place(make_duo: MakeDuo) -> None:
    from qtls.events import NewSession

    server = {"ticket_keys": (b"k" * 32,)}
    first = make_duo({}, server).run()
    session = next(event.session for event in first.client_events if isinstance(event, NewSession))

    for edit, reason in (
        (sh(41, b"\0\1"), "PSK 1 was not offered"),
        (answer(suite=constants.AES_256_GCM_SHA384), "another hash than the PSK"),
    ):
        assert_refused(
            make_duo({}, server, {"session": session}), "server", SH, edit, "illegal_parameter", reason
        )
    duo = make_duo({}, server, {"session": session})
    assert_refused(duo, "server", FIN, before(Certificate(()).encode()), "unexpected_message", "Certificate")


def test_chain_beyond_the_bound(make_duo: MakeDuo) -> None:
    big = vector8(b"") + vector24(vector24(b"x" * 65_500) + b"\0\0")

    assert_refused(
        make_duo(), "server", CERT, lambda raw: message(CERT, big), "bad_certificate", "cannot be parsed"
    )
    bigger = vector8(b"") + vector24(vector24(b"x" * 65_600) + b"\0\0")
    assert_refused(
        make_duo(), "server", CERT, lambda raw: message(CERT, bigger), "decode_error", "message of 656"
    )


def test_cookie_is_asked_for_and_returned(make_duo: MakeDuo) -> None:  # RFC 8446 §4.2.2
    group = {"groups": (constants.SECP384R1,)}
    for server, count in ((group, 1), ({**group, "retry_cookie": False}, 0)):
        duo = make_duo({}, server).run()
        answers = [ServerHello.parse(raw) for sender, _, raw in duo.messages if raw[0] == SH]
        hellos = [ClientHello(raw) for sender, _, raw in duo.messages if raw[0] == CH]
        asked = [dict(each.extensions).get(44) for each in answers]
        assert [each.get(44) for each in hellos] == [None, asked[0]]
        assert count == len([each for each in asked if each])


def test_cookie_that_does_not_come_back(make_duo: MakeDuo) -> None:
    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        return hello(extensions=without(44))(raw) if sender == "client" and raw[0] == CH else raw

    with pytest.raises(LocalAlert, match="missing_extension: the second ClientHello has no cookie"):
        make_duo({}, {"groups": (constants.SECP384R1,)}).run(tamper)
    with pytest.raises(LocalAlert, match="another cookie"):
        unasked = {"groups": (constants.SECP384R1,), "retry_cookie": False}
        make_duo({}, unasked).run(fault_in_second(ch(44, vector16(b"unasked"))))


def fault_in_second(edit: Edit) -> Callable[[str, Level, bytes], bytes]:
    seen = []

    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        if raw[0] != CH:
            return raw
        seen.append(raw)
        return edit(raw) if len(seen) == 2 else raw

    return tamper
