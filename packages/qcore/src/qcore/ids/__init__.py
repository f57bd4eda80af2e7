"""Connection IDs: those we issue, those the peer gave us. RFC 9000 §5.1."""

from .generator import ConnectionIdGenerator, RandomIds
from .local import LocalIds
from .remote import RemoteId, RemoteIds

__all__ = ["ConnectionIdGenerator", "LocalIds", "RandomIds", "RemoteId", "RemoteIds"]
