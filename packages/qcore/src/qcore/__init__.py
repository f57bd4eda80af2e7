"""A QUIC connection engine without I/O, and its asyncio endpoint."""

__version__ = "0.1.0"
