"""In which order a server sends its responses: what clients ask for, told to the transport.

RFC 9218 §7, §10.
"""

from __future__ import annotations

from typing import Final, final

from qhttp3.events import Field
from qhttp3.priority_field import DEFAULT_URGENCY, read_priority
from qhttp3.request_stream import Phase
from qhttp3.request_table import RequestTable
from qhttp3.transport import StreamTransport

# Priorities of requests that have not arrived yet, which clients send ahead: more than browsers have under way at once.
MAX_AHEAD: Final = 256


@final
class ResponseOrder:
    """Gives the response of each request its priority.

    Responses of one urgency are sent one after the other, in the order of their requests, unless they are incremental
    and share what there is.

    Attributes:
        transport: may be exchanged.
    """

    __slots__ = ("_ahead", "_requests", "transport")

    def __init__(self, transport: StreamTransport, requests: RequestTable) -> None:
        self.transport = transport
        self._requests = requests
        self._ahead: dict[int, tuple[int, bool]] = {}

    def on_request(self, stream_id: int, fields: list[Field]) -> None:
        """The head of a request has arrived; what PRIORITY_UPDATE has said before counts more than its field."""
        ahead = self._ahead.pop(stream_id, None) if self._ahead else None
        if ahead is not None:
            self.transport.set_priority(stream_id, ahead[0], ahead[1])
            return
        value = b""
        is_tunnel = False
        for name, content in fields:
            if name == b"priority":
                value = value + b"," + content if value else content
            elif name == b":method":
                is_tunnel = content == b"CONNECT"
        if value:
            urgency, incremental = read_priority(value)
            self.transport.set_priority(stream_id, urgency, incremental)
        else:
            # Nobody waits for the end of a tunnel, so that it must not hold up all others.
            self.transport.set_priority(stream_id, DEFAULT_URGENCY, is_tunnel)

    def on_update(self, stream_id: int, value: bytes) -> None:
        """PRIORITY_UPDATE: of a request under way, or of one that is still to come."""
        request = self._requests.under_way.get(stream_id)
        if request is not None and request.phase is not Phase.HEAD:
            urgency, incremental = read_priority(value)
            self.transport.set_priority(stream_id, urgency, incremental)
        elif (request is not None or self._requests.is_new(stream_id)) and (
            stream_id in self._ahead or len(self._ahead) < MAX_AHEAD
        ):
            self._ahead[stream_id] = read_priority(value)
