"""A server's side of encrypted ClientHello: opens it, confirms it, or says what to try instead.

RFC 9849 §7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from . import hpke
from .constants import (
    DECRYPT_ERROR,
    EXT_ECH_OUTER_EXTENSIONS,
    EXT_ENCRYPTED_CLIENT_HELLO,
    ILLEGAL_PARAMETER,
    MISSING_EXTENSION,
    TLS_1_3,
)
from .ech import (
    ACCEPTED_LABEL,
    CONFIRMATION_SIZE,
    RETRY_LABEL,
    EchKey,
    OuterEch,
    confirmation,
    ech_config_list,
    parse_extension,
    payload_range,
)
from .ech_client import CONFIRMATION_START, CONFIRMATION_STOP
from .ech_inner import decode_inner
from .errors import LocalAlert
from .key_schedule import Transcript
from .messages.client_hello import ClientHello

__all__ = ["ServerEch"]

RETRY_PLACE = (EXT_ENCRYPTED_CLIENT_HELLO, bytes(CONFIRMATION_SIZE))


@final
class ServerEch:
    """What became of encrypted_client_hello in one handshake.

    ``is_accepted`` says that an inner hello is answered and has to be confirmed; ``is_rejected`` that the client sent
    one that no key opens, and is to get ``retry_configs``.
    """

    __slots__ = ("_context", "_keys", "_offer", "is_accepted", "is_rejected")

    def __init__(self, keys: Sequence[EchKey]) -> None:
        self._keys = keys
        self._context: hpke.Context | None = None
        self._offer: OuterEch | None = None
        self.is_accepted = False
        self.is_rejected = False

    @property
    def retry_configs(self) -> bytes:
        """The ECHConfigList of all keys, for EncryptedExtensions."""
        return ech_config_list(self._keys)

    def open(self, hello: ClientHello) -> ClientHello:
        """The inner hello of a first ClientHello, or the hello itself.

        Raises:
            LocalAlert: illegal_parameter, an inner hello that must not be.
            DecodeError: malformed.
        """
        body = hello.get(EXT_ENCRYPTED_CLIENT_HELLO)
        if body is None:
            return hello
        # RFC 9849 §7: who has no keys ignores the extension, unless another server decrypted it for this one.
        if not self._keys and body[:1] != b"\x01":
            return hello
        offer = parse_extension(body)
        if offer is None:
            self.is_accepted = True
            _check_inner(hello)
            return hello
        for key in self._keys:
            config = key.parsed()
            if config.config_id != offer.config_id or (offer.kdf, offer.aead) not in config.suites:
                continue
            try:
                context = hpke.setup_receiver(
                    config.kem, key.private_key, offer.enc, config.info, offer.kdf, offer.aead
                )
            except ValueError:
                continue
            encoded = _open(context, hello.raw)
            if encoded is not None:
                self.is_accepted = True
                self._context, self._offer = context, offer
                return _inner(encoded, hello)
        self.is_rejected = True
        return hello

    def open_second(self, hello: ClientHello) -> ClientHello:
        """The same for the ClientHello after a HelloRetryRequest, RFC 9849 §7.1.1.

        Raises:
            LocalAlert: missing_extension, illegal_parameter or decrypt_error.
            DecodeError: malformed.
        """
        if not self.is_accepted:
            return hello
        body = hello.get(EXT_ENCRYPTED_CLIENT_HELLO)
        if body is None:
            raise LocalAlert(MISSING_EXTENSION, "the second ClientHello has no encrypted_client_hello")
        offer, first, context = parse_extension(body), self._offer, self._context
        if first is None or context is None:
            if offer is not None:
                raise LocalAlert(ILLEGAL_PARAMETER, "the second ClientHello is not an inner one")
            _check_inner(hello)
            return hello
        if offer is None or offer.enc:
            raise LocalAlert(ILLEGAL_PARAMETER, "encrypted_client_hello of another type, or with a key again")
        if (offer.config_id, offer.kdf, offer.aead) != (first.config_id, first.kdf, first.aead):
            raise LocalAlert(ILLEGAL_PARAMETER, "encrypted_client_hello with another configuration")
        encoded = _open(context, hello.raw)
        if encoded is None:
            raise LocalAlert(DECRYPT_ERROR, "the second encrypted_client_hello cannot be decrypted")
        return _inner(encoded, hello)

    def confirm(self, raw: bytes, hello: ClientHello, hash_name: str, transcript: Transcript) -> bytes:
        """The ServerHello ``raw`` with the confirmation in its random, RFC 9849 §7.2."""
        zeros = raw[:CONFIRMATION_START] + bytes(CONFIRMATION_SIZE) + raw[CONFIRMATION_STOP:]
        digest = transcript.digest_with(zeros, hash_name)
        mark = confirmation(ACCEPTED_LABEL, hello.random, hash_name, digest)
        return raw[:CONFIRMATION_START] + mark + raw[CONFIRMATION_STOP:]

    def confirm_retry(self, raw: bytes, hello: ClientHello, hash_name: str, transcript: Transcript) -> bytes:
        """The HelloRetryRequest ``raw``, which ends with ``RETRY_PLACE``, confirmed. RFC 9849 §7.2.1."""
        digest = transcript.digest_with(raw, hash_name)
        return raw[:-CONFIRMATION_SIZE] + confirmation(RETRY_LABEL, hello.random, hash_name, digest)

    def __repr__(self) -> str:
        return f"ServerEch(is_accepted={self.is_accepted}, is_rejected={self.is_rejected})"


def _open(context: hpke.Context, raw: bytes) -> bytes | None:
    start, stop = payload_range(raw)
    associated_data = raw[4:start] + bytes(stop - start) + raw[stop:]
    return context.open(associated_data, raw[start:stop])


def _inner(encoded: bytes, outer: ClientHello) -> ClientHello:
    hello = decode_inner(encoded, outer)
    body = hello.get(EXT_ENCRYPTED_CLIENT_HELLO)
    if body is None or parse_extension(body) is not None:
        raise LocalAlert(ILLEGAL_PARAMETER, "the inner ClientHello does not say that it is one")
    _check_inner(hello)
    return hello


def _check_inner(hello: ClientHello) -> None:
    """RFC 9849 §7.1: no version before TLS 1.3, and nothing left to expand."""
    if any(version < TLS_1_3 for version in hello.versions()):
        raise LocalAlert(ILLEGAL_PARAMETER, "the inner ClientHello offers a version before TLS 1.3")
    if hello.offers(EXT_ECH_OUTER_EXTENSIONS):
        raise LocalAlert(ILLEGAL_PARAMETER, "ech_outer_extensions in a ClientHello")
