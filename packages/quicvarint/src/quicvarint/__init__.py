"""QUIC variable-length integers (RFC 9000 section 16)."""

__version__ = "0.1.0"
