"""A browser's ClientHello around one that is really hidden. RFC 9849."""

import asyncio

import pytest

import qcore
import qmimic
from qtls import ServerTLS
from qtls.adapters.self_signed import make_certificate
from qtls.ech import ech_config_list, make_ech_key

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
