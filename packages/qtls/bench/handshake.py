"""CPU time of a handshake without sockets, per side: ours, and aioquic's TLS if it is installed.

Run it as a script; it prints minimum and median in microseconds.
"""

import importlib
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from qtls import CertificateChain, ClientTLS, Level, ServerTLS
from qtls.adapters.self_signed import Authority
from qtls.client import ClientHandshake
from qtls.constants import EXT_QUIC_TRANSPORT_PARAMETERS, X25519, X25519MLKEM768
from qtls.events import SendCrypto
from qtls.server import ServerHandshake

ROUNDS = 300
PARAMETERS = bytes(60)

Sample = tuple[float, float]


def ours(client: ClientTLS, server: ServerTLS) -> Sample:
    """One handshake: seconds of CPU of client and server."""
    args: dict[str, Any] = {
        "transport_parameters": PARAMETERS,
        "quic_version": 1,
        "random": os.urandom,
        "wall_clock": time.time(),
    }
    marks = [time.thread_time()]
    connecting = ClientHandshake(client, server_name="localhost", **args)
    hello = connecting.start()[0]
    marks.append(time.thread_time())
    answering = ServerHandshake(server, **args)
    flight = answering.receive(Level.INITIAL, hello.data) if isinstance(hello, SendCrypto) else []
    marks.append(time.thread_time())
    answer = [
        reply
        for event in flight
        if isinstance(event, SendCrypto)
        for reply in connecting.receive(event.level, event.data)
    ]
    marks.append(time.thread_time())
    for event in answer:
        if isinstance(event, SendCrypto):
            answering.receive(event.level, event.data)
    marks.append(time.thread_time())
    return marks[1] - marks[0] + marks[3] - marks[2], marks[2] - marks[1] + marks[4] - marks[3]


def aioquic(authority: Authority, chain: CertificateChain) -> Sample:
    """The same with aioquic's TLS, which makes a key share for each of its groups."""
    tls = importlib.import_module("aioquic.tls")
    buffer = importlib.import_module("aioquic.buffer")

    def side(is_client: bool) -> Any:
        context = tls.Context(
            is_client=is_client, alpn_protocols=["h3"], cadata=authority.pem, server_name="localhost"
        )
        context.handshake_extensions = [(EXT_QUIC_TRANSPORT_PARAMETERS, PARAMETERS)]
        return context

    def take(context: Any, data: bytes) -> bytes:
        buffers = {epoch: buffer.Buffer(capacity=8192) for epoch in tls.Epoch}
        context.handle_message(data, buffers)
        return b"".join([each.data for each in buffers.values()])

    marks = [time.thread_time()]
    client = side(True)
    data = take(client, b"")
    marks.append(time.thread_time())
    server = side(False)
    server.certificate, server.certificate_private_key = chain.leaf, chain.key
    data = take(server, data)
    marks.append(time.thread_time())
    data = take(client, data)
    marks.append(time.thread_time())
    take(server, data)
    marks.append(time.thread_time())
    return marks[1] - marks[0] + marks[3] - marks[2], marks[2] - marks[1] + marks[4] - marks[3]


def report(name: str, run: Callable[[], Sample]) -> None:
    """Print minimum and median of both sides."""
    samples = [run() for _ in range(ROUNDS)]
    for index, side in enumerate(("client", "server")):
        values = [sample[index] * 1e6 for sample in samples]
        print(f"{name:32} {side} {min(values):8.0f} {statistics.median(values):8.0f} µs")


if __name__ == "__main__":
    authority = Authority()
    chain = authority.issue(["localhost"])
    server = ServerTLS(certs=chain, alpn=("h3",))
    for group, name in ((X25519, "X25519"), (X25519MLKEM768, "X25519MLKEM768")):
        client = ClientTLS(alpn=("h3",), ca=authority.pem, groups=(group,))
        report(f"qtls, {name}", lambda client=client: ours(client, server))  # type: ignore[misc]
    if importlib.util.find_spec("aioquic") is not None:
        report("aioquic", lambda: aioquic(authority, chain))
