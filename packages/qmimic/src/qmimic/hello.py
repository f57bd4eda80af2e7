"""A ClientHello made from data.

`HelloSpec` is what a profile says of the ClientHello; `DrawnHello` is the builder for one connection, with a
seed in place of everything that is left to chance, so that the hello after a HelloRetryRequest repeats the
order and the random parts of the first. RFC 8446 §4.1.2.
"""

from dataclasses import dataclass, field
from typing import Final

from qtls.client_hello import HelloContext, HelloDraft
from qtls.constants import EXT_COOKIE, EXT_PRE_SHARED_KEY

from .bounds import UINT16, check, check_all
from .extensions import Cookie, ExtensionSpec, Fill, KeyShare, ReservedValues, SupportedGroups, filled_in
from .grease import is_tls_value
from .randomness import RandomBytes, SeededBytes, shuffle

SEED_SIZE = 32
#: What makes another reserved number of one, as BoringSSL does when two extensions would have the same.
OTHER_RESERVED: Final = 0x1010


@dataclass(frozen=True, kw_only=True)
class HelloSpec:
    """The ClientHello of a client.

    Attributes:
        cipher_suites: as listed on the wire; 0x0a0a stands for a reserved value that is drawn.
        permute: all extensions that are not pinned change places, every order with the same chance; otherwise
            the order is that of the list. pre_shared_key follows at the end (RFC 8446 §4.2.11).
        extensions: everything that the client may send; some are left out where they do not apply.
        session_id_size: bytes of legacy_session_id, which QUIC leaves empty (RFC 9001 §8.4).
    """

    cipher_suites: tuple[int, ...] = field(metadata={"hex": True})
    permute: bool = False
    extensions: tuple[ExtensionSpec, ...]
    session_id_size: int = 0

    def __post_init__(self) -> None:
        check_all("a cipher suite", self.cipher_suites, UINT16)
        check("session_id_size", self.session_id_size, 32)  # RFC 8446 §4.1.2

    @property
    def groups(self) -> tuple[int, ...]:
        """The key-exchange groups that are offered."""
        for extension in self.extensions:
            if isinstance(extension, SupportedGroups):
                return tuple(group for group in extension.groups if not is_tls_value(group))
        return ()

    @property
    def real_suites(self) -> tuple[int, ...]:
        """The cipher suites without reserved ones."""
        return tuple(suite for suite in self.cipher_suites if not is_tls_value(suite))

    @property
    def share_groups(self) -> tuple[int, ...]:
        """The groups for which a key share is sent at once."""
        for extension in self.extensions:
            if isinstance(extension, KeyShare):
                return tuple(group for group in extension.groups if not is_tls_value(group))
        return ()

    def draw(self, random: RandomBytes) -> "DrawnHello":
        """The builder for one connection."""
        return DrawnHello(spec=self, seed=random(SEED_SIZE))


@dataclass(frozen=True, kw_only=True)
class DrawnHello:
    """Builds the ClientHello of one connection; satisfies `qtls.client_hello.ClientHelloBuilder`."""

    spec: HelloSpec
    seed: bytes = field(repr=False)

    def build(self, context: HelloContext) -> HelloDraft:
        """The ClientHello for `context`, the same but for what a HelloRetryRequest changes."""
        spec = self.spec
        retry = context.retry
        reserved = ReservedValues.draw(SeededBytes(self.seed + b"reserved"))
        extensions: list[tuple[int, bytes]] = []
        fill: tuple[int, Fill] | None = None
        for index, extension in self._ordered():
            random = SeededBytes(self.seed + index.to_bytes(2, "big"))
            number = extension.id_of(random)
            if is_tls_value(number) and any(number == taken for taken, _ in extensions):
                number ^= OTHER_RESERVED
            body = extension.with_reserved(reserved).body(context, random)
            if body is None:
                continue
            if isinstance(extension, Fill):
                fill = (len(extensions), extension)
            else:
                extensions.append((number, body))
        if (
            retry is not None
            and retry.cookie is not None
            and all(kind != EXT_COOKIE for kind, _ in extensions)
        ):
            cookie = Cookie().body(context, SeededBytes(self.seed))
            if cookie is not None:
                extensions.append((EXT_COOKIE, cookie))
        if context.session is not None:
            extensions.append((EXT_PRE_SHARED_KEY, context.pre_shared_key()))
        draft = HelloDraft(
            random=context.random(32) if retry is None else retry.first_hello[6:38],
            session_id=SeededBytes(self.seed + b"session id")(spec.session_id_size),
            cipher_suites=list(filled_in(spec.cipher_suites, reserved.suite)),
            extensions=extensions,
        )
        if fill is not None:
            place, padding = fill
            body = padding.for_hello(len(draft.encode()))
            if body is not None:
                extensions.insert(place, (padding.ID, body))
        return draft

    def _ordered(self) -> list[tuple[int, ExtensionSpec]]:
        """(place in the profile, extension) in the order of the wire."""
        listed = list(enumerate(self.spec.extensions))
        if not self.spec.permute:
            return listed
        free = [item for item in listed if not item[1].pinned]
        shuffle(SeededBytes(self.seed + b"order"), free)
        moved = iter(free)
        return [item if item[1].pinned else next(moved) for item in listed]
