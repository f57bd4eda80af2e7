"""qlog events of QUIC and HTTP/3: schema, writer and reader."""

__version__ = "0.1.0"
