"""Extensions, kept in order, and the bodies of those that are used.

Parsers take the body of one extension and raise ``DecodeError``. RFC 8446 §4.2, RFC 6066 §3, RFC 7301 §3.1,
RFC 8879 §3, RFC 9001 §8.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack

from .codec import Reader, sole_vector16, uint16s, vector8, vector16
from .constants import ILLEGAL_PARAMETER
from .errors import DecodeError
from .names import address_of

Extension = tuple[int, bytes]


def parse(data: bytes) -> tuple[Extension, ...]:
    """The content of an extension block.

    Raises:
        DecodeError: malformed; with illegal_parameter when a type occurs twice (RFC 8446 §4.2).
    """
    found: dict[int, bytes] = {}
    position, end = 0, len(data)
    while position < end:
        start = position + 4
        if start > end:
            raise DecodeError("truncated")
        number = data[position] << 8 | data[position + 1]
        position = start + (data[position + 2] << 8 | data[position + 3])
        if position > end:
            raise DecodeError("truncated")
        if number in found:
            raise DecodeError(f"extension {number} twice", ILLEGAL_PARAMETER)
        found[number] = data[start:position]
    return tuple(found.items())


def encode(entries: Iterable[Extension]) -> bytes:
    """An extension block with its length."""
    parts: list[bytes] = []
    for number, body in entries:
        parts += (pack(">HH", number, len(body)), body)
    return vector16(b"".join(parts))


def is_host_name(name: str) -> bool:
    """Whether ``name`` may be sent as server_name: a DNS name, no address. RFC 6066 §3."""
    return bool(name) and address_of(name) is None


def encode_server_name(name: str) -> bytes:
    """server_name of a client, RFC 6066 §3. ``name`` is ASCII: internationalized names come as A-labels."""
    return vector16(b"\0" + vector16(name.rstrip(".").encode("ascii")))


def parse_server_name(body: bytes) -> str | None:
    """The host name in a client's server_name, or None when it has only other kinds of names."""
    names = Reader(sole_vector16(body, "server_name"))
    if not names.end:
        raise DecodeError("empty server_name list")
    found: str | None = None
    while names.position < names.end:
        kind = names.read_uint8()
        name = names.read_vector16()
        if kind != 0:
            continue
        if found is not None:
            raise DecodeError("two host names", ILLEGAL_PARAMETER)
        if not name or b"\0" in name or not name.isascii():
            raise DecodeError("host name is empty or not ASCII", ILLEGAL_PARAMETER)
        found = name.decode("ascii")
    return found


def parse_uint16_list(body: bytes, what: str) -> tuple[int, ...]:
    """supported_groups and signature_algorithms: a list of numbers that is not empty."""
    values = uint16s(sole_vector16(body, what))
    if not values:
        raise DecodeError(f"empty {what}")
    return values


def encode_alpn(names: Iterable[str]) -> bytes:
    """application_layer_protocol_negotiation, RFC 7301 §3.1."""
    return vector16(b"".join([vector8(name.encode("latin-1")) for name in names]))


def parse_alpn(body: bytes) -> tuple[str, ...]:
    """Protocol names, decoded as Latin-1 so that any bytes survive."""
    names = Reader(sole_vector16(body, "ALPN"))
    found: list[str] = []
    while names.position < names.end:
        name = names.read_vector8()
        if not name:
            raise DecodeError("empty protocol name")
        found.append(name.decode("latin-1"))
    if not found:
        raise DecodeError("empty ALPN list")
    return tuple(found)


def encode_client_versions(versions: Iterable[int]) -> bytes:
    """supported_versions of a ClientHello, RFC 8446 §4.2.1."""
    return vector8(b"".join([version.to_bytes(2, "big") for version in versions]))


def parse_client_versions(body: bytes) -> tuple[int, ...]:
    """supported_versions of a ClientHello."""
    reader = Reader(body)
    versions = uint16s(reader.read_vector8())
    reader.expect_end("supported_versions")
    if not versions:
        raise DecodeError("empty supported_versions")
    return versions


