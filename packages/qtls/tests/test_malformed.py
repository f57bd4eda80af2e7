"""Random and mutated messages in every state: nothing but ``LocalAlert`` leaves a handshake. ARCHITECTURE §8."""

from __future__ import annotations

import random as seeded
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtls import DecodeError, Level, LocalAlert, extensions
from qtls.cert_compression import available, decompress
from qtls.constants import message_name
from qtls.delegated_credential import parse_credential
from qtls.events import NewSession
from qtls.messages import (
    certificate_request,
    certificate_verify,
    compressed_certificate,
    encrypted_extensions,
)
from qtls.messages.certificate import Certificate
from qtls.messages.client_hello import ClientHello
from qtls.messages.new_session_ticket import NewSessionTicket
from qtls.messages.server_hello import ServerHello
from qtls.server import ServerHandshake
from qtls.tickets import open_ticket

MakeDuo = Callable[..., Any]


def mutate(random: seeded.Random, raw: bytes) -> bytes:
    """One to four small changes, most of which keep the length of the message right."""
    data = bytearray(raw)
    for _ in range(random.randint(1, 4)):
        kind = random.randrange(6)
        at = random.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] ^= 1 << random.randrange(8)
        elif kind == 1 and data:
            data[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            data[at:at] = random.randbytes(random.randint(1, 8))
        elif kind == 3:
            del data[at : at + random.randint(1, 8)]
        elif kind == 4:
            del data[at:]
        else:
            data += data[at : at + random.randint(1, 64)]
    if len(data) >= 4 and random.random() < 0.8:
        data[1:4] = (len(data) - 4).to_bytes(3, "big")
    return bytes(data)


SCENARIOS: dict[str, dict[str, Any]] = {
    "full": {},
    "retry": {"server": {"groups": (0x18,)}},
    "authenticated": {"own": True},
    "resumed": {"resume": True},
}


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("seed", range(25))
def test_mutated_messages(make_duo: MakeDuo, authority: Any, scenario: str, seed: int) -> None:
    random = seeded.Random(seed * 1000 + len(scenario))
    settings_ = SCENARIOS[scenario]
    client: dict[str, Any] = {}
    client_args: dict[str, Any] = {}
    server: dict[str, Any] = {"ticket_keys": (b"k" * 32,), "early_data": True, **settings_.get("server", {})}
    if "own" in settings_:
        client["client_cert"] = authority.issue(["client.example"], client=True)
        server |= {"client_auth": "require", "client_ca": authority.pem}
    if "resume" in settings_:
        events = make_duo(client, server).run().client_events
        client_args["session"] = next(event.session for event in events if isinstance(event, NewSession))
        client_args["early_data"] = True
    count = len(make_duo(client, server, client_args).run().messages)
    for target in range(count):
        duo = make_duo(client, server, client_args, seed=seed)
        position = -1

        def tamper(sender: str, level: Level, raw: bytes, target: int = target) -> bytes:
            nonlocal position
            position += 1
            return mutate(random, raw) if position == target else raw

        try:
            duo.run(tamper, cut=random.choice((0, 0, 7)))
        except LocalAlert as alert:
            assert 0 <= alert.description <= 255
            assert alert.reason


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300), level=st.sampled_from(Level))
def test_random_bytes(make_duo: MakeDuo, data: bytes, level: Level) -> None:
    duo = make_duo()
    duo.client.start()
    for handshake in (duo.client, duo.server):
        try:
            handshake.receive(level, data)
        except LocalAlert:
            continue


def prefix_cases(make_duo: MakeDuo, authority: Any) -> list[tuple[str, Level, bytes]]:
    own = authority.issue(["client.example"], client=True)
    server = {"client_auth": "require", "client_ca": authority.pem}
    duo = make_duo({"client_cert": own}, server).run()
    messages: list[tuple[str, Level, bytes]] = duo.messages
    # Both Certificate messages travel compressed.
    return [*messages, ("client", Level.HANDSHAKE, Certificate(own.certificates).encode())]


PARSERS: dict[int, Callable[[bytes], Any]] = {
    1: ClientHello,
    2: ServerHello.parse,
    4: NewSessionTicket.parse,
    8: encrypted_extensions.parse,
    11: lambda raw: Certificate.parse(raw[4:]),
    13: certificate_request.parse,
    15: certificate_verify.parse,
    25: compressed_certificate.parse,
}


def test_every_prefix_of_a_valid_message(make_duo: MakeDuo, authority: Any) -> None:
    seen = set()
    for _, _, raw in prefix_cases(make_duo, authority):
        parser = PARSERS.get(raw[0])
        if parser is None:
            continue
        seen.add(message_name(raw[0]))
        parser(raw)
        accepted = []
        for size in range(4, len(raw)):
            try:
                accepted.append(parser(raw[:size]))
            except DecodeError:
                continue
        # Hellos of older versions end before the extensions; those are refused by their version.
        assert [()] * (raw[0] in (1, 2)) == [parsed.extensions for parsed in accepted]
    assert {"ClientHello", "ServerHello", "EncryptedExtensions", "Certificate", "CertificateVerify"} <= seen


@pytest.mark.parametrize("number", PARSERS, ids=message_name)
@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_message_parsers(number: int, data: bytes) -> None:
    try:
        PARSERS[number](bytes((number, 0, 0, 0)) + data)
    except DecodeError:
        return


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=120))
@pytest.mark.parametrize(
    "parser",
    [
        extensions.parse,
        extensions.parse_server_name,
        extensions.parse_alpn,
        extensions.parse_client_versions,
        extensions.parse_client_shares,
        extensions.parse_server_share,
        extensions.parse_modes,
        extensions.parse_cookie,
        extensions.parse_compression,
        extensions.parse_offered_psks,
        parse_credential,
    ],
)
def test_extension_parsers(parser: Callable[[bytes], object], data: bytes) -> None:
    try:
        parser(data)
    except DecodeError:
        return


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), size=st.integers(0, 100_000))
@pytest.mark.parametrize("algorithm", [1, 2, 3, 4])
def test_decompression(algorithm: int, size: int, data: bytes) -> None:
    try:
        plain = decompress(algorithm, size, data)
    except LocalAlert:
        return
    assert size == len(plain)
    assert algorithm in available()


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_tickets(data: bytes) -> None:
    assert open_ticket(data, (b"k" * 32,)) is None


def test_a_message_in_many_pieces_is_bounded(make_duo: MakeDuo) -> None:
    server: ServerHandshake = make_duo().server
    server.receive(Level.INITIAL, b"\x01\x01\x00\x00")
    for _ in range(65_535 // 1_000):
        server.receive(Level.INITIAL, bytes(1_000))

    assert server._buffer is not None
    assert len(server._buffer) <= 65_540
    with pytest.raises(LocalAlert):
        server.receive(Level.INITIAL, bytes(2_000))
    assert server._buffer is None
