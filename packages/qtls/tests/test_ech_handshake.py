"""Handshakes with encrypted ClientHello: accepted, rejected, repeated, resumed. RFC 9849 §6 and §7."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from qtls import LocalAlert, ServerTLS, constants
from qtls.adapters.self_signed import Authority
from qtls.client_hello import DefaultHello, EchRole, HelloContext, HelloDraft
from qtls.constants import (
    EXT_EARLY_DATA,
    EXT_ENCRYPTED_CLIENT_HELLO,
    EXT_KEY_SHARE,
    EXT_PRE_SHARED_KEY,
    EXT_QUIC_TRANSPORT_PARAMETERS,
    SECP384R1,
    Level,
    alert_name,
)
from qtls.ech import EchKey, ech_config_list, make_ech_key, parse_extension
from qtls.errors import EchRejected
from qtls.events import ClientHelloReceived, EarlyData, HandshakeDone, NewSession, PeerParameters
from qtls.messages import encrypted_extensions
from qtls.messages.client_hello import ClientHello
from qtls.messages.server_hello import ServerHello

MakeDuo = Callable[..., Any]

PARAMETERS = bytes.fromhex("0404800f00000f03616263110400000001")
REDUCED = bytes.fromhex("0f03616263110400000001")
CLIENT = {"transport_parameters": PARAMETERS}
KEY = make_ech_key("public.example", config_id=1)
P256_KEY = make_ech_key("public.example", config_id=2, kem=0x10, suites=((3, 2),))
OLD_KEY = make_ech_key("public.example", config_id=1)


@pytest.fixture(scope="module")
def outside(authority: Authority, chain: Any) -> dict[str, Any]:
    """A server for the name inside and the name outside."""
    return {"certs": (chain, authority.issue(["public.example"])), "ech_keys": (KEY, P256_KEY)}


def hellos_of(duo: Any) -> list[ClientHello]:
    return [ClientHello(raw) for sender, _, raw in duo.messages if sender == "client" and raw[0] == 1]


@pytest.mark.parametrize("key", [KEY, P256_KEY], ids=["x25519", "p256"])
@pytest.mark.parametrize("groups", [{}, {"groups": (SECP384R1,)}], ids=["", "after retry"])
@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303])
def test_accepted(make_duo: MakeDuo, outside: dict[str, Any], key: EchKey, groups: Any, suite: int) -> None:
    server = {**outside, **groups, "ciphers": (suite,)}
    duo = make_duo({"ech": ech_config_list((key,))}, server, CLIENT).run()

    assert duo.client_info.ech_accepted and duo.server_info.ech_accepted
    assert "server.example" == duo.server_info.server_name == duo.client_info.server_name
    for level in (Level.HANDSHAKE, Level.APPLICATION):
        duo.assert_keys_fit(level)
    assert duo.client.export(b"label", b"", 32) == duo.server.export(b"label", b"", 32)
    for hello in hellos_of(duo):
        assert "public.example" == hello.server_name()
        assert b"server.example" not in hello.raw
        assert REDUCED == hello.get(EXT_QUIC_TRANSPORT_PARAMETERS)
    assert [PARAMETERS] == [each.data for each in duo.server_events if isinstance(each, PeerParameters)]
    received = next(each for each in duo.server_events if isinstance(each, ClientHelloReceived))
    assert "server.example" == received.server_name
    assert duo.client.client_hello == hellos_of(duo)[-1].raw


def test_sizes_on_the_wire(make_duo: MakeDuo, outside: dict[str, Any]) -> None:  # RFC 9849 §6.1.3
    plain = hellos_of(make_duo({}, outside, CLIENT).run())[0]
    sizes = set()
    for name in ("server.example", "localhost"):
        duo = make_duo({"ech": ech_config_list((KEY,))}, outside, {**CLIENT, "server_name": name}).run()
        sizes.add(len(hellos_of(duo)[0].raw))

    assert 1 == len(sizes)
    # Key shares travel once: the inner hello refers to them.
    assert sizes.pop() < len(plain.raw) + 500


def test_second_flight_has_no_key_again(
    make_duo: MakeDuo, outside: dict[str, Any]
) -> None:  # RFC 9849 §6.1.5
    duo = make_duo({"ech": ech_config_list((KEY,))}, {**outside, "groups": (SECP384R1,)}, CLIENT).run()
    first, second = [parse_extension(each.get(EXT_ENCRYPTED_CLIENT_HELLO) or b"") for each in hellos_of(duo)]
    outer1, outer2 = hellos_of(duo)

    assert first is not None and second is not None
    assert (32, 0) == (len(first.enc), len(second.enc))
    assert first.config_id == second.config_id
    assert outer1.random == outer2.random
    assert [SECP384R1] == [group for group, _ in outer2.key_shares()]


def test_tells_nothing_when_accepted(make_duo: MakeDuo, outside: dict[str, Any]) -> None:
    """A handshake with ECH looks like one without, but for the extension of the client."""
    duo = make_duo({"ech": ech_config_list((KEY,))}, outside, CLIENT).run()
    plain = make_duo({"ech": "grease"}, outside, CLIENT).run()

    def shape(found: Any) -> list[Any]:
        answers = [raw for sender, _, raw in found.messages if sender == "server" and raw[0] == 2]
        return [(len(raw), [each for each, _ in ServerHello.parse(raw).extensions]) for raw in answers]

    assert shape(plain) == shape(duo)


@pytest.mark.parametrize(
    "ech",
    ["grease", None, ech_config_list((make_ech_key("a.example", suites=((9, 9),)),))],
    ids=["grease", "none", "unusable"],
)
@pytest.mark.parametrize("groups", [{}, {"groups": (SECP384R1,)}], ids=["", "after retry"])
def test_without_a_configuration(
    make_duo: MakeDuo, outside: dict[str, Any], ech: Any, groups: Any
) -> None:  # RFC 9849 §6.2
    duo = make_duo({"ech": ech}, {**outside, **groups}, CLIENT).run()
    bodies = [each.get(EXT_ENCRYPTED_CLIENT_HELLO) for each in hellos_of(duo)]

    assert not duo.client_info.ech_accepted and not duo.server_info.ech_accepted
    assert 1 == len(set(bodies))
    assert (ech is None) == (bodies[0] is None)
    assert "server.example" == hellos_of(duo)[0].server_name()


@pytest.mark.parametrize("groups", [{}, {"groups": (SECP384R1,)}], ids=["", "after retry"])
def test_rejected(make_duo: MakeDuo, outside: dict[str, Any], groups: Any) -> None:  # RFC 9849 §6.1.6
    duo = make_duo({"ech": ech_config_list((OLD_KEY,))}, {**outside, **groups}, CLIENT)
    with pytest.raises(EchRejected, match="public.example could not decrypt") as refused:
        duo.run()

    assert "ech_required" == alert_name(refused.value.description)
    assert 0x179 == refused.value.quic_error
    assert ech_config_list((KEY, P256_KEY)) == refused.value.retry_configs
    assert not any(isinstance(each, HandshakeDone) for each in duo.client_events)
    assert refused.value.retry_configs == pickle.loads(pickle.dumps(refused.value)).retry_configs
    again = make_duo({"ech": refused.value.retry_configs}, {**outside, **groups}, CLIENT).run()
    assert again.client_info.ech_accepted


def test_rejected_by_a_server_without_keys(make_duo: MakeDuo, outside: dict[str, Any]) -> None:
    with pytest.raises(EchRejected) as refused:
        make_duo({"ech": ech_config_list((KEY,))}, {"certs": outside["certs"]}, CLIENT).run()

    assert b"" == refused.value.retry_configs


def test_rejection_is_worth_nothing_without_the_public_name(
    make_duo: MakeDuo, outside: dict[str, Any], chain: Any
) -> None:
    with pytest.raises(LocalAlert, match="not for public.example") as refused:
        make_duo({"ech": ech_config_list((OLD_KEY,))}, {**outside, "certs": chain}, CLIENT).run()

    assert not isinstance(refused.value, EchRejected)
    assert "bad_certificate" == alert_name(refused.value.description)


def test_client_certificate_is_not_shown_outside(
    make_duo: MakeDuo, outside: dict[str, Any], authority: Authority
) -> None:  # RFC 9849 §6.1.7
    own = authority.issue(["client.example"], client=True)
    server = {**outside, "client_auth": "require", "client_ca": authority.pem}
    with pytest.raises(EchRejected):
        make_duo({"ech": ech_config_list((OLD_KEY,)), "client_cert": own}, server, CLIENT).run()
    duo = make_duo({"ech": ech_config_list((KEY,)), "client_cert": own}, server, CLIENT).run()
    assert duo.server_info.peer_certificates


def resumed(
    make_duo: MakeDuo, outside: dict[str, Any], ech: bytes, server: dict[str, Any] | None = None
) -> Any:
    settings = {**outside, "ticket_keys": (b"k" * 32,), "early_data": True}
    first = make_duo({"ech": ech_config_list((KEY,))}, settings, CLIENT).run()
    session = next(each.session for each in first.client_events if isinstance(each, NewSession))
    client = {**CLIENT, "session": session, "early_data": True}
    return make_duo({"ech": ech}, {**settings, **(server or {})}, client, seed=5)


def test_resumption_with_early_data(make_duo: MakeDuo, outside: dict[str, Any]) -> None:  # RFC 9849 §6.1.2
    duo = resumed(make_duo, outside, ech_config_list((KEY,))).run()
    outer = hellos_of(duo)[0]

    assert duo.client_info.resumed and duo.client_info.early_accepted and duo.client_info.ech_accepted
    sealer, opener = duo.keys("client", Level.EARLY)[0], duo.keys("server", Level.EARLY)[1]
    assert b"payload" == opener.open(0, b"", sealer.seal(0, b"", b"payload"))
    assert outer.offers(EXT_PRE_SHARED_KEY) and outer.offers(EXT_EARLY_DATA)
    ((ticket, _),), _ = outer.offered_psks()
    assert duo.client.session.ticket != ticket
    assert len(duo.client.session.ticket) == len(ticket)


def test_resumption_after_a_retry(make_duo: MakeDuo, outside: dict[str, Any]) -> None:
    duo = resumed(make_duo, outside, ech_config_list((KEY,)), {"groups": (SECP384R1,)}).run()

    assert duo.client_info.resumed and not duo.client_info.early_accepted and duo.client_info.ech_accepted


@pytest.mark.parametrize("groups", [{}, {"groups": (SECP384R1,)}], ids=["", "after retry"])
def test_rejected_resumption(make_duo: MakeDuo, outside: dict[str, Any], groups: Any) -> None:
    duo = resumed(make_duo, outside, ech_config_list((OLD_KEY,)), groups)
    with pytest.raises(EchRejected):
        duo.run()
    decisions = [
        each.accepted for each in duo.client_events + duo.server_events if isinstance(each, EarlyData)
    ]
    assert [False] == decisions


# One thing wrong


def edit_server(
    change: Callable[[ServerHello], None], *, retry: bool
) -> Callable[[str, Level, bytes], bytes]:
    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        if sender != "server" or raw[0] != constants.SERVER_HELLO:
            return raw
        parsed = ServerHello.parse(raw)
        if parsed.is_retry is not retry:
            return raw
        change(parsed)
        return parsed.encode()

    return tamper


def set_confirmation(body: bytes) -> Callable[[ServerHello], None]:
    def change(answer: ServerHello) -> None:
        kept = [entry for entry in answer.extensions if entry[0] != EXT_ENCRYPTED_CLIENT_HELLO]
        answer.extensions = (*kept, (EXT_ENCRYPTED_CLIENT_HELLO, body))

    return change


def flip_random(answer: ServerHello) -> None:
    answer.random = answer.random[:31] + bytes((answer.random[31] ^ 1,))


def retry_configs(body: bytes) -> Callable[[str, Level, bytes], bytes]:
    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        if sender != "server" or raw[0] != constants.ENCRYPTED_EXTENSIONS:
            return raw
        kept = [each for each in encrypted_extensions.parse(raw) if each[0] != EXT_ENCRYPTED_CLIENT_HELLO]
        return encrypted_extensions.encode([*kept, (EXT_ENCRYPTED_CLIENT_HELLO, body)])

    return tamper


def edit_outer(change: Callable[[bytes], bytes | None]) -> Callable[[str, Level, bytes], bytes]:
    """Changes the extension of the second ClientHello; None leaves it out."""
    seen = []

    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        if sender != "client" or raw[0] != constants.CLIENT_HELLO:
            return raw
        seen.append(raw)
        if len(seen) < 2:
            return raw
        hello = ClientHello(raw)
        entries = []
        for kind, body in hello.extensions:
            new = change(body) if kind == EXT_ENCRYPTED_CLIENT_HELLO else body
            if new is not None:
                entries.append((kind, new))
        return HelloDraft(
            random=hello.random, cipher_suites=list(hello.cipher_suites), extensions=entries
        ).encode()

    return tamper


REPEAT = {"groups": (SECP384R1,)}


@pytest.mark.parametrize(
    ("tamper", "ech", "server", "alert", "reason"),
    [
        pytest.param(edit_server(set_confirmation(bytes(7)), retry=True), KEY, REPEAT, "decode_error", "7 bytes in HelloRetry", id="short confirmation"),
        pytest.param(edit_server(flip_random, retry=False), KEY, REPEAT, "illegal_parameter", "not in ServerHello", id="accepted, then not"),
        pytest.param(retry_configs(ech_config_list((KEY,))), KEY, {}, "unsupported_extension", "though ECH was accepted", id="accepted, with retry configurations"),
        pytest.param(retry_configs(b"\0\1"), OLD_KEY, {}, "decode_error", "truncated", id="malformed retry configurations"),
        pytest.param(retry_configs(b"\0\1"), "grease", {}, "decode_error", "truncated", id="malformed retry configurations after GREASE"),
        pytest.param(retry_configs(b"\0\1"), None, {}, "unsupported_extension", "not offered", id="unasked retry configurations"),
        pytest.param(edit_server(set_confirmation(bytes(8)), retry=True), None, REPEAT, "unsupported_extension", "not offered", id="unasked confirmation"),
        pytest.param(edit_outer(lambda body: None), KEY, REPEAT, "missing_extension", "no encrypted_client_hello", id="second hello without"),
        pytest.param(edit_outer(lambda body: b"\1"), KEY, REPEAT, "illegal_parameter", "another type", id="second hello inner"),
        pytest.param(edit_outer(lambda body: body[:6] + b"\0\1e" + body[8:]), KEY, REPEAT, "illegal_parameter", "a key again", id="second hello with a key"),
        pytest.param(edit_outer(lambda body: body[:5] + b"\x63" + body[6:]), KEY, REPEAT, "illegal_parameter", "another configuration", id="second hello with another id"),
        pytest.param(edit_outer(lambda body: body[:4] + b"\3" + body[5:]), KEY, REPEAT, "illegal_parameter", "another configuration", id="second hello with another AEAD"),
        pytest.param(edit_outer(lambda body: body[:-1] + bytes((body[-1] ^ 1,))), KEY, REPEAT, "decrypt_error", "cannot be decrypted", id="second hello broken"),
    ],
)  # fmt: skip
def test_faults(
    make_duo: MakeDuo, outside: dict[str, Any], tamper: Any, ech: Any, server: Any, alert: str, reason: str
) -> None:
    config = ech_config_list((ech,)) if isinstance(ech, EchKey) else ech
    with pytest.raises(LocalAlert, match=reason) as refused:
        make_duo({"ech": config}, {**outside, **server}, CLIENT).run(tamper)
    assert alert == alert_name(refused.value.description)


def test_confirmation_that_is_wrong_is_a_rejection(make_duo: MakeDuo, outside: dict[str, Any]) -> None:
    """What the client then expects is the outer handshake, and the server's is the inner one."""
    for tamper, server in (
        (edit_server(flip_random, retry=False), {}),
        (edit_server(set_confirmation(bytes(8)), retry=True), REPEAT),
    ):
        with pytest.raises(LocalAlert) as refused:
            make_duo({"ech": ech_config_list((KEY,))}, {**outside, **server}, CLIENT).run(tamper)
        assert not isinstance(refused.value, EchRejected)


