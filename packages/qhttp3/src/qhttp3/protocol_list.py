"""Application protocols of WebTransport, as a list of strings in a structured field.

draft-ietf-webtrans-http3 §3.3, RFC 9651.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final


def encode_protocols(protocols: Sequence[str]) -> bytes:
    """A list of protocols as a structured field (§3.3; RFC 9651 §3.1, §3.3.3).

    Raises:
        ValueError: characters that are not printable ASCII.
    """
    for protocol in protocols:
        if not (protocol.isascii() and protocol.isprintable()):
            raise ValueError(f"protocol {protocol!r}")
    quoted = (re.sub(r'(["\\])', r"\\\1", protocol) for protocol in protocols)
    return ", ".join(f'"{protocol}"' for protocol in quoted).encode("ascii")


def parse_protocols(value: bytes) -> list[str]:
    """The protocols of a structured field; none where it is not a list of strings, as §3.3 has it ignored."""
    text = value.decode("latin-1")
    found: list[str] = []
    position = 0
    while (match := _ITEM.match(text, position)) is not None:
        found.append(re.sub(r"\\(.)", r"\1", match[1]))
        position = match.end()
        if position == len(text):
            return found
        if (comma := _COMMA.match(text, position)) is None:
            return []
        position = comma.end()
    return []


def agreed_protocol(offered: Sequence[str], known: Iterable[str]) -> str | None:
    """The first of a client's protocols that the server has (§3.3)."""
    have = set(known)
    return next((protocol for protocol in offered if protocol in have), None)


# RFC 9651 §4.2.5: printable ASCII, with quotes and backslashes escaped; parameters are of no interest here.
_ITEM: Final = re.compile(
    r' *"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:; *[a-z*][a-z0-9_.*-]*(?:=[^,;"]+)?)* *'
)
_COMMA: Final = re.compile(r"[ \t]*,[ \t]*")
