"""Public keys of X25519, told from random bytes. RFC 7748 §4.1 and §5."""

from typing import Final

PRIME: Final = 2**255 - 19
COEFFICIENT: Final = 486_662
KEY_SIZE: Final = 32


def may_be_public_key(data: bytes) -> bool:
    """Whether `data` can be a public key of X25519: one in four random byte strings of its size can.

    The last bit of one is clear, and it is the u of a point on the curve itself, not on its twist.
    """
    u = int.from_bytes(data, "little")
    if len(data) != KEY_SIZE or u >= PRIME:
        return False
    square = (u**3 + COEFFICIENT * u**2 + u) % PRIME
    return pow(square, (PRIME - 1) // 2, PRIME) in (0, 1)  # Euler's criterion
