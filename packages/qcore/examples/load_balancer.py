"""Two servers behind a load balancer that keeps no state about connections: their IDs tell whose they are.

The client's port changes in the middle, as behind a NAT that forgets, and its connection goes on.
"""

import asyncio
import secrets
import socket
from contextlib import AsyncExitStack

import qcore
from qcore.ids.routable import RoutableIds, RoutingCodec, RoutingConfig, server_id_in
from qcore.testing.aio import Relay
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import make_certificate

HOST = "127.0.0.1"
CONFIG = RoutingConfig(server_id_size=1, nonce_size=7, key=secrets.token_bytes(16))


class LoadBalancer:
    """Passes datagrams on to the server that their connection ID names, or else to one chosen by the sender."""

    def __init__(self, servers: dict[bytes, int]) -> None:
        self._servers = servers
        self._codecs = [RoutingCodec(CONFIG)]
        self._loop = asyncio.get_running_loop()
        self._front = self._bind()
        # One socket per client, so that answers find their way back: what NAT does as well.
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self.port: int = self._front.getsockname()[1]
        self._loop.add_reader(self._front, self._on_client)

    @staticmethod
    def _bind() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((HOST, 0))
        return sock

    def _on_client(self) -> None:
        data, client = self._front.recvfrom(65_535)
        port = self._servers.get(server_id_in(data, self._codecs) or b"")
        if port is None:  # a first packet: the server's own ID comes with the answer
            ports = sorted(self._servers.values())
            port = ports[client[1] % len(ports)]
        back = self._backs.get(client)
        if back is None:
            back = self._backs[client] = self._bind()
            self._loop.add_reader(back, self._on_server, back, client)
        back.sendto(data, (HOST, port))

    def _on_server(self, back: socket.socket, client: tuple[str, int]) -> None:
        self._front.sendto(back.recv(65_535), client)

    def close(self) -> None:
        for sock in (self._front, *self._backs.values()):
            self._loop.remove_reader(sock)
            sock.close()


async def main() -> None:
    made = make_certificate(["localhost"])
    server_tls = ServerTLS(certs=made.chain, alpn=("who",))
    client_tls = ClientTLS(alpn=("who",), ca=made.ca_pem, server_name="localhost")
    async with AsyncExitStack() as stack:
        servers = {}
        for name in (b"A", b"B"):

            async def tell_who(connection: qcore.Connection, name: bytes = name) -> None:
                async for stream in connection.streams():
                    await stream.read()
                    await stream.write(name)
                    await stream.finish()

            listener = await stack.enter_async_context(
                qcore.serve(
                    tell_who, (HOST, 0), tls=server_tls, cids=RoutableIds(CONFIG, name, secrets.token_bytes)
                )
            )
            servers[name] = listener.addresses[0][1]
        balancer = LoadBalancer(servers)
        stack.callback(balancer.close)
        relay = await stack.enter_async_context(Relay(balancer.port))
        connection = await stack.enter_async_context(qcore.connect(HOST, relay.port, tls=client_tls))
        answers = []
        for _ in range(8):
            stream = await connection.open_stream()
            await stream.finish()
            answers.append(await stream.read())
            relay.rebind()
        assert 1 == len(set(answers)), answers
        print(f"8 ports, and each time server {answers[0].decode()}")


asyncio.run(main())
