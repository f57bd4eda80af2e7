"""The extensions of captured ClientHellos → the data that makes them again."""

from collections.abc import Collection, Sequence
from typing import Final

from . import grease
from .curve25519 import may_be_public_key
from .extensions import (
    Alpn,
    ApplicationSettings,
    CompressCertificate,
    DelegatedCredentials,
    EarlyData,
    EchGrease,
    ExtensionSpec,
    Fill,
    Grease,
    KeyShare,
    PskKeyExchangeModes,
    QuicTransportParameters,
    Raw,
    RecordSizeLimit,
    ServerName,
    SignatureAlgorithms,
    StatusRequest,
    SupportedGroups,
    SupportedVersions,
    TrustAnchors,
)
from .fingerprint import ObservedHello
from .observation import ECH, PRE_SHARED_KEY, X25519, X25519MLKEM768
from .ordering import Item

OCSP_REQUEST: Final = b"\1\0\0\0\0"
#: Sizes among which BoringSSL draws, of which a few captures may lack one.
BORING_PAYLOADS: Final = (144, 176, 208, 240)
APPLICATION_SETTINGS: Final = (17_513, 17_613)


def learn_extensions(
    hellos: Sequence[ObservedHello], items: Sequence[Item], pinned: Collection[Item]
) -> tuple[ExtensionSpec, ...]:
    """One specification for each of `items`, in their order; pre_shared_key needs none."""
    learned: list[ExtensionSpec] = []
    for item in items:
        if item == PRE_SHARED_KEY:
            continue
        learned.append(learn_extension(hellos, item, item in pinned))
    return tuple(learned)


def learn_extension(hellos: Sequence[ObservedHello], item: Item, pinned: bool) -> ExtensionSpec:
    """One extension from all its bodies."""
    if isinstance(item, str):
        return learn_grease(hellos, int(item.removeprefix("grease")) - 1, pinned)
    bodies = [body for hello in hellos if (body := hello.body(item)) is not None]
    body = bodies[0]
    hello = next(hello for hello in hellos if hello.body(item) is not None)
    match item:
        case 0:
            return ServerName(pinned=pinned)
        case 5 if body == OCSP_REQUEST:
            return StatusRequest(pinned=pinned)
        case 10:
            return SupportedGroups(groups=folded(hello.groups), pinned=pinned)
        case 13:
            return SignatureAlgorithms(schemes=tuple(hello.signature_algorithms), pinned=pinned)
        case 16:
            return Alpn(pinned=pinned)
        case 21 if not any(body):
            return Fill(pinned=pinned)
        case 27:
            return CompressCertificate(algorithms=tuple(hello.certificate_compression), pinned=pinned)
        case 28 if hello.record_size_limit is not None:
            return RecordSizeLimit(limit=hello.record_size_limit, pinned=pinned)
        case 34:
            return DelegatedCredentials(schemes=uint16s(body[2:]), pinned=pinned)
        case 42:
            return EarlyData(pinned=pinned)
        case 43:
            return SupportedVersions(versions=folded(hello.supported_versions), pinned=pinned)
        case 45:
            return PskKeyExchangeModes(modes=tuple(hello.psk_modes), pinned=pinned)
        case 51:
            groups = folded([group for group, _ in hello.key_shares])
            return KeyShare(groups=groups, share_x25519=shares_x25519(hello), pinned=pinned)
        case 57:
            return QuicTransportParameters(pinned=pinned)
        case 0xCA34:
            lists = {vectors(body[2:]) for body in bodies}
            return TrustAnchors(ids=vectors(body[2:]), shuffled=len(lists) > 1, pinned=pinned)
    if item in APPLICATION_SETTINGS:
        protocols = tuple(name.decode("latin-1") for name in vectors(body[2:]))
        return ApplicationSettings(id=item, protocols=protocols, pinned=pinned)
    if item == ECH:
        return learn_ech(bodies, pinned) or Raw(id=item, value=body, pinned=pinned)
    return Raw(id=item, value=body, pinned=pinned)


def learn_grease(hellos: Sequence[ObservedHello], index: int, pinned: bool) -> Grease:
    """The reserved extension number `index`: the bounds of its size, and whether its bytes are zeros."""
    bodies: list[bytes] = []
    for hello in hellos:
        reserved = [body for number, body in hello.extensions if grease.is_tls_value(number)]
        bodies.extend(reserved[index : index + 1])
    sizes = [len(body) for body in bodies]
    zeros = max(sizes) > 0 and not any(any(body) for body in bodies)
    return Grease(min_size=min(sizes), max_size=max(sizes), zeros=zeros, pinned=pinned)


def learn_ech(bodies: Sequence[bytes], pinned: bool) -> EchGrease | None:
    """ECH that encrypts nothing: the algorithms and sizes that were seen; None for another form."""
    if any(len(body) < 10 or body[0] for body in bodies):
        return None
    enc_size = int.from_bytes(bodies[0][6:8], "big")
    aeads = sorted({int.from_bytes(body[3:5], "big") for body in bodies})
    sizes = {len(body) - 10 - enc_size for body in bodies}
    if len(sizes) > 1 and sizes <= set(BORING_PAYLOADS):
        sizes = set(BORING_PAYLOADS)
    # A key passes for random bytes, and random bytes for a key only once in four times.
    has_keys = all(may_be_public_key(body[8 : 8 + enc_size]) for body in bodies)
    return EchGrease(
        kdf=int.from_bytes(bodies[0][1:3], "big"),
        aeads=tuple(aeads),
        enc="x25519" if has_keys else "random",
        enc_size=enc_size,
        payload_sizes=tuple(sorted(sizes)),
        pinned=pinned,
    )


def shares_x25519(hello: ObservedHello) -> bool:
    """Whether the hybrid share ends with the X25519 share."""
    shares = dict(hello.key_shares)
    alone, hybrid = shares.get(X25519), shares.get(X25519MLKEM768)
    return alone is not None and hybrid is not None and hybrid.endswith(alone)


def folded(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(grease.fold_tls(value) for value in values)


def uint16s(data: bytes) -> tuple[int, ...]:
    """Numbers of two bytes; a last single byte is dropped."""
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2))


def vectors(data: bytes) -> tuple[bytes, ...]:
    """Byte strings, each behind its length in one byte."""
    found: list[bytes] = []
    position = 0
    while position < len(data):
        size = data[position]
        found.append(data[position + 1 : position + 1 + size])
        position += 1 + size
    return tuple(found)