def test_a_changed_outer_hello_is_not_opened(
    make_duo: MakeDuo, outside: dict[str, Any]
) -> None:  # RFC 9849 §5.2
    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        return raw.replace(b"public.example", b"puslic.example") if raw[0] == constants.CLIENT_HELLO else raw

    duo = make_duo({"ech": ech_config_list((KEY,))}, outside, CLIENT)
    with pytest.raises(LocalAlert):
        duo.run(tamper)
    assert not duo.server._ech.is_accepted and duo.server._ech.is_rejected


def test_keys_behind_a_front(make_duo: MakeDuo, outside: dict[str, Any]) -> None:  # RFC 9849 §7.2
    """A server that gets an inner hello from one that has decrypted it confirms it, with a retry and without."""

    class Inner:
        def build(self, context: HelloContext) -> HelloDraft:
            draft = DefaultHello().build(context)
            draft.extensions.append((EXT_ENCRYPTED_CLIENT_HELLO, b"\x01"))
            return draft

    for server in ({}, REPEAT):
        duo = make_duo({"hello": Inner()}, {**server, "ech_keys": ()}, CLIENT)
        sent = duo.client.start()
        answers = duo.server.receive(Level.INITIAL, sent[0].data)
        found = ServerHello.parse(
            next(each.data for each in answers if hasattr(each, "data") and each.data[0] == 2)
        )
        assert duo.server._ech.is_accepted
        assert bool(server) == (EXT_ENCRYPTED_CLIENT_HELLO in dict(found.extensions))


