"""A TCP flow without end: `stream.py send` waits for a client and sends, `stream.py take` connects and reads.

The runner's flow is CUBIC, and so is this one whatever the system's default.
"""

import socket
import sys

from .link import SERVER_HOSTS

PORT = 5_201
CHUNK = bytes(1 << 16)


def send() -> None:
    with socket.create_server((SERVER_HOSTS[0], PORT)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        print("ready", flush=True)
        taker, _ = listener.accept()
        with taker:
            while True:
                taker.sendall(CHUNK)


def take() -> None:
    with socket.create_connection((SERVER_HOSTS[0], PORT)) as sender:
        sender.recv(1 << 16)
        print("ready", flush=True)
        while sender.recv(1 << 16):
            pass


if __name__ == "__main__":
    send() if sys.argv[1] == "send" else take()
