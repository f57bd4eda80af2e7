"""Why a request ended early. RFC 9114 §4.1.1."""

from __future__ import annotations

from qcore.errors import StreamError
from qhttp3.errors import error_name
from qhttp3.events import RequestFailed


class RequestError(StreamError):
    """A request ended early: by the peer, or because the peer broke the rules.

    ``is_unprocessed`` says that the server has done nothing with it.
    """

    def __init__(self, event: RequestFailed) -> None:
        super().__init__(event.stream_id, event.code, event.is_local)
        self.reason = event.reason
        self.is_unprocessed = event.is_unprocessed

    def __str__(self) -> str:
        side = "" if self.is_local else "peer: "
        return f"{side}{error_name(self.code)} on stream {self.stream_id}: {self.reason}"
