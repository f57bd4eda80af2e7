"""Client certificates on the simulated network: asked for, required, wrong, remembered, lost. RFC 8446 §4.3.2."""

from dataclasses import replace
from typing import Literal

import pytest
from cryptography import x509

from qcore.batch import Datagram
from qcore.errors import CertificateError
from qcore.events import SessionReceived
from qcore.testing import Pair
from qcore.testing.pair import WALL, throwaway_certificate
from qtls.adapters.self_signed import Authority
from qtls.certificates import CertificateChain
from qtls.config import ClientTLS, ServerTLS
from qtls.resumption import MemorySessionStore

CLIENTS = Authority("clients", wall_clock=WALL)
STRANGERS = Authority("strangers", wall_clock=WALL)
KNOWN = CLIENTS.issue(["client.test"], client=True)
UNKNOWN = STRANGERS.issue(["client.test"], client=True)


def client(chain: CertificateChain | None = None) -> ClientTLS:
    return ClientTLS(
        alpn=("test",), ca=throwaway_certificate().ca_pem, client_cert=chain, sessions=MemorySessionStore()
    )


def server(auth: Literal["none", "request", "require"]) -> ServerTLS:
    return ServerTLS(
        certs=throwaway_certificate().chain, alpn=("test",), client_auth=auth, client_ca=CLIENTS.pem
    )


def confirmed(pair: Pair) -> bool:
    return pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed


def names(pair: Pair) -> list[str]:
    """DNS names of the certificate that the server has seen."""
    assert pair.server is not None
    found: list[str] = []
    for certificate in pair.server.info.peer_certificates[:1]:
        assert isinstance(certificate, x509.Certificate)
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found += extension.value.get_values_for_type(x509.DNSName)
    return found


@pytest.mark.parametrize("auth", ["request", "require"])
def test_each_side_sees_the_other(auth: Literal["request", "require"]) -> None:
    pair = Pair(client_tls=client(KNOWN), server_tls=server(auth))
    pair.run_until(lambda: confirmed(pair))

    assert ["client.test"] == names(pair)
    assert pair.client.info.peer_certificates


def test_no_certificate_may_be_sent_where_one_is_only_asked_for() -> None:
    pair = Pair(client_tls=client(), server_tls=server("request"))
    pair.run_until(lambda: confirmed(pair))

    assert pair.server is not None
    assert () == pair.server.info.peer_certificates


def test_certificate_is_not_sent_unasked() -> None:
    pair = Pair(client_tls=client(KNOWN), server_tls=server("none"))
    pair.run_until(lambda: confirmed(pair))

    assert pair.server is not None
    assert () == pair.server.info.peer_certificates


@pytest.mark.parametrize(
    ("chain", "auth", "code"),
    [
        pytest.param(None, "require", 0x174, id="certificate_required"),
        pytest.param(UNKNOWN, "require", 0x130, id="unknown_ca"),
        pytest.param(UNKNOWN, "request", 0x130, id="unknown_ca though only asked for"),
    ],
)
def test_refusal_is_told_to_both_sides(
    chain: CertificateChain | None, auth: Literal["request", "require"], code: int
) -> None:
    pair = Pair(client_tls=client(chain), server_tls=server(auth))
    pair.run_until(lambda: pair.client.is_closed)

    assert pair.server is not None
    assert not pair.server.is_established
    for error, is_local in ((pair.server.error, True), (pair.client.error, False)):
        assert isinstance(error, CertificateError)
        assert (code, is_local) == (error.code, is_local)
        assert 1 == len(str(error).splitlines())


def test_expired_certificate_is_refused() -> None:
    old = Authority("clients", wall_clock=WALL - 400 * 86_400)
    pair = Pair(
        client_tls=client(old.issue(["client.test"], client=True)),
        server_tls=replace(server("require"), client_ca=old.pem),
    )
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, CertificateError)


def test_certificate_is_remembered_by_a_resumption() -> None:
    client_tls, server_tls = client(KNOWN), server("require")
    first = Pair(client_tls=client_tls, server_tls=server_tls)
    first.run_until(lambda: any(isinstance(event, SessionReceived) for event in first.client_events))
    pair = Pair(client_tls=client_tls, server_tls=server_tls, seed=1, wall=WALL + 60)
    pair.run_until(lambda: confirmed(pair))

    assert pair.client.info.resumed
    assert ["client.test"] == names(pair)


def test_resumption_without_the_required_certificate_is_a_full_handshake() -> None:
    client_tls, server_tls = client(), server("none")
    first = Pair(client_tls=client_tls, server_tls=server_tls)
    first.run_until(lambda: any(isinstance(event, SessionReceived) for event in first.client_events))
    pair = Pair(
        client_tls=replace(client_tls, client_cert=KNOWN),
        server_tls=replace(server_tls, client_auth="require"),
        seed=1,
        wall=WALL + 60,
    )
    pair.run_until(lambda: confirmed(pair))

    assert not pair.client.info.resumed
    assert ["client.test"] == names(pair)


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_any_one_datagram_may_be_lost(direction: str, index: int) -> None:
    pair = Pair(client_tls=client(KNOWN), server_tls=server("require"), seed=index)
    seen = 0

    def keep(datagram: Datagram) -> bool:
        nonlocal seen
        seen += 1
        return seen - 1 != index

    getattr(pair, direction).filter(keep)
    pair.run_until(lambda: confirmed(pair), limit=10)

    assert ["client.test"] == names(pair)
