"""The ClientHello seam: the plain builder, and builders that draw like browsers."""

from __future__ import annotations

import random as seeded
from collections.abc import Callable
from typing import Any

import pytest

from qtls import CertificateChain, LocalAlert
from qtls.adapters.self_signed import Authority
from qtls.client_hello import DefaultHello, HelloContext, HelloDraft, HelloRetry
from qtls.codec import uint16_list, vector8, vector16
from qtls.constants import (
    AES_128_GCM_SHA256,
    AES_256_GCM_SHA384,
    CHACHA20_POLY1305_SHA256,
    COMPRESSED_CERTIFICATE,
    EXT_ALPN,
    EXT_ALPS,
    EXT_ALPS_OLD,
    EXT_COMPRESS_CERTIFICATE,
    EXT_COOKIE,
    EXT_DELEGATED_CREDENTIALS,
    EXT_EARLY_DATA,
    EXT_ENCRYPTED_CLIENT_HELLO,
    EXT_EXTENDED_MASTER_SECRET,
    EXT_KEY_SHARE,
    EXT_PRE_SHARED_KEY,
    EXT_PSK_KEY_EXCHANGE_MODES,
    EXT_QUIC_TRANSPORT_PARAMETERS,
    EXT_RECORD_SIZE_LIMIT,
    EXT_RENEGOTIATION_INFO,
    EXT_SERVER_NAME,
    EXT_SIGNATURE_ALGORITHMS,
    EXT_SIGNED_CERTIFICATE_TIMESTAMP,
    EXT_STATUS_REQUEST,
    EXT_SUPPORTED_GROUPS,
    EXT_SUPPORTED_VERSIONS,
    EXT_TRUST_ANCHORS,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    X25519,
    X25519MLKEM768,
)
from qtls.events import NewSession
from qtls.extensions import encode_alpn, encode_client_shares, encode_client_versions, encode_server_name
from qtls.key_exchange import KeyShares
from qtls.messages.client_hello import ClientHello
from qtls.resumption import Session

MakeDuo = Callable[..., Any]
SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201)


def context(**changes: Any) -> HelloContext:
    random = seeded.Random(3).randbytes
    values: dict[str, Any] = {
        "server_name": "server.example",
        "alpn": ("h3", "hq-interop"),
        "transport_parameters": b"parameters",
        "groups": (X25519MLKEM768, X25519, SECP256R1, SECP384R1),
        "random": random,
        "key_shares": KeyShares(random),
        "wall_clock": 1000.0,
        **changes,
    }
    return HelloContext(**values)


def session(**changes: Any) -> Session:
    values: dict[str, Any] = {
        "ticket": b"ticket",
        "secret": b"s" * 48,
        "suite": AES_256_GCM_SHA384,
        "alpn": "h3",
        "server_name": "server.example",
        "lifetime": 3600.0,
        "age_add": 0xFFFFFFFF,
        "issued_at": 990.5,
        "quic_version": 1,
        "max_early_data": 0xFFFFFFFF,
        **changes,
    }
    return Session(**values)


def built(**changes: Any) -> ClientHello:
    return ClientHello(DefaultHello().build(context(**changes)).encode())


def test_plain_hello() -> None:
    hello = built()

    assert "server.example" == hello.server_name()
    assert ("h3", "hq-interop") == hello.alpn()
    assert (0x0304,) == hello.versions()
    assert (X25519MLKEM768, X25519, SECP256R1, SECP384R1) == hello.groups()
    assert [X25519MLKEM768, X25519] == [group for group, _ in hello.key_shares()]
    assert b"parameters" == hello.get(EXT_QUIC_TRANSPORT_PARAMETERS)
    assert (b"", b"\0", 0x0303) == (hello.session_id, hello.compression, hello.legacy_version)
    assert not hello.offers(EXT_PRE_SHARED_KEY) and not hello.offers(EXT_COOKIE)


def test_names_that_are_addresses_are_not_sent() -> None:  # RFC 6066 §3
    for name in (None, "127.0.0.1", "::1"):
        assert built(server_name=name).server_name() is None


def test_trailing_dot_is_not_sent() -> None:  # RFC 6066 §3
    assert "server.example" == built(server_name="server.example.").server_name()


def test_shares_follow_the_configured_groups() -> None:
    assert [SECP384R1] == [group for group, _ in built(groups=(SECP384R1, SECP256R1)).key_shares()]
    assert [X25519] == [group for group, _ in built(groups=(SECP256R1, X25519)).key_shares()]


def test_resumption_and_early_data() -> None:  # RFC 8446 §4.2.11
    hello = built(session=session(), early_data=True)
    identities, binders = hello.offered_psks()

    assert EXT_PRE_SHARED_KEY == hello.extensions[-1][0]
    assert b"" == hello.get(EXT_EARLY_DATA)
    assert ((b"ticket", 9500 - 1),) == identities  # 9.5 s old, age_add is -1 modulo 2^32
    assert (bytes(48),) == binders


