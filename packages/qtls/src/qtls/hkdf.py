"""HKDF and HKDF-Expand-Label.

Hashes are named as ``hashlib`` names them. RFC 5869 §2, RFC 8446 §7.1.
"""

from __future__ import annotations

from .mac import MacKey, mac

__all__ = ["expand", "expand_info", "expand_label", "extract", "label_info"]


def extract(hash_name: str, salt: bytes, key_material: bytes) -> bytes:
    """HKDF-Extract, RFC 5869 §2.2; an empty salt counts as zeros."""
    return mac(hash_name, salt, key_material)


def expand(hash_name: str, secret: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand, RFC 5869 §2.3.

    Raises:
        ValueError: more than 255 blocks asked for.
    """
    key = MacKey(hash_name, secret)
    block = key.digest(info + b"\x01")
    if size <= len(block):
        return block[:size]
    if size > 255 * len(block):
        raise ValueError(f"HKDF cannot make {size} bytes")
    blocks = [block]
    for number in range(2, (size + len(block) - 1) // len(block) + 1):
        block = key.digest(block + info + bytes((number,)))
        blocks.append(block)
    return b"".join(blocks)[:size]


def label_info(label: bytes, context: bytes, size: int) -> bytes:
    """The HkdfLabel structure, RFC 8446 §7.1; ``label`` without its "tls13 "."""
    if len(label) > 249 or len(context) > 255:
        raise ValueError("label or context too long")
    return b"%c%c%ctls13 %b%c%b" % (size >> 8, size & 0xFF, len(label) + 6, label, len(context), context)


def expand_label(hash_name: str, secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """HKDF-Expand-Label, RFC 8446 §7.1."""
    return expand(hash_name, secret, label_info(label, context, size), size)


def expand_info(hash_name: str, secret: bytes, info: bytes, size: int) -> bytes:
    """``expand_label`` with the label structure made beforehand; ``size`` at most one hash."""
    return mac(hash_name, secret, info + b"\x01")[:size]
