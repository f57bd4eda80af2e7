"""Huffman coding of strings.

Decoding walks a machine that takes a whole byte per step; its steps are computed when first needed, since a
connection sees a small part of the 65,536. Results for short strings are kept: field values repeat.
RFC 7541 §5.2, RFC 9204 §4.1.2.
"""

from __future__ import annotations

from typing import Final

from qhttp3.qpack.huffman_table import CODES, EOS, LENGTHS

# Strings up to this size are remembered, so many of each kind: at most about half a megabyte per process.
CACHED_SIZE: Final = 128
CACHED_COUNT: Final = 1024


class HuffmanError(ValueError):
    """The bytes are no Huffman-coded string."""


def encode(data: bytes) -> bytes:
    """Encode a string, padded with ones to a whole byte."""
    found = _ENCODED.get(data)
    if found is not None:
        return found
    if not _BITS:
        _BITS[:] = [format(CODES[symbol], f"0{LENGTHS[symbol]}b") for symbol in range(EOS)]
    bits = "".join([_BITS[byte] for byte in data])
    missing = -len(bits) & 7
    encoded = int(bits + _PADDING[missing], 2).to_bytes((len(bits) + missing) >> 3, "big") if bits else b""
    if len(data) <= CACHED_SIZE:
        if len(_ENCODED) >= CACHED_COUNT:
            _ENCODED.clear()
        _ENCODED[data] = encoded
    return encoded


def decode(data: bytes) -> bytes:
    """Decode a string.

    Raises:
        HuffmanError: EOS within the string, padding longer than 7 bits or not all ones.
    """
    found = _DECODED.get(data)
    if found is not None:
        return found
    if not _STEPS:
        _build()
    pieces: list[bytes] = []
    state = 0
    for byte in data:
        step = _STEPS[state][byte]
        if step is None:
            step = _compute(state, byte)
        pieces.append(step[1])
        state = step[0]
    if state not in _ACCEPTING:
        raise HuffmanError("padding is not the beginning of EOS, or too long")
    decoded = b"".join(pieces)
    if len(data) <= CACHED_SIZE:
        if len(_DECODED) >= CACHED_COUNT:
            _DECODED.clear()
        _DECODED[data] = decoded
    return decoded


def _build() -> None:
    """Fill in the tables, for the first string that is decoded; several threads may come here at once."""
    # Inner nodes are numbered from 0, the root; a child is an inner node, or a leaf as -1 - symbol.
    nodes: list[list[int]] = [[0, 0]]
    for symbol, code in enumerate(CODES):
        node = 0
        for shift in range(LENGTHS[symbol] - 1, 0, -1):
            bit = (code >> shift) & 1
            if nodes[node][bit] == 0:
                nodes.append([0, 0])
                nodes[node][bit] = len(nodes) - 1
            node = nodes[node][bit]
        nodes[node][code & 1] = -1 - symbol
    # RFC 7541 §5.2: padding is a strict prefix of EOS, which is all ones, and shorter than 8 bits.
    node = 0
    _ACCEPTING.add(node)
    for _ in range(7):
        node = nodes[node][1]
        _ACCEPTING.add(node)
    _TREE[:] = nodes
    _STEPS[:] = [[None] * 256 for _ in nodes]


def _compute(state: int, byte: int) -> tuple[int, bytes]:
    node = state
    symbols: list[int] = []
    for shift in (7, 6, 5, 4, 3, 2, 1, 0):
        node = _TREE[node][(byte >> shift) & 1]
        if node < 0:
            symbol = -1 - node
            if symbol == EOS:
                raise HuffmanError("EOS within a string")
            symbols.append(symbol)
            node = 0
    step = (node, bytes(symbols))
    _STEPS[state][byte] = step
    return step


_BITS: Final[list[str]] = []
_PADDING: Final = ["1" * count for count in range(8)]
_TREE: Final[list[list[int]]] = []
_ACCEPTING: Final[set[int]] = set()
_STEPS: Final[list[list[tuple[int, bytes] | None]]] = []
_ENCODED: Final[dict[bytes, bytes]] = {}
_DECODED: Final[dict[bytes, bytes]] = {}
