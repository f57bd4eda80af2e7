"""TLS 1.3 for QUIC: client and server handshakes and packet protection."""

__version__ = "0.1.0"