# Builders


class Editing:
    """The plain hello with a change per role."""

    def __init__(self, change: Callable[[HelloContext, HelloDraft], None]) -> None:
        self.change = change

    def build(self, context: HelloContext) -> HelloDraft:
        draft = DefaultHello().build(context)
        self.change(context, draft)
        return draft


def drop(role: EchRole) -> Callable[[HelloContext, HelloDraft], None]:
    def change(context: HelloContext, draft: HelloDraft) -> None:
        if context.ech is not None and context.ech.role is role:
            draft.extensions = [each for each in draft.extensions if each[0] != EXT_ENCRYPTED_CLIENT_HELLO]

    return change


def compress_itself(context: HelloContext, draft: HelloDraft) -> None:
    draft.extensions.append((constants.EXT_ECH_OUTER_EXTENSIONS, b"\2\0\1"))


def other_session_id(context: HelloContext, draft: HelloDraft) -> None:
    draft.session_id = context.random(4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (drop(EchRole.INNER), "left out the encrypted_client_hello"),
        (drop(EchRole.OUTER), "left out the encrypted_client_hello"),
        (compress_itself, "must not use ech_outer_extensions"),
        (other_session_id, "different session IDs"),
    ],
    ids=["inner without", "outer without", "ech_outer_extensions", "session IDs"],
)
def test_builders_that_do_not_play(make_duo: MakeDuo, change: Any, reason: str) -> None:
    duo = make_duo({"hello": Editing(change), "ech": ech_config_list((KEY,))}, {}, CLIENT)
    with pytest.raises(ValueError, match=reason):
        duo.client.start()


