"""What numbers in a profile may be: checked when it is made, so that a file with a slip in it is refused in words."""

from collections.abc import Iterable
from typing import Final

UINT8: Final = 0xFF
UINT16: Final = 0xFFFF
UINT32: Final = 0xFFFFFFFF
VARINT: Final = (1 << 62) - 1
#: Sizes of what is drawn or repeated: a first flight has some thousand bytes in all.
SIZE: Final = 16_384
#: Random bits of N in 31 * N + 27 or 33 that keep the number a varint.
RESERVED_BITS: Final = 57
VARINT_SIZES: Final = (0, 1, 2, 4, 8)


def check(name: str, value: int, largest: int, smallest: int = 0) -> None:
    """Raises:
    ValueError: out of bounds.
    """
    if not smallest <= value <= largest:
        raise ValueError(f"{name} lies between {smallest} and {largest}, not at {value}")


def check_all(name: str, values: Iterable[int], largest: int) -> None:
    """Raises:
    ValueError: one is out of bounds.
    """
    for value in values:
        check(name, value, largest)


def check_span(name: str, smallest: int, largest: int, limit: int = SIZE) -> None:
    """Raises:
    ValueError: the bounds of a draw do not rise, or are out of bounds themselves.
    """
    if not 0 <= smallest <= largest <= limit:
        raise ValueError(
            f"{name} cannot be drawn between {smallest} and {largest}: at least 0, at most {limit}"
        )


def check_varint_size(name: str, size: int) -> None:
    """Raises:
    ValueError: no varint has so many bytes.
    """
    if size not in VARINT_SIZES:
        raise ValueError(f"{name} takes 1, 2, 4 or 8 bytes, or 0 for the fewest, not {size}")