def test_pre_shared_key_needs_a_session() -> None:
    with pytest.raises(ValueError, match="no session"):
        context().pre_shared_key()


def test_second_hello_keeps_the_first() -> None:  # RFC 8446 §4.1.2
    first = built()
    second = built(retry=HelloRetry(SECP384R1, b"cookie", first.raw))

    assert first.random == second.random
    assert first.cipher_suites == second.cipher_suites
    assert [SECP384R1] == [group for group, _ in second.key_shares()]
    assert b"cookie" == second.cookie()
    changed = {EXT_KEY_SHARE, EXT_COOKIE}
    assert [entry for entry in first.extensions if entry[0] not in changed] == [
        entry for entry in second.extensions if entry[0] not in changed
    ]


def test_draft_is_what_is_parsed_again() -> None:
    draft = HelloDraft(
        random=b"r" * 32,
        cipher_suites=[0x0A0A, AES_128_GCM_SHA256],
        extensions=[(0x1A1A, b""), (21, bytes(300))],
        session_id=b"id",
        compression=b"\1\0",
        legacy_version=0x0301,
    )
    hello = ClientHello(draft.encode())

    assert draft.extensions == list(hello.extensions)
    assert (0x0A0A, AES_128_GCM_SHA256) == hello.cipher_suites
    assert (b"id", b"\1\0", 0x0301, b"r" * 32) == (
        hello.session_id,
        hello.compression,
        hello.legacy_version,
        hello.random,
    )


class Chromium:
    """Extensions of Chromium over QUIC, in an order of its own."""

    def build(self, context: HelloContext) -> HelloDraft:
        shares = context.key_shares
        retry = context.retry
        groups = (X25519MLKEM768, X25519) if retry is None or retry.group is None else (retry.group,)
        entries = [
            (EXT_COMPRESS_CERTIFICATE, vector8(b"\0\2")),
            (EXT_KEY_SHARE, encode_client_shares([(group, shares.public(group)) for group in groups])),
            (EXT_ALPS, encode_alpn(context.alpn)),
            (EXT_SERVER_NAME, encode_server_name(context.server_name or "")),
            (EXT_QUIC_TRANSPORT_PARAMETERS, context.transport_parameters),
            (EXT_ENCRYPTED_CLIENT_HELLO, b"\0\0\1\0\1\7" + vector16(b"e" * 32) + vector16(b"p" * 208)),
            (EXT_SUPPORTED_GROUPS, uint16_list((X25519MLKEM768, X25519, SECP256R1, SECP384R1))),
            (EXT_PSK_KEY_EXCHANGE_MODES, b"\1\1"),
            (EXT_TRUST_ANCHORS, vector16(b"\4aaaa" * 30)),
            (EXT_SUPPORTED_VERSIONS, encode_client_versions((0x0304,))),
            (EXT_SIGNATURE_ALGORITHMS, uint16_list(SIGNATURES)),
            (EXT_ALPN, encode_alpn(context.alpn)),
        ]
        if retry is not None and retry.cookie is not None:
            entries.append((EXT_COOKIE, vector16(retry.cookie)))
        if context.early_data:
            entries.append((EXT_EARLY_DATA, b""))
        if context.session is not None:
            entries.append((EXT_PRE_SHARED_KEY, context.pre_shared_key()))
        return HelloDraft(
            random=context.random(32) if retry is None else retry.first_hello[6:38],
            cipher_suites=[AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256],
            extensions=entries,
        )


