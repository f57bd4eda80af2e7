"""Two handshakes in memory: the second resumes the first and carries 0-RTT."""

import os
import time

from qtls import ClientTLS, MemorySessionStore, ServerTLS
from qtls.adapters.self_signed import make_certificate
from qtls.client import ClientHandshake
from qtls.events import HandshakeDone, SendCrypto, TlsEvent, TlsInfo
from qtls.server import ServerHandshake


def connect(client_config: ClientTLS, server_config: ServerTLS) -> TlsInfo:
    """Run one handshake to its end and return what the client negotiated."""
    client = ClientHandshake(
        client_config,
        server_name="localhost",
        transport_parameters=b"",
        quic_version=1,
        random=os.urandom,
        wall_clock=time.time(),
        early_data=True,
    )
    server = ServerHandshake(
        server_config, transport_parameters=b"", quic_version=1, random=os.urandom, wall_clock=time.time()
    )
    info: TlsInfo | None = None
    waiting: list[tuple[bool, TlsEvent]] = [(True, event) for event in client.start()]
    while waiting:
        from_client, event = waiting.pop(0)
        if isinstance(event, SendCrypto):
            receiver = server if from_client else client
            waiting += [(not from_client, each) for each in receiver.receive(event.level, event.data)]
        elif isinstance(event, HandshakeDone) and from_client:
            info = event.info
    if info is None:
        raise SystemExit("the handshake did not complete")
    return info


if __name__ == "__main__":
    made = make_certificate(["localhost"])
    client_config = ClientTLS(alpn=("h3",), ca=made.ca_pem, sessions=MemorySessionStore())
    server_config = ServerTLS(certs=made.chain, alpn=("h3",), early_data=True)
    for _ in range(2):
        info = connect(client_config, server_config)
        print(f"{info.group_name}, resumed {info.resumed}, 0-RTT {info.early_accepted}")
