"""A client's offer of an encrypted ClientHello.

Seals the inner hello into the outer one, over one or two flights, and recognizes whether the server took it. What it
looks like comes from the ``ClientHelloBuilder``, for both hellos. RFC 9849 §6.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import final

from . import hpke
from .client_hello import EchOffer, EchRole, HelloDraft
from .client_offer import bind
from .codec import vector8, vector16
from .constants import (
    EXT_ECH_OUTER_EXTENSIONS,
    EXT_ENCRYPTED_CLIENT_HELLO,
    EXT_PRE_SHARED_KEY,
)
from .ech import (
    ACCEPTED_LABEL,
    CONFIRMATION_SIZE,
    INNER_BODY,
    RETRY_LABEL,
    EchConfig,
    OuterEch,
    confirmation,
    parse_config_list,
    payload_range,
)
from .ech_inner import arrange, encode_inner
from .errors import DecodeError
from .key_schedule import KeySchedule, Transcript
from .mac import equal
from .messages.client_hello import ClientHello
from .messages.server_hello import ServerHello
from .packet_keys import suite_parameters
from .resumption import Session

__all__ = ["ClientEch", "choose_config"]

# Where the confirmation lies in a ServerHello message: the last 8 bytes of random.
CONFIRMATION_START = 4 + 2 + 32 - CONFIRMATION_SIZE
CONFIRMATION_STOP = CONFIRMATION_START + CONFIRMATION_SIZE


def choose_config(config_list: bytes) -> EchConfig | None:
    """The first usable configuration of an ECHConfigList.

    Raises:
        DecodeError: malformed.
    """
    return next((each for each in parse_config_list(config_list) if each.suite() is not None), None)


@final
class ClientEch:
    """One offer. ``is_accepted`` is None until the server has shown which hello it answers.

    ``outer`` and ``outer_transcript`` are what the handshake goes on with when the server rejects.
    """

    __slots__ = (
        "_body",
        "_config",
        "_context",
        "_enc",
        "_random",
        "_suite",
        "decoy",
        "inner",
        "is_accepted",
        "outer",
        "outer_transcript",
    )

    def __init__(self, config: EchConfig, session: Session | None, random: Callable[[int], bytes]) -> None:
        suite = config.suite()
        if suite is None:
            raise ValueError("the ECH configuration cannot be used")
        self._config = config
        self._random = random
        self._suite = suite
        self._enc, self._context = hpke.setup_sender(
            config.kem, config.public_key, config.info, *suite, random
        )
        self._body = b""
        self.is_accepted: bool | None = None
        self.inner: ClientHello | None = None
        self.outer: ClientHello | None = None
        self.outer_transcript = Transcript()
        # RFC 9849 §6.1.2: the outer hello shows a ticket of the same size that means nothing.
        self.decoy: Session | None = None
        if session is not None:
            ticket, age_add = random(len(session.ticket)), int.from_bytes(random(4), "big")
            self.decoy = replace(session, ticket=ticket, age_add=age_add, secret=b"")

    @property
    def public_name(self) -> str:
        """The name outside, which the server proves to be when it rejects."""
        return self._config.public_name

    def inner_offer(self) -> EchOffer:
        """What the builder of the inner hello is told."""
        return EchOffer(EchRole.INNER, INNER_BODY)

    def outer_offer(self) -> EchOffer:
        """What the builder of the outer hello is told; a rejected offer is repeated as it was sent."""
        if self.is_accepted is False:
            return EchOffer(EchRole.OUTER, self._body)
        enc = b"" if self.is_accepted else self._enc
        return EchOffer(EchRole.OUTER, OuterEch(*self._suite, self._config.config_id, enc, b"").encode())

    def seal(
        self, inner: HelloDraft, outer: HelloDraft, session: Session | None, transcript: Transcript
    ) -> tuple[ClientHello, ClientHello, KeySchedule | None]:
        """The inner and the outer hello, and the key schedule that begins with the PSK of ``session``.

        ``transcript`` is that of the inner hellos.

        Raises:
            ValueError: a draft that cannot be encrypted, or cannot carry what is.
        """
        position = _position(outer, self.outer_offer().body)
        _position(inner, INNER_BODY)
        if inner.session_id != outer.session_id:
            raise ValueError("inner and outer ClientHello with different session IDs")
        inner.extensions, shared = arrange(inner.extensions, outer.extensions)
        hello = ClientHello(inner.encode())
        schedule: KeySchedule | None = None
        if hello.offers(EXT_PRE_SHARED_KEY):
            if session is None:
                raise ValueError("the ClientHello has pre_shared_key, but there is no session")
            hello, schedule = bind(hello, session, transcript)
        encoded = encode_inner(hello, shared, self._config.maximum_name_length)
        enc = b"" if self.is_accepted else self._enc
        empty = OuterEch(*self._suite, self._config.config_id, enc, bytes(len(encoded) + hpke.TAG_SIZE))
        outer.extensions[position] = (EXT_ENCRYPTED_CLIENT_HELLO, empty.encode())
        raw = self._with_decoy_binder(outer.encode())
        start, stop = payload_range(raw)
        raw = raw[:start] + self._context.seal(raw[4:], encoded) + raw[stop:]
        self.inner, self.outer = hello, ClientHello(raw)
        if not self._body:
            self._body = self.outer.get(EXT_ENCRYPTED_CLIENT_HELLO) or b""
        return self.inner, self.outer, schedule

    def confirms(self, answer: ServerHello, raw: bytes, transcript: Transcript) -> bool:
        """Whether the ServerHello ``raw`` answers the inner hello, RFC 9849 §7.2.

        ``transcript`` is that of the inner hellos, up to here.
        """
        zeros = raw[:CONFIRMATION_START] + bytes(CONFIRMATION_SIZE) + raw[CONFIRMATION_STOP:]
        found = raw[CONFIRMATION_START:CONFIRMATION_STOP]
        return self._matches(found, ACCEPTED_LABEL, answer.suite, zeros, transcript)

    def confirms_retry(self, retry: ServerHello, transcript: Transcript) -> bool:
        """Whether a HelloRetryRequest answers the inner hello, RFC 9849 §7.2.1.

        Raises:
            DecodeError: a confirmation of another size.
        """
        found = dict(retry.extensions).get(EXT_ENCRYPTED_CLIENT_HELLO)
        if found is None:
            return False
        if len(found) != CONFIRMATION_SIZE:
            raise DecodeError(f"encrypted_client_hello of {len(found)} bytes in HelloRetryRequest")
        entries = [
            (kind, bytes(CONFIRMATION_SIZE) if kind == EXT_ENCRYPTED_CLIENT_HELLO else body)
            for kind, body in retry.extensions
        ]
        zeros = ServerHello(retry.random, retry.session_id, retry.suite, tuple(entries)).encode()
        return self._matches(found, RETRY_LABEL, retry.suite, zeros, transcript)

    def _matches(self, found: bytes, label: bytes, suite: int, zeros: bytes, transcript: Transcript) -> bool:
        if self.inner is None:
            return False
        hash_name = suite_parameters(suite).hash_name
        digest = transcript.digest_with(zeros, hash_name)
        return equal(found, confirmation(label, self.inner.random, hash_name, digest))

    def _with_decoy_binder(self, raw: bytes) -> bytes:
        hello = ClientHello(raw)
        if not hello.offers(EXT_PRE_SHARED_KEY):
            return raw
        if self.decoy is None:
            raise ValueError("the outer ClientHello has pre_shared_key, but there is no session")
        return hello.without_binders() + vector16(vector8(self._random(self.decoy.binder_size)))

    def __repr__(self) -> str:
        return f"ClientEch({self._config!r}, is_accepted={self.is_accepted})"


def _position(draft: HelloDraft, body: bytes) -> int:
    """Where the draft has encrypted_client_hello as it was given to the builder."""
    if any(kind == EXT_ECH_OUTER_EXTENSIONS for kind, _ in draft.extensions):
        raise ValueError("a ClientHelloBuilder must not use ech_outer_extensions")
    try:
        return draft.extensions.index((EXT_ENCRYPTED_CLIENT_HELLO, body))
    except ValueError:
        raise ValueError("the ClientHelloBuilder left out the encrypted_client_hello it was given") from None
