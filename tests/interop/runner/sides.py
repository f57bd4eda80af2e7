"""What a client or a server is to the rig, whoever wrote it, and what the two talk about: files.

HTTP/0.9 over QUIC ("hq-interop") is a request line on a stream of the client, and the file as the answer.
"""

from collections.abc import Sequence
from typing import Protocol

from qcore.batch import Datagram


class Side(Protocol):
    """One end of the links: an implementation driven in virtual time."""

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        """Take what has arrived."""

    def handle_timeout(self, now: float) -> None:
        """Do what was due."""

    def transmit(self, now: float) -> list[Datagram]:
        """What is to be sent now; addresses are destinations."""

    def next_timeout(self) -> float:
        """When `handle_timeout` wants to be called."""


class Requests(Protocol):
    """What an application needs of a connection, be it of HTTP/0.9 or HTTP/3."""

    def ask(self, name: bytes) -> int | None:
        """Ask for a file; the stream that will bring it, or None if the server allows no more now."""

    def answer(self, stream_id: int, content: bytes) -> None:
        """Send a file."""


class Application(Protocol):
    """Who asks and answers on one connection."""

    def on_turn(self, requests: Requests) -> None:
        """Something may have changed: requests can be made, or more of them."""

    def on_request(self, requests: Requests, stream_id: int, name: bytes) -> None:
        """A client asks for a file."""

    def on_body(self, stream_id: int, data: bytes, end: bool) -> None:
        """A part of a file, in order."""


class FileServer:
    """Has files."""

    def __init__(self, files: dict[bytes, bytes]) -> None:
        self._files = files

    def on_turn(self, requests: Requests) -> None:
        """A server waits."""

    def on_request(self, requests: Requests, stream_id: int, name: bytes) -> None:
        requests.answer(stream_id, self._files[name])

    def on_body(self, stream_id: int, data: bytes, end: bool) -> None:
        raise AssertionError("a client has sent a file")


class Download:
    """Asks for files, as many at a time as the server allows.

    Attributes:
        bodies: what has come, by name.
        finished: names whose end has come.
    """

    def __init__(self, names: Sequence[bytes]) -> None:
        self.bodies = {name: bytearray() for name in names}
        self.finished: set[bytes] = set()
        self._wanted = list(reversed(names))
        self._streams: dict[int, bytes] = {}

    @property
    def is_complete(self) -> bool:
        return len(self.finished) == len(self.bodies)

    def on_turn(self, requests: Requests) -> None:
        while self._wanted:
            stream_id = requests.ask(self._wanted[-1])
            if stream_id is None:
                return
            self._streams[stream_id] = self._wanted.pop()

    def on_request(self, requests: Requests, stream_id: int, name: bytes) -> None:
        raise AssertionError("a server has asked for a file")

    def on_body(self, stream_id: int, data: bytes, end: bool) -> None:
        name = self._streams[stream_id]
        self.bodies[name] += data
        if end:
            self.finished.add(name)


class RequestLines:
    """Requests of HTTP/0.9 that arrive, in parts or whole."""

    def __init__(self) -> None:
        self._partial: dict[int, bytes] = {}

    def receive(self, stream_id: int, data: bytes, end: bool) -> bytes | None:
        """Take a part of a request; the name that is asked for once it is whole."""
        line = self._partial.pop(stream_id, b"") + data
        if not end:
            self._partial[stream_id] = line
            return None
        assert line.startswith(b"GET /") and line.endswith(b"\r\n")
        return line[5:-2]


def request_line(name: bytes) -> bytes:
    return b"GET /" + name + b"\r\n"
