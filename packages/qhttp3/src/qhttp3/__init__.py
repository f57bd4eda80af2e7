"""HTTP/3 and QPACK over any stream transport, with an asyncio client and an ASGI server."""

__version__ = "0.1.0"
