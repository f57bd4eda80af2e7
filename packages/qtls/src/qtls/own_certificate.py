"""Certificate and CertificateVerify as this side sends them, server or client.

RFC 8446 §4.4.2 and §4.4.3, RFC 8879.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import final

from . import cert_compression, extensions
from .certificates import CertificateChain
from .constants import (
    EXT_COMPRESS_CERTIFICATE,
    EXT_SIGNATURE_ALGORITHMS,
    EXT_SIGNED_CERTIFICATE_TIMESTAMP,
    EXT_STATUS_REQUEST,
    ILLEGAL_PARAMETER,
    MISSING_EXTENSION,
)
from .errors import LocalAlert
from .extensions import Extension
from .key_schedule import Transcript
from .messages import certificate_request, certificate_verify, compressed_certificate
from .messages.certificate import Certificate
from .messages.client_hello import ClientHello
from .signatures import CLIENT_CONTEXT, sign, signed_content

__all__ = ["CertificateRequest", "encode_chain", "prove"]


def prove(
    chain: CertificateChain, scheme: int, certificate: bytes, context: bytes, transcript: Transcript
) -> list[bytes]:
    """The Certificate message given and the CertificateVerify that follows it; both go into the transcript."""
    transcript.add(certificate)
    signature = sign(chain.key, scheme, signed_content(context, transcript.digest()))
    proof = certificate_verify.encode(scheme, signature)
    transcript.add(proof)
    return [certificate, proof]


@final
class CertificateRequest:
    """What a server that asks for a certificate can check, and open."""

    __slots__ = ("_compression", "_signatures")

    def __init__(self, signatures: tuple[int, ...], compression: tuple[int, ...]) -> None:
        self._signatures = signatures
        self._compression = compression

    @classmethod
    def parse(cls, raw: bytes) -> CertificateRequest:
        """Read the message ``raw``, header included. RFC 8446 §4.3.2.

        Raises:
            DecodeError: malformed.
            LocalAlert: it is none of a handshake.
        """
        context, entries = certificate_request.parse(raw)
        if context:
            raise LocalAlert(ILLEGAL_PARAMETER, "CertificateRequest in the handshake has a context")
        bodies = dict(entries)
        signatures = bodies.get(EXT_SIGNATURE_ALGORITHMS)
        if signatures is None:
            raise LocalAlert(MISSING_EXTENSION, "CertificateRequest without signature_algorithms")
        compression = bodies.get(EXT_COMPRESS_CERTIFICATE)
        return cls(
            extensions.parse_uint16_list(signatures, "signature_algorithms"),
            () if compression is None else extensions.parse_compression(compression),
        )

    def answer(self, chain: CertificateChain | None, transcript: Transcript) -> list[bytes]:
        """What a client with this chain sends: an empty Certificate if it has none that fits."""
        scheme = None
        if chain is not None:
            scheme = next((each for each in chain.schemes if each in self._signatures), None)
        if chain is None or scheme is None:
            empty = Certificate(()).encode()
            transcript.add(empty)
            return [empty]
        certificate = _compressed(Certificate(chain.certificates), self._compression)
        return prove(chain, scheme, certificate, CLIENT_CONTEXT, transcript)


def encode_chain(chain: CertificateChain, hello: ClientHello) -> bytes:
    """A server's Certificate message, compressed if the client can take that and it helps."""
    leaf: list[Extension] = []
    staple = chain.ocsp_response
    if staple is not None and hello.offers(EXT_STATUS_REQUEST):
        leaf.append((EXT_STATUS_REQUEST, b"\x01" + len(staple).to_bytes(3, "big") + staple))
    if chain.sct_list is not None and hello.offers(EXT_SIGNED_CERTIFICATE_TIMESTAMP):
        leaf.append((EXT_SIGNED_CERTIFICATE_TIMESTAMP, chain.sct_list))
    can_open = tuple(
        [each for each in hello.certificate_compression() if each in cert_compression.available()]
    )
    return _encode(chain.certificates, tuple(leaf), can_open)


@lru_cache(maxsize=64)
def _encode(chain: tuple[bytes, ...], leaf: tuple[Extension, ...], compression: tuple[int, ...]) -> bytes:
    return _compressed(Certificate(chain, (leaf,)), compression)


def _compressed(certificate: Certificate, algorithms: Sequence[int]) -> bytes:
    """The message with the first algorithm that makes it smaller, RFC 8879 §4."""
    body = certificate.encode_body()
    for algorithm in algorithms:
        compressed = cert_compression.compress(algorithm, body)
        if compressed is not None:
            return compressed_certificate.encode(algorithm, len(body), compressed)
    return certificate.encode()
