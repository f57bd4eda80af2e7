"""QUIC packets, frames and transport parameters as plain values, without keys or state."""

__version__ = "0.1.0"