def test_builders_choose_place_and_order(make_duo: MakeDuo, outside: dict[str, Any]) -> None:
    def shuffle(context: HelloContext, draft: HelloDraft) -> None:
        # Each role in an order of its own, as a browser that shuffles would draw it.
        last = [each for each in draft.extensions if each[0] == EXT_PRE_SHARED_KEY]
        rest = sorted(
            [each for each in draft.extensions if each[0] != EXT_PRE_SHARED_KEY],
            reverse=context.ech is not None and context.ech.role is EchRole.INNER,
        )
        draft.extensions = rest + last

    duo = make_duo(
        {"hello": Editing(shuffle), "ech": ech_config_list((KEY,))}, {**outside, **REPEAT}, CLIENT
    ).run()

    assert duo.client_info.ech_accepted
    for hello in hellos_of(duo):
        assert sorted(hello.extensions) == list(hello.extensions)


def test_not_an_ech_config_list(make_duo: MakeDuo) -> None:
    with pytest.raises(ValueError, match="truncated"):
        make_duo({"ech": b"\0\5no"}, {}, CLIENT).client.start()


def test_server_refuses_keys_that_do_not_fit(chain: Any) -> None:
    with pytest.raises(ValueError, match="does not belong"):
        ServerTLS(certs=chain, ech_keys=(EchKey(KEY.config, OLD_KEY.private_key),))


def test_select_sees_the_inner_hello(make_duo: MakeDuo, outside: dict[str, Any]) -> None:
    seen = []

    def select(name: str | None, alpn: tuple[str, ...], raw: bytes) -> None:
        seen.append((name, ClientHello(raw).get(EXT_ENCRYPTED_CLIENT_HELLO)))

    make_duo({"ech": ech_config_list((KEY,))}, {**outside, "select": select}, CLIENT).run()

    assert [("server.example", b"\x01")] == seen


def test_key_shares_are_not_sent_twice(make_duo: MakeDuo, outside: dict[str, Any]) -> None:
    duo = make_duo({"ech": ech_config_list((KEY,))}, outside, CLIENT).run()
    ech = duo.client._hellos.ech
    assert ech is not None
    inner = ech.inner

    assert inner is not None
    assert inner.get(EXT_KEY_SHARE) == hellos_of(duo)[0].get(EXT_KEY_SHARE)
