"""Several processes on one port: `serve_workers`, and the parts for servers of other protocols.

The system spreads clients over the sockets by address and port. A client that changes them, as behind a NAT that
forgets, may so come to a process that has never heard of it: its connection IDs tell whose it is, and the datagram is
handed on. Keys of tokens, tickets and stateless resets are shared, so any worker can take up what another began.
"""

from .group import WorkerGroup, start_workers
from .serving import serve_workers
from .worker import Worker, WorkerFailed

__all__ = ["Worker", "WorkerFailed", "WorkerGroup", "serve_workers", "start_workers"]
