"""TLS against Caddy, whose QUIC is quic-go and whose TLS is Go's: our client, in plain and in browsers' clothes."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qcore import CertificateError, QuicConfig
from qhttp3 import Client, H3Config, Response
from qhttp3.aio.client import Dialer
from qtls import ClientTLS
from qtls.adapters.self_signed import Authority
from qtls.certificates import CertificateChain
from qtls.client_hello import DefaultHello
from qtls.constants import SECP256R1, SECP384R1, X25519, X25519MLKEM768
from qtls.resumption import MemorySessionStore

from .certificates import Certificates
from .conftest import CADDYFILE, Get, needed
from .servers import HOST, Server, free_port, running

pytestmark = pytest.mark.peer

TIME = 20.0
CLIENT_AUTH = """tls {chain} {key} {{
        client_auth {{
            mode require_and_verify
            trusted_ca_cert_file {authority}
        }}
    }}"""


@pytest.fixture(scope="module")
def client_authority() -> Authority:
    return Authority("clients")


@pytest.fixture(scope="module")
def caddy_with_client_auth(
    folder: Path, certificates: Certificates, logs: Path, client_authority: Authority
) -> Iterator[Server]:
    """A Caddy that wants a certificate of every client."""
    program = needed("caddy")
    port = free_port()
    authority = logs / "clients.pem"
    authority.write_bytes(client_authority.pem)
    config = logs / "Caddyfile-client-auth"
    chain, key = certificates.chain, certificates.key
    wanted = CLIENT_AUTH.format(chain=chain, key=key, authority=authority)
    text = CADDYFILE.format(port=port, folder=folder, chain=chain, key=key)
    # Caddy 2.6 cannot tell the server name of a request over HTTP/3, and would refuse all of them with 421.
    text = text.replace("protocols h1 h2 h3", "protocols h1 h2 h3\n        strict_sni_host insecure_off")
    config.write_text(text.replace(f"tls {chain} {key}", wanted))
    command: list[str | Path] = [program, "run", "--config", config, "--adapter", "caddyfile"]
    with running("caddy-client-auth", command, port, logs) as server:
        yield server


def client_tls(certificates: Certificates, **options: Any) -> ClientTLS:
    return ClientTLS(alpn=("h3",), ca=str(certificates.authority), **options)


def get(server: Server, tls: ClientTLS, name: str = "kilobyte.bin", *, early: bool = False) -> Response:
    """Fetch a file over a connection of its own; wait a moment for tickets."""

    async def main() -> Response:
        dialer = Dialer(tls, QuicConfig(), H3Config(), {("localhost", server.port): (HOST, server.port)})
        async with Client(connector=dialer) as client:
            response = await client.request("GET", server.url(name), early=early)
            assert 1024 == len(await response.read())
            store = tls.sessions
            while isinstance(store, MemorySessionStore):
                session = store.pop(f"localhost:{server.port}")
                if session is not None:
                    store.put(f"localhost:{server.port}", session)
                    break
                await asyncio.sleep(0.01)
            return response

    return asyncio.run(asyncio.wait_for(main(), TIME))


def test_session_is_resumed(caddy: Server, certificates: Certificates) -> None:
    tls = client_tls(certificates, sessions=MemorySessionStore())
    resumed = [get(caddy, tls).connection.info.resumed for _ in range(3)]

    assert [False, True, True] == resumed


def test_early_data_is_taken(caddy: Server, certificates: Certificates) -> None:
    tls = client_tls(certificates, sessions=MemorySessionStore())
    get(caddy, tls)
    info = get(caddy, tls, early=True).connection.info

    assert (True, True) == (info.resumed, info.early_accepted)


@pytest.mark.parametrize(
    ("groups", "name"),
    [
        pytest.param((SECP384R1, X25519), "x25519", id="P-384 to X25519"),
        pytest.param((X25519MLKEM768, SECP256R1), "secp256r1", id="X25519MLKEM768 to P-256"),
    ],
)
def test_hello_retry_request_is_answered(
    groups: tuple[int, ...], name: str, caddy: Server, certificates: Certificates
) -> None:
    hello = DefaultHello(share_groups=groups[:1])
    info = get(caddy, client_tls(certificates, groups=groups, hello=hello)).connection.info

    assert name == info.group


def test_hello_retry_request_ends_early_data(caddy: Server, certificates: Certificates) -> None:
    tls = client_tls(certificates, sessions=MemorySessionStore())
    get(caddy, tls)
    other = replace(tls, groups=(SECP384R1, X25519), hello=DefaultHello(share_groups=(SECP384R1,)))
    info = get(caddy, other, early=True).connection.info

    assert not info.early_accepted
    assert "x25519" == info.group


@pytest.mark.parametrize("profile", ["chrome", "firefox", "safari", "plain"])
def test_profiles_come_back_with_early_data(
    profile: str, caddy: Server, get_with_qmimic: Get, folder: Path, tmp_path: Path
) -> None:
    options = ("--as", profile, "--session", tmp_path / "sessions", "--json")
    reports = []
    for _ in range(2):
        answer = get_with_qmimic(caddy, "kilobyte.bin", *options)
        assert (0, "") == (answer.code, answer.errors)
        assert (folder / "kilobyte.bin").read_bytes() == answer.body
        reports.append(json.loads(answer.output)["connection"])

    assert [False, True] == [report["resumed"] for report in reports]


def test_own_certificate_opens_the_door(
    caddy_with_client_auth: Server, certificates: Certificates, client_authority: Authority
) -> None:
    own = client_authority.issue(["client.test"], client=True)
    response = get(caddy_with_client_auth, client_tls(certificates, client_cert=own))

    assert 200 == response.status


@pytest.mark.parametrize("kind", ["none", "of a stranger"])
def test_without_the_right_certificate_the_door_stays_shut(
    kind: str, caddy_with_client_auth: Server, certificates: Certificates
) -> None:
    own: CertificateChain | None = None
    if kind != "none":
        own = Authority("strangers").issue(["client.test"], client=True)
    with pytest.raises(CertificateError) as caught:
        get(caddy_with_client_auth, client_tls(certificates, client_cert=own))

    assert not caught.value.is_local
    assert 1 == len(str(caught.value).splitlines())


def test_certificate_of_a_stranger_is_one_clear_line(
    caddy: Server, strange_certificates: Certificates
) -> None:
    with pytest.raises(CertificateError) as caught:
        get(caddy, client_tls(strange_certificates))

    assert caught.value.is_local
    assert 0x130 == caught.value.code  # unknown_ca
    assert 1 == len(str(caught.value).splitlines())
