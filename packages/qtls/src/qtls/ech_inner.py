"""The inner ClientHello as it is encrypted: compressed against the outer one, and padded.

RFC 9849 §5.1 and §6.1.3.
"""

from __future__ import annotations

from typing import Final

from .codec import Reader, message, uint16s, vector8, vector16
from .constants import (
    CLIENT_HELLO,
    EXT_ECH_OUTER_EXTENSIONS,
    EXT_ENCRYPTED_CLIENT_HELLO,
    EXT_PRE_SHARED_KEY,
    ILLEGAL_PARAMETER,
)
from .errors import DecodeError
from .extensions import Extension
from .messages.client_hello import ClientHello

__all__ = ["arrange", "decode_inner", "encode_inner"]

# The list of types in ech_outer_extensions has one byte of length.
MAX_OUTER_EXTENSIONS: Final = 127
# What server_name adds to a name, RFC 9849 §6.1.3.
NAME_OVERHEAD: Final = 9
PADDED_TO: Final = 32


def arrange(inner: list[Extension], outer: list[Extension]) -> tuple[list[Extension], list[int]]:
    """Extensions of the inner hello in the order to use, and the types that the outer hello has with the same body.

    What is left out when encoded has to be consecutive and in the order of the outer hello; nobody sees the order of
    an inner hello, so it is made to fit.
    """
    bodies = dict(inner)
    shared = [
        kind
        for kind, body in outer
        if kind not in (EXT_ENCRYPTED_CLIENT_HELLO, EXT_PRE_SHARED_KEY) and bodies.get(kind) == body
    ][:MAX_OUTER_EXTENSIONS]
    own = [entry for entry in inner if entry[0] not in shared and entry[0] != EXT_PRE_SHARED_KEY]
    last = [entry for entry in inner if entry[0] == EXT_PRE_SHARED_KEY]
    return [*own, *[(kind, bodies[kind]) for kind in shared], *last], shared


def encode_inner(hello: ClientHello, shared: list[int], maximum_name_length: int) -> bytes:
    """EncodedClientHelloInner with its padding; ``shared`` are the types that ``arrange`` found."""
    entries = []
    for kind, body in hello.extensions:
        if kind not in shared:
            entries.append(kind.to_bytes(2, "big") + vector16(body))
        elif kind == shared[0]:
            listed = vector8(b"".join([each.to_bytes(2, "big") for each in shared]))
            entries.append(EXT_ECH_OUTER_EXTENSIONS.to_bytes(2, "big") + vector16(listed))
    suites = b"".join([suite.to_bytes(2, "big") for suite in hello.cipher_suites])
    encoded = hello.legacy_version.to_bytes(2, "big") + hello.random + vector8(b"")
    encoded += vector16(suites) + vector8(hello.compression) + vector16(b"".join(entries))
    name = hello.server_name()
    if name is None:
        padding = maximum_name_length + NAME_OVERHEAD
    else:
        padding = max(0, maximum_name_length - len(name))
    padding += -(len(encoded) + padding) % PADDED_TO
    return encoded + bytes(padding)


def decode_inner(encoded: bytes, outer: ClientHello) -> ClientHello:
    """The inner hello, with what it takes from the outer one put back.

    Raises:
        DecodeError: malformed; with illegal_parameter for padding that is not zeros, or references to extensions that
            the outer hello does not have in that order (RFC 9849 §5.1).
    """
    reader = Reader(encoded)
    head = reader.read_bytes(2 + 32)
    session_id = reader.read_vector8()
    suites = reader.read_vector16()
    compression = reader.read_vector8()
    block = Reader(reader.read_vector16())
    if session_id or any(reader.read_rest()):
        raise DecodeError(
            "inner ClientHello with a session ID or with padding that is not zeros", ILLEGAL_PARAMETER
        )
    entries = []
    expanded = False
    while block.remaining():
        kind = block.read_uint16()
        body = block.read_vector16()
        if kind != EXT_ECH_OUTER_EXTENSIONS:
            entries.append(kind.to_bytes(2, "big") + vector16(body))
            continue
        if expanded:
            raise DecodeError("ech_outer_extensions twice", ILLEGAL_PARAMETER)
        expanded = True
        entries.extend(
            [each.to_bytes(2, "big") + vector16(shared) for each, shared in _referenced(body, outer)]
        )
    body = head + vector8(outer.session_id) + vector16(suites) + vector8(compression)
    return ClientHello(message(CLIENT_HELLO, body + vector16(b"".join(entries))))


def _referenced(body: bytes, outer: ClientHello) -> list[Extension]:
    """The extensions of the outer hello that ech_outer_extensions names, found in one walk over both."""
    reader = Reader(body)
    kinds = uint16s(reader.read_vector8())
    reader.expect_end("ech_outer_extensions")
    if not kinds:
        raise DecodeError("empty ech_outer_extensions")
    found: list[Extension] = []
    remaining = iter(outer.extensions)
    for kind in kinds:
        entry = next((each for each in remaining if each[0] == kind), None)
        if entry is None or kind == EXT_ENCRYPTED_CLIENT_HELLO:
            raise DecodeError(f"reference to extension {kind} that cannot be taken", ILLEGAL_PARAMETER)
        found.append(entry)
    return found
