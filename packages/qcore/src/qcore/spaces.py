"""Packet-number spaces by number.

RFC 9000 §12.3: Initial, Handshake, and one shared by 0-RTT and 1-RTT packets. They are plain integers because
they index lists on every packet.
"""

from typing import Final

INITIAL: Final = 0
HANDSHAKE: Final = 1
APPLICATION: Final = 2

COUNT: Final = 3
NAMES: Final = ("initial", "handshake", "application")
