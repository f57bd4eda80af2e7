"""Errors that only exist where there is a network: names and routes.

Everything else a connection can end with is in `qcore.errors`.
"""

from __future__ import annotations

from ..errors import QuicError


class UnknownHost(QuicError):
    """The host name has no address, or the resolver could not be asked."""


class Unreachable(QuicError):
    """There is no route to the address, or this host may not send there."""
