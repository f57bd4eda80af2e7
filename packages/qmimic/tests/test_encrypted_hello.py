"""A browser's ClientHello around one that is really hidden. RFC 9849."""

import asyncio
from dataclasses import replace

import pytest

import qcore
import qmimic
from qmimic.randomness import SeededBytes
from qtls import ServerTLS
from qtls.adapters.self_signed import make_certificate
from qtls.client import ClientHandshake
from qtls.ech import ech_config_list, make_ech_key
from qtls.messages.client_hello import ClientHello
from qwire.transport_parameters import TransportParameters

NAMES = ["public.example", "secret.example", "127.0.0.1"]


@pytest.mark.parametrize("profile", ["chrome", "firefox", "plain"])
def test_the_name_asked_for_is_hidden(profile: str) -> None:
    key = make_ech_key("public.example")
    made = make_certificate(NAMES)
    tls = ServerTLS(certs=made.chain, alpn=("h3",), ech_keys=(key,))

    async def serve_one(connection: qcore.Connection) -> None:
        await connection.wait_closed()

    async def main() -> tuple[bool, str | None]:
        async with qcore.serve(serve_one, ("127.0.0.1", 0), tls=tls) as listener:
            port = listener.addresses[0][1]
            async with qmimic.connect(
                "secret.example",
                port,
                profile=profile,
                ca=made.ca_pem,
                ech=ech_config_list([key]),
                resolve={("secret.example", port): ("127.0.0.1", port)},
            ) as connection:
                info = connection.info
                assert info.tls is not None
                return info.tls.ech_accepted, info.server_name

    assert (True, "secret.example") == asyncio.run(main())


def test_firefox_shows_few_parameters_outside() -> None:
    random = SeededBytes(1)
    drawn = qmimic.profile("firefox").draw(random)
    parameters = drawn.quic.parameters
    assert parameters is not None
    handshake = ClientHandshake(
        replace(drawn.tls, ech=ech_config_list([make_ech_key("public.example")])),
        server_name="secret.example",
        transport_parameters=parameters.encode(),
        quic_version=1,
        random=random,
        wall_clock=1_800_000_000.0,
    )
    handshake.start()
    outer = dict(ClientHello(handshake.client_hello).extensions)

    shown = TransportParameters.parse(outer[57]).entries
    assert {0x0B, 0x0F, 0x11} == {entry.id for entry in shown}
    assert b"public.example" in outer[0]
