"""Encrypted ClientHello in memory: an outdated configuration, and the one the server gives instead."""

import os
import time

from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import Authority
from qtls.client import ClientHandshake
from qtls.ech import ech_config_list, make_ech_key
from qtls.errors import EchRejected
from qtls.events import ClientHelloReceived, SendCrypto, TlsEvent
from qtls.messages.client_hello import ClientHello
from qtls.server import ServerHandshake


def connect(client_config: ClientTLS, server_config: ServerTLS) -> None:
    """Run one handshake and print which name could be seen outside, and which one the server got."""
    parameters = bytes.fromhex("04048000ffff0f0401020304")
    now = time.time()
    client = ClientHandshake(
        client_config,
        server_name="secret.example",
        transport_parameters=parameters,
        quic_version=1,
        random=os.urandom,
        wall_clock=now,
    )
    server = ServerHandshake(
        server_config, transport_parameters=parameters, quic_version=1, random=os.urandom, wall_clock=now
    )
    waiting: list[tuple[bool, TlsEvent]] = [(True, event) for event in client.start()]
    outside = ClientHello(client.client_hello).server_name()
    while waiting:
        from_client, event = waiting.pop(0)
        if isinstance(event, SendCrypto):
            receiver = server if from_client else client
            waiting += [(not from_client, each) for each in receiver.receive(event.level, event.data)]
        elif isinstance(event, ClientHelloReceived):
            print(f"outside {outside}, inside {event.server_name}")


if __name__ == "__main__":
    authority = Authority()
    key = make_ech_key("public.example")
    chains = (authority.issue(["secret.example"]), authority.issue(["public.example"]))
    server_config = ServerTLS(certs=chains, alpn=("h3",), ech_keys=(key,))
    outdated = ech_config_list((make_ech_key("public.example"),))
    try:
        connect(ClientTLS(alpn=("h3",), ca=authority.pem, ech=outdated), server_config)
    except EchRejected as rejected:
        print(rejected)
        connect(ClientTLS(alpn=("h3",), ca=authority.pem, ech=rejected.retry_configs), server_config)
