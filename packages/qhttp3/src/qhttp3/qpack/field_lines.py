"""Field line representations and the prefix of a field section, as bytes.

Every function returns the whole line, so that callers can keep it. Parsing is the decoder's, which needs the
tables at hand. RFC 9204 §4.5.
"""

from __future__ import annotations

from typing import Final

from qhttp3.qpack import huffman, prefix_int

EMPTY_PREFIX: Final = b"\x00\x00"  # Required Insert Count 0, Delta Base 0


def section_prefix(required_insert_count: int, base: int, max_entries: int) -> bytes:
    """Encode the prefix of a section, RFC 9204 §4.5.1; ``max_entries`` follows from the peer's setting."""
    if required_insert_count == 0:
        return EMPTY_PREFIX
    count = prefix_int.encode(required_insert_count % (2 * max_entries) + 1, 8)
    if base >= required_insert_count:
        return count + prefix_int.encode(base - required_insert_count, 7)
    return count + prefix_int.encode(required_insert_count - base - 1, 7, 0x80)


def indexed_static(index: int) -> bytes:
    """Indexed Field Line into the static table, §4.5.2."""
    return prefix_int.encode(index, 6, 0xC0)


def indexed_dynamic(relative: int) -> bytes:
    """Indexed Field Line into the dynamic table, relative to Base, §4.5.2."""
    return prefix_int.encode(relative, 6, 0x80)


def indexed_post_base(index: int) -> bytes:
    """Indexed Field Line with post-base index, §4.5.3."""
    return prefix_int.encode(index, 4, 0x10)


def literal_static_name(index: int, value: bytes, is_sensitive: bool = False) -> bytes:
    """Literal Field Line with a static name reference, §4.5.4."""
    return prefix_int.encode(index, 4, 0x70 if is_sensitive else 0x50) + string(value)


def literal_dynamic_name(relative: int, value: bytes, is_sensitive: bool = False) -> bytes:
    """Literal Field Line with a dynamic name reference, relative to Base, §4.5.4."""
    return prefix_int.encode(relative, 4, 0x60 if is_sensitive else 0x40) + string(value)


def literal_post_base_name(index: int, value: bytes, is_sensitive: bool = False) -> bytes:
    """Literal Field Line with a post-base name reference, §4.5.5."""
    return prefix_int.encode(index, 3, 0x08 if is_sensitive else 0x00) + string(value)


def literal(name: bytes, value: bytes, is_sensitive: bool = False) -> bytes:
    """Literal Field Line with a literal name, §4.5.6."""
    return string(name, 3, 0x30 if is_sensitive else 0x20) + string(value)


def string(data: bytes, prefix_bits: int = 7, flags: int = 0) -> bytes:
    """Encode a string literal, §4.1.2: Huffman if that is shorter. The H flag is the bit above the prefix."""
    encoded = huffman.encode(data)
    if len(encoded) < len(data):
        return prefix_int.encode(len(encoded), prefix_bits, flags | 1 << prefix_bits) + encoded
    return prefix_int.encode(len(data), prefix_bits, flags) + data
