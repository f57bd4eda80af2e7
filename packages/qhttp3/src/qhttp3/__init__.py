"""HTTP/3 and QPACK over any stream transport, with an asyncio client and an ASGI server."""

from qhttp3.config import H3Config, StreamKind
from qhttp3.engine import H3Engine
from qhttp3.errors import GoingAway, MalformedMessage, UsageError, error_name
from qhttp3.frames import RawFrame
from qhttp3.observer import Observer
from qhttp3.priority import Priority
from qhttp3.qpack import EncoderPolicy, Insert
from qhttp3.settings import H3Settings, Setting
from qhttp3.transport import StreamTransport

__version__ = "0.1.0"

__all__ = [
    "EncoderPolicy",
    "GoingAway",
    "H3Config",
    "H3Engine",
    "H3Settings",
    "Insert",
    "MalformedMessage",
    "Observer",
    "Priority",
    "RawFrame",
    "Setting",
    "StreamKind",
    "StreamTransport",
    "UsageError",
    "error_name",
]
