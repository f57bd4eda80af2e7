"""What tests on real sockets need besides."""

from .relay import Relay

__all__ = ["Relay"]