class Firefox:
    """Extensions of Firefox over QUIC; its hybrid share repeats its X25519 share."""

    def build(self, context: HelloContext) -> HelloDraft:
        shares = context.key_shares
        hybrid = shares.public(X25519MLKEM768, share_x25519=True)
        assert hybrid[-32:] == shares.public(X25519)
        offered = [
            (X25519MLKEM768, hybrid),
            (X25519, shares.public(X25519)),
            (SECP256R1, shares.public(SECP256R1)),
        ]
        if context.retry is not None and context.retry.group is not None:
            offered = [(context.retry.group, shares.public(context.retry.group))]
        groups = (X25519MLKEM768, X25519, SECP256R1, SECP384R1, SECP521R1)
        entries = [
            (EXT_SERVER_NAME, encode_server_name(context.server_name or "")),
            (EXT_EXTENDED_MASTER_SECRET, b""),
            (EXT_RENEGOTIATION_INFO, b"\0"),
            (EXT_SUPPORTED_GROUPS, uint16_list(groups)),
            (EXT_ALPN, encode_alpn(context.alpn)),
            (EXT_STATUS_REQUEST, b"\1\0\0\0\0"),
            (EXT_SIGNED_CERTIFICATE_TIMESTAMP, b""),
            (EXT_DELEGATED_CREDENTIALS, uint16_list((0x0403, 0x0503, 0x0603, 0x0203))),
            (EXT_KEY_SHARE, encode_client_shares(offered)),
            (EXT_SUPPORTED_VERSIONS, encode_client_versions((0x0304,))),
            (EXT_SIGNATURE_ALGORITHMS, uint16_list((0x0403, 0x0503, 0x0603, 0x0203, *SIGNATURES[1:]))),
            (EXT_PSK_KEY_EXCHANGE_MODES, b"\1\1"),
            (EXT_RECORD_SIZE_LIMIT, b"\x40\x01"),
            (EXT_COMPRESS_CERTIFICATE, vector8(b"\0\1\0\3\0\2")),
            (EXT_QUIC_TRANSPORT_PARAMETERS, context.transport_parameters),
            (EXT_ENCRYPTED_CLIENT_HELLO, b"\0\0\1\0\3\7" + vector16(b"e" * 32) + vector16(b"p" * 239)),
        ]
        if context.retry is not None and context.retry.cookie is not None:
            entries.append((EXT_COOKIE, vector16(context.retry.cookie)))
        if context.session is not None:
            if context.early_data:
                entries.append((EXT_EARLY_DATA, b""))
            entries.append((EXT_PRE_SHARED_KEY, context.pre_shared_key()))
        return HelloDraft(
            random=context.random(32) if context.retry is None else context.retry.first_hello[6:38],
            cipher_suites=[AES_128_GCM_SHA256, CHACHA20_POLY1305_SHA256, AES_256_GCM_SHA384],
            extensions=entries,
        )


BROWSERS = pytest.mark.parametrize("builder", [Chromium(), Firefox()], ids=["Chromium", "Firefox"])


@BROWSERS
@pytest.mark.parametrize("group", [X25519MLKEM768, X25519, SECP256R1, SECP384R1], ids=hex)
def test_browser_hellos_work_with_every_group(make_duo: MakeDuo, builder: Any, group: int) -> None:
    duo = make_duo({"hello": builder}, {"groups": (group,)}).run()

    assert group == duo.client_info.group == duo.server_info.group
    assert "h3" == duo.client_info.alpn


@BROWSERS
def test_browser_hellos_resume_with_early_data(make_duo: MakeDuo, builder: Any) -> None:
    server = {"ticket_keys": (b"k" * 32,), "early_data": True}
    first = make_duo({"hello": builder}, server).run()
    kept = next(event.session for event in first.client_events if isinstance(event, NewSession))
    args = {"session": kept, "early_data": True}
    duo = make_duo({"hello": builder}, server, args).run()

    assert duo.client_info.early_accepted and duo.server_info.early_accepted


@BROWSERS
def test_certificates_come_compressed(make_duo: MakeDuo, builder: Any) -> None:  # RFC 8879
    if isinstance(builder, Chromium):
        pytest.importorskip("brotli")
    duo = make_duo({"hello": builder}).run()

    assert COMPRESSED_CERTIFICATE in [message[0] for _, _, message in duo.messages]


def test_staples_and_timestamps_come_to_who_asks(make_duo: MakeDuo, chain: CertificateChain) -> None:
    stapled = CertificateChain(chain.certificates, chain.key, ocsp_response=b"ocsp", sct_list=b"scts")

    assert b"ocsp" == make_duo({"hello": Firefox()}, {"certs": stapled}).run().client_info.ocsp_response
    assert make_duo({"hello": Chromium()}, {"certs": stapled}).run().client_info.ocsp_response is None


@pytest.mark.parametrize("number", [EXT_ALPS, EXT_ALPS_OLD])
@pytest.mark.parametrize("authenticated", [False, True], ids=["", "with client certificate"])
@pytest.mark.parametrize("group", [X25519, SECP384R1], ids=["", "after retry"])
def test_application_settings(
    make_duo: MakeDuo, authority: Authority, number: int, authenticated: bool, group: int
) -> None:
    class Builder:
        def build(self, context: HelloContext) -> HelloDraft:
            draft = Chromium().build(context)
            draft.extensions = [
                (number if each == EXT_ALPS else each, body) for each, body in draft.extensions
            ]
            return draft

    own = authority.issue(["client.example"], client=True)
    server: dict[str, Any] = {"application_settings": b"from the server", "groups": (group,)}
    if authenticated:
        server |= {"client_auth": "require", "client_ca": authority.pem}
    client = {"hello": Builder(), "application_settings": b"from the client", "client_cert": own}
    duo = make_duo(client, server).run()

    assert b"from the server" == duo.client_info.application_settings
    assert b"from the client" == duo.server_info.application_settings
    assert authenticated == bool(duo.server_info.peer_certificates)


