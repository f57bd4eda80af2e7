"""QUIC variable-length integers (RFC 9000 §16)."""

from quicvarint._varint import MAX, VarintError, append, append_sized, parse, size

__version__ = "0.1.0"

__all__ = ["MAX", "VarintError", "append", "append_sized", "parse", "size"]
