"""Datagrams that arrive at a UDP port."""

import socket
from collections.abc import Iterator

import click

MAX_DATAGRAM = 65_535


def datagrams_at(host: str, port: int) -> Iterator[bytes]:
    """Every datagram that arrives, for ever; says on standard error where it listens.

    Raises:
        OSError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as listener:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        click.echo(f"listening on UDP port {listener.getsockname()[1]}", err=True)
        while True:
            yield listener.recv(MAX_DATAGRAM)