class Edited:
    """The plain hello with a change."""

    def __init__(self, change: Callable[[HelloDraft], None]) -> None:
        self.change = change

    def build(self, context: HelloContext) -> HelloDraft:
        draft = DefaultHello().build(context)
        self.change(draft)
        return draft


def offer_only(number: int) -> Callable[[HelloDraft], None]:
    def change(draft: HelloDraft) -> None:
        draft.extensions = [entry for entry in draft.extensions if entry[0] != number]

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (offer_only(EXT_SUPPORTED_VERSIONS), "does not offer TLS 1.3"),
        (offer_only(EXT_QUIC_TRANSPORT_PARAMETERS), "no quic_transport_parameters"),
        (lambda draft: draft.extensions.append((EXT_EARLY_DATA, b"")), "early_data, but"),
        (lambda draft: draft.extensions.append((EXT_PRE_SHARED_KEY, b"")), "there is no session"),
        (lambda draft: draft.extensions.append(draft.extensions[0]), "twice"),
    ],
    ids=["version", "parameters", "early data", "PSK", "duplicate"],
)  # fmt: skip
def test_hellos_that_cannot_work_are_refused(make_duo: MakeDuo, change: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_duo({"hello": Edited(change)}).client.start()


def test_what_is_not_offered_is_not_negotiated(make_duo: MakeDuo) -> None:
    # The configuration says h3, the bytes do not: the bytes count.
    duo = make_duo({"hello": Edited(offer_only(EXT_ALPN))}, {"alpn": ()}).run()
    assert duo.client_info.alpn is None

    def only_chacha(draft: HelloDraft) -> None:
        draft.cipher_suites = [CHACHA20_POLY1305_SHA256]

    assert CHACHA20_POLY1305_SHA256 == make_duo({"hello": Edited(only_chacha)}).run().client_info.cipher_suite


def test_suites_that_are_offered_but_not_implemented(make_duo: MakeDuo) -> None:
    from qtls.constants import HANDSHAKE_FAILURE
    from qtls.messages.server_hello import ServerHello

    def offer(draft: HelloDraft) -> None:
        draft.cipher_suites.append(0x1304)

    def answer(sender: str, level: Any, raw: bytes) -> bytes:
        if raw[0] != 2:
            return raw
        parsed = ServerHello.parse(raw)
        parsed.suite = 0x1304
        return parsed.encode()

    with pytest.raises(LocalAlert, match="0x1304 is not implemented") as refused:
        make_duo({"hello": Edited(offer)}).run(answer)
    assert HANDSHAKE_FAILURE == refused.value.description


def test_retry_for_a_group_that_is_offered_but_not_implemented(make_duo: MakeDuo) -> None:
    from qtls.messages.server_hello import RETRY_RANDOM, ServerHello

    def offer(draft: HelloDraft) -> None:
        draft.extensions = [
            (each, uint16_list((X25519MLKEM768, X25519, 0x0100)) if each == EXT_SUPPORTED_GROUPS else body)
            for each, body in draft.extensions
        ]

    def answer(sender: str, level: Any, raw: bytes) -> bytes:
        if raw[0] != 2:
            return raw
        entries = ((EXT_SUPPORTED_VERSIONS, b"\3\4"), (EXT_KEY_SHARE, b"\1\0"))
        return ServerHello(RETRY_RANDOM, b"", AES_128_GCM_SHA256, entries).encode()

    with pytest.raises(LocalAlert, match="handshake_failure: group 0x0100 is not implemented"):
        make_duo({"hello": Edited(offer)}).run(answer)


def test_share_of_a_group_the_builder_made_up(make_duo: MakeDuo) -> None:
    from qtls.messages.server_hello import ServerHello

    def grease(draft: HelloDraft) -> None:
        draft.extensions = [
            (each, vector16(b"\x0a\x0a\0\1x" + body[2:]) if each == EXT_KEY_SHARE else body)
            for each, body in draft.extensions
        ]
        draft.extensions = [
            (each, vector16(b"\x0a\x0a" + body[2:]) if each == EXT_SUPPORTED_GROUPS else body)
            for each, body in draft.extensions
        ]

    def answer(sender: str, level: Any, raw: bytes) -> bytes:
        if raw[0] != 2:
            return raw
        parsed = ServerHello.parse(raw)
        parsed.extensions = ((EXT_SUPPORTED_VERSIONS, b"\3\4"), (EXT_KEY_SHARE, b"\x0a\x0a\0\1y"))
        return parsed.encode()

    assert X25519MLKEM768 == make_duo({"hello": Edited(grease)}).run().client_info.group
    with pytest.raises(LocalAlert, match="illegal_parameter: no key share was made for group 0x0a0a"):
        make_duo({"hello": Edited(grease)}).run(answer)
