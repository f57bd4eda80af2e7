"""Certificate and CertificateVerify as this side sends them, server or client.

RFC 8446 §4.4.2 and §4.4.3, RFC 8879.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from . import cert_compression
from .certificates import CertificateChain
from .constants import EXT_SIGNED_CERTIFICATE_TIMESTAMP, EXT_STATUS_REQUEST
from .extensions import Extension
from .key_schedule import Transcript
from .messages import certificate_verify, compressed_certificate
from .messages.certificate import Certificate
from .messages.client_hello import ClientHello
from .signatures import CLIENT_CONTEXT, sign, signed_content

__all__ = ["answer_request", "encode_chain", "prove"]


def prove(
    chain: CertificateChain, scheme: int, certificate: bytes, context: bytes, transcript: Transcript
) -> list[bytes]:
    """The Certificate message given and the CertificateVerify that follows it; both go into the transcript."""
    transcript.add(certificate)
    signature = sign(chain.key, scheme, signed_content(context, transcript.digest()))
    proof = certificate_verify.encode(scheme, signature)
    transcript.add(proof)
    return [certificate, proof]


def answer_request(
    chain: CertificateChain | None,
    signatures: Sequence[int],
    compression: Sequence[int],
    transcript: Transcript,
) -> list[bytes]:
    """A client's answer to a CertificateRequest: an empty Certificate if it has none that fits.

    ``signatures`` and ``compression`` are what the server can check and open.
    """
    scheme = None if chain is None else next((each for each in chain.schemes if each in signatures), None)
    if chain is None or scheme is None:
        empty = Certificate(()).encode()
        transcript.add(empty)
        return [empty]
    certificate = _compressed(Certificate(chain.certificates), compression)
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
