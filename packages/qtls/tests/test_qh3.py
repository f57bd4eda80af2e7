"""Handshakes in memory against qh3's client, a foreign implementation of encrypted ClientHello."""

from __future__ import annotations

import random as seeded
import time
from typing import Any

import pytest

from qtls import CertificateChain, Level, ServerTLS
from qtls.adapters.self_signed import Authority
from qtls.constants import EXT_QUIC_TRANSPORT_PARAMETERS
from qtls.ech import ech_config_list, make_ech_key
from qtls.events import HandshakeDone, SendCrypto, TlsEvent
from qtls.server import ServerHandshake

tls = pytest.importorskip("qh3.tls")
qh3_buffer = pytest.importorskip("qh3._hazmat")

LEVELS = {0: Level.INITIAL, 1: Level.EARLY, 2: Level.HANDSHAKE, 3: Level.APPLICATION}


@pytest.fixture(scope="module")
def fresh() -> Authority:
    """An authority of now: qh3 reads the clock."""
    return Authority("qh3 test", time.time())


@pytest.fixture(scope="module")
def chains(fresh: Authority) -> tuple[CertificateChain, ...]:
    """For the name inside, and for the name outside."""
    return fresh.issue(["server.example"]), fresh.issue(["public.example"])


def connect(server: ServerHandshake, authority: Authority, ech: bytes | None) -> tuple[Any, list[TlsEvent]]:
    """qh3's context, and our events, when both are quiet."""
    context = tls.Context(
        is_client=True,
        alpn_protocols=["h3"],
        cadata=authority.pem,
        server_name="server.example",
        ech_config_list=ech,
    )
    context.handshake_extensions = [(EXT_QUIC_TRANSPORT_PARAMETERS, b"qh3 parameters")]
    events: list[TlsEvent] = []
    waiting: list[tuple[int, bytes]] = [(0, b"")]
    while waiting:
        epoch, data = waiting.pop(0)
        buffers = {each: qh3_buffer.Buffer(capacity=16384) for each in tls.Epoch}
        context.handle_message(data, buffers, epoch)
        for each, buffer in buffers.items():
            if not buffer.data:
                continue
            for event in server.receive(LEVELS[int(each.value)], buffer.data):
                events.append(event)
                if isinstance(event, SendCrypto):
                    numbers = {level: number for number, level in LEVELS.items()}
                    waiting.append((numbers[event.level], event.data))
    return context, events


def our_server(chains: tuple[CertificateChain, ...], **config: Any) -> ServerHandshake:
    return ServerHandshake(
        ServerTLS(certs=chains, alpn=("h3",), **config),
        transport_parameters=b"server parameters",
        quic_version=1,
        random=seeded.Random(1).randbytes,
        wall_clock=time.time(),
    )


@pytest.mark.parametrize("suites", [((1, 1),), ((1, 3),), ((1, 2),)], ids=["AES-128", "ChaCha20", "AES-256"])
def test_ech_accepted(fresh: Authority, chains: Any, suites: Any) -> None:
    key = make_ech_key("public.example", suites=suites)
    context, events = connect(our_server(chains, ech_keys=(key,)), fresh, ech_config_list((key,)))
    info = next(event.info for event in events if isinstance(event, HandshakeDone))

    assert context.ech_accepted
    assert info.ech_accepted
    assert "server.example" == info.server_name


def test_ech_rejected(fresh: Authority, chains: Any) -> None:
    old, new = make_ech_key("public.example", config_id=1), make_ech_key("public.example", config_id=2)
    server = our_server(chains, ech_keys=(new,))
    with pytest.raises(tls.AlertECHRequired):
        connect(server, fresh, ech_config_list((old,)))


@pytest.mark.parametrize("ech_keys", [(), (make_ech_key("public.example"),)], ids=["no keys", "keys"])
def test_grease(fresh: Authority, chains: Any, ech_keys: Any) -> None:
    context, events = connect(our_server(chains, ech_keys=ech_keys), fresh, None)
    info = next(event.info for event in events if isinstance(event, HandshakeDone))

    assert not info.ech_accepted and not context.ech_accepted
    assert "server.example" == info.server_name
