"""The groups of the key exchange and the shares for them, RFC 8446 §4.2.7 and §4.2.8."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Self

from qtls.client_hello import HelloContext
from qtls.key_exchange import IMPLEMENTED

from .. import grease
from ..bounds import UINT16, check_all
from ..randomness import RandomBytes
from .base import HEX, Known, ReservedValues, filled_in, uint16s, vector

#: Bytes of the key shares of groups that are not implemented: X448, FFDHE of RFC 7919, X25519Kyber768Draft00.
SHARE_SIZES: Final = {
    0x001E: 56,
    0x0100: 256,
    0x0101: 384,
    0x0102: 512,
    0x0103: 768,
    0x0104: 1024,
    0x6399: 1216,
}
#: What BoringSSL sends as the key share of a reserved group.
RESERVED_SHARE: Final = b"\0"


@dataclass(frozen=True, kw_only=True)
class SupportedGroups(Known):
    """supported_groups, RFC 8446 §4.2.7; 0x0a0a stands for a reserved group."""

    ID: ClassVar[int] = 10
    groups: tuple[int, ...] = field(metadata=HEX)

    def __post_init__(self) -> None:
        check_all("an entry of groups", self.groups, UINT16)

    def with_reserved(self, reserved: ReservedValues) -> Self:
        return replace(self, groups=filled_in(self.groups, reserved.group))

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return vector(2, uint16s(self.groups))


@dataclass(frozen=True, kw_only=True)
class KeyShare(Known):
    """key_share, RFC 8446 §4.2.8; 0x0a0a stands for the reserved group, with a share of one zero byte.

    `share_x25519` uses one X25519 key both alone and inside X25519MLKEM768, as Firefox does. For a group that is not
    implemented random bytes are sent, of which nothing comes if a server takes them: `lint` says so.
    """

    ID: ClassVar[int] = 51
    groups: tuple[int, ...] = field(metadata=HEX)
    share_x25519: bool = False

    def __post_init__(self) -> None:
        check_all("an entry of groups", self.groups, UINT16)

    def with_reserved(self, reserved: ReservedValues) -> Self:
        return replace(self, groups=filled_in(self.groups, reserved.group))

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        groups = self.groups
        if context.retry is not None and context.retry.group is not None:
            groups = (context.retry.group,)
        shares = [(group, self._share(group, context, random)) for group in groups]
        return vector(2, b"".join(group.to_bytes(2, "big") + vector(2, share) for group, share in shares))

    def _share(self, group: int, context: HelloContext, random: RandomBytes) -> bytes:
        if grease.is_tls_value(group):
            return RESERVED_SHARE
        if group not in IMPLEMENTED:
            return random(SHARE_SIZES.get(group, 32))
        return context.key_shares.public(group, self.share_x25519)
