"""A chain of certificates so long that a server may not send it at once.

For tests of the anti-amplification limit, RFC 9000 §8.1: the answer to one datagram of the client is too small for it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from ..certificates import CertificateChain
from ..names import address_of
from .self_signed import MadeCertificate

# Random bytes in each certificate: nothing that certificate compression could make smaller.
FILLER_SIZE: Final = 640
FILLER_EXTENSION: Final = ObjectIdentifier("1.3.6.1.4.1.5923.99")


def make_long_chain(
    names: Iterable[str], *, count: int = 9, wall_clock: float | None = None
) -> MadeCertificate:
    """`count` certificates for DNS names and addresses, each signed by the next, and the authority at their end.

    They are good for nine days from an hour before `wall_clock`, which is now unless given.
    """
    start = datetime.fromtimestamp(time.time() if wall_clock is None else wall_clock, UTC) - timedelta(
        hours=1
    )
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(count + 1)]
    made = []
    for index, key in enumerate(keys):
        issuer = min(index + 1, count)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(index))
            .issuer_name(_name(issuer))
            .public_key(key.public_key())
            .serial_number(1_000 + index)
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=9))
            .add_extension(x509.BasicConstraints(ca=index > 0, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[issuer].public_key()), critical=False
            )
            .add_extension(
                x509.UnrecognizedExtension(FILLER_EXTENSION, secrets.token_bytes(FILLER_SIZE)), critical=False
            )
        )
        if index == 0:
            alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        else:
            builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
        made.append(builder.sign(keys[issuer], hashes.SHA256()))
    chain = CertificateChain(
        [certificate.public_bytes(Encoding.DER) for certificate in made[:count]], keys[0]
    )
    return MadeCertificate(chain, made[count].public_bytes(Encoding.PEM))


def _alternative(name: str) -> x509.GeneralName:
    address = address_of(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _name(index: int) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"link {index} of a chain")])


_SIGNS_CERTIFICATES: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
