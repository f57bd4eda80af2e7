"""QUIC clients that look like browsers on the wire: profiles, flight layouts, fingerprints."""

__version__ = "0.1.0"
