"""Address validation tokens of the first packets: the server's, none, or made up. RFC 9000 §8.1.

Whatever the token, datagrams keep their size: what it takes is taken from the padding.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from .randomness import RandomBytes

#: More leaves no room for a ClientHello in the smallest datagrams.
MAX_TOKEN: Final = 800


@dataclass(frozen=True, kw_only=True)
class KeptToken:
    """The newest token that the server gave on an earlier connection, if there is one."""

    def draw(self, random: RandomBytes, kept: bytes) -> bytes:
        """The token of one connection; `kept` is the server's."""
        return kept


@dataclass(frozen=True, kw_only=True)
class NoToken:
    """None, not even one that the server gave."""

    def draw(self, random: RandomBytes, kept: bytes) -> bytes:
        """The token of one connection; `kept` is the server's."""
        return b""


@dataclass(frozen=True, kw_only=True)
class FixedToken:
    """The same bytes on each connection."""

    value: bytes

    def __post_init__(self) -> None:
        check_size(len(self.value))

    def draw(self, random: RandomBytes, kept: bytes) -> bytes:
        """The token of one connection; `kept` is the server's."""
        return self.value


@dataclass(frozen=True, kw_only=True)
class RandomToken:
    """A prefix, and random bytes up to a size: looks like a token of some server, and no server accepts it."""

    size: int
    prefix: bytes = b""

    def __post_init__(self) -> None:
        check_size(self.size)
        check_size(len(self.prefix))

    def draw(self, random: RandomBytes, kept: bytes) -> bytes:
        """The token of one connection; `kept` is the server's."""
        return self.prefix + random(max(0, self.size - len(self.prefix)))


TokenSpec: TypeAlias = KeptToken | NoToken | FixedToken | RandomToken


def check_size(size: int) -> None:
    """Raises:
    ValueError: too large.
    """
    if not 0 <= size <= MAX_TOKEN:
        raise ValueError(f"a token has at most {MAX_TOKEN} bytes, not {size}")