def parse_uint16(body: bytes, what: str) -> int:
    """A body of one number: the version or group a server selected."""
    if len(body) != 2:
        raise DecodeError("truncated" if len(body) < 2 else f"{len(body) - 2} bytes after the end of {what}")
    return body[0] << 8 | body[1]


def encode_client_shares(shares: Iterable[tuple[int, bytes]]) -> bytes:
    """key_share of a ClientHello, RFC 8446 §4.2.8."""
    return vector16(b"".join([encode_server_share(group, share) for group, share in shares]))


def parse_client_shares(body: bytes) -> tuple[tuple[int, bytes], ...]:
    """key_share of a ClientHello.

    Raises:
        DecodeError: malformed; with illegal_parameter when a group occurs twice.
    """
    shares = Reader(sole_vector16(body, "key_share"))
    found: dict[int, bytes] = {}
    while shares.position < shares.end:
        group = shares.read_uint16()
        share = shares.read_vector16()
        if not share:
            raise DecodeError("empty key share")
        if group in found:
            raise DecodeError(f"two key shares for group 0x{group:04x}", ILLEGAL_PARAMETER)
        found[group] = share
    return tuple(found.items())


def encode_server_share(group: int, share: bytes) -> bytes:
    """key_share of a ServerHello."""
    return group.to_bytes(2, "big") + vector16(share)


def parse_server_share(body: bytes) -> tuple[int, bytes]:
    """key_share of a ServerHello: group and share."""
    reader = Reader(body)
    group = reader.read_uint16()
    share = reader.read_vector16()
    reader.expect_end("key_share")
    if not share:
        raise DecodeError("empty key share")
    return group, share


def parse_modes(body: bytes) -> bytes:
    """psk_key_exchange_modes, RFC 8446 §4.2.9."""
    reader = Reader(body)
    modes = reader.read_vector8()
    reader.expect_end("psk_key_exchange_modes")
    if not modes:
        raise DecodeError("empty psk_key_exchange_modes")
    return modes


def parse_cookie(body: bytes) -> bytes:
    """cookie, RFC 8446 §4.2.2."""
    reader = Reader(body)
    cookie = reader.read_vector16()
    reader.expect_end("cookie")
    if not cookie:
        raise DecodeError("empty cookie")
    return cookie


def parse_compression(body: bytes) -> tuple[int, ...]:
    """compress_certificate, RFC 8879 §3."""
    reader = Reader(body)
    algorithms = uint16s(reader.read_vector8())
    reader.expect_end("compress_certificate")
    if not algorithms:
        raise DecodeError("empty compress_certificate")
    return algorithms


def parse_offered_psks(body: bytes) -> tuple[tuple[tuple[bytes, int], ...], tuple[bytes, ...]]:
    """pre_shared_key of a ClientHello: (identity, obfuscated age) pairs, and as many binders. RFC 8446 §4.2.11."""
    reader = Reader(body)
    identities = Reader(reader.read_vector16())
    binders = Reader(reader.read_vector16())
    reader.expect_end("pre_shared_key")
    pairs: list[tuple[bytes, int]] = []
    while identities.remaining():
        identity = identities.read_vector16()
        if not identity:
            raise DecodeError("empty PSK identity")
        pairs.append((identity, identities.read_uint32()))
    values: list[bytes] = []
    while binders.remaining():
        binder = binders.read_vector8()
        if len(binder) < 32:
            raise DecodeError(f"PSK binder of {len(binder)} bytes")
        values.append(binder)
    if not pairs:
        raise DecodeError("no PSK identity")
    if len(pairs) != len(values):
        raise DecodeError(f"{len(pairs)} PSK identities, {len(values)} binders", ILLEGAL_PARAMETER)
    return tuple(pairs), tuple(values)


def expect_empty(body: bytes, what: str) -> None:
    """Refuse an extension that must have no body but has one."""
    if body:
        raise DecodeError(f"{what} has {len(body)} bytes, not none")
