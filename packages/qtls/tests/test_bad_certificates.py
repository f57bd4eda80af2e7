"""Certificates that must not be accepted: the alert, and whether the text names what failed.

RFC 5280 §4 and §6, RFC 8446 §4.4.2 and §6.2, RFC 9525 §6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.oid import NameOID

from qtls import LocalAlert
from qtls.constants import alert_name
from qtls.trust import Roots, SpkiPins
from qtls.verification import load_certificates, verify_client, verify_server

NOW = 1_790_000_000.0
START = datetime(2026, 9, 20)
HOST = "a.example"
FLAGS = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
]


def name(title: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)]) if title else x509.Name([])


def usage(*flags: str) -> tuple[x509.ExtensionType, bool]:
    return x509.KeyUsage(**{flag: flag in flags for flag in FLAGS}), True


def purposes(*values: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    return x509.ExtendedKeyUsage(values), False


def names(*values: str | x509.GeneralName) -> tuple[x509.ExtensionType, bool]:
    listed = [x509.DNSName(value) if isinstance(value, str) else value for value in values]
    return x509.SubjectAlternativeName(listed), False


def unknown(*, critical: bool) -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), critical


class Made:
    """A certificate made for one row, which may sign others."""

    def __init__(
        self,
        title: str,
        issuer: Made | None = None,
        *extensions: tuple[x509.ExtensionType, bool],
        key: Any = None,
        ca: bool | None = None,
        path_length: int | None = None,
        start: datetime = START,
        days: float = 30,
        issuer_name: str | None = None,
    ) -> None:
        self.title = title
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        above = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(title))
            .issuer_name(name(issuer_name or above.title))
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .public_key(self.key.public_key())
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key()), critical=False
            )
        )
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        if ca:
            builder = builder.add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        self.encoded = builder.sign(above.key, hashes.SHA256()).public_bytes(Encoding.DER)


class Edited:
    """The certificate of another with other bytes in it, signed again by ``issuer``."""

    def __init__(self, made: Made, issuer: Made, old: bytes, new: bytes, sign: Any = None) -> None:
        tbs, algorithm = parts(made.encoded)
        assert len(old) == len(new) and old in tbs
        tbs = tbs.replace(old, new)
        algorithm = algorithm.replace(old, new)
        if sign is not None:
            signature = sign(issuer.key, tbs)
        elif isinstance(issuer.key, rsa.RSAPrivateKey):
            signature = issuer.key.sign(tbs, PKCS1v15(), hashes.SHA256())
        else:
            signature = issuer.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
        self.encoded = der(0x30, tbs + algorithm + der(0x03, b"\0" + signature))


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    encoded = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(encoded))) + encoded + content


def parts(certificate: bytes) -> tuple[bytes, bytes]:
    """TBSCertificate and AlgorithmIdentifier, each with its header."""

    def element(data: bytes) -> tuple[bytes, bytes]:
        size, head = data[1], 2
        if size & 0x80:
            head = 2 + (size & 0x7F)
            size = int.from_bytes(data[2:head], "big")
        return data[head : head + size], data[: head + size]

    content, _ = element(certificate)
    _, tbs = element(content)
    _, algorithm = element(content[len(tbs) :])
    return tbs, algorithm


def sign_weakly(digest_info: str, algorithm: Any) -> Callable[[Any, bytes], bytes]:
    """A PKCS #1 v1.5 signature by plain arithmetic: libraries do not make them with such hashes any more."""

    def sign(key: Any, tbs: bytes) -> bytes:
        digest = hashes.Hash(algorithm)
        digest.update(tbs)
        info = bytes.fromhex(digest_info) + digest.finalize()
        size = key.key_size // 8
        padded = b"\0\1" + b"\xff" * (size - 3 - len(info)) + b"\0" + info
        numbers = key.private_numbers()
        number: int = pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n)
        return number.to_bytes(size, "big")

    return sign


SIGNS = usage("key_cert_sign", "crl_sign")
ROOT = Made("root", None, SIGNS, ca=True)
OTHER_ROOT = Made("root", None, SIGNS, ca=True)
STRANGER = Made("stranger", None, SIGNS, ca=True)
BYSTANDER = Made("bystander", None, SIGNS, ca=True)
MIDDLE = Made("middle", ROOT, SIGNS, ca=True)
FORGED_MIDDLE = Made("middle", ROOT, SIGNS, ca=True)
RSA_KEY = rsa.generate_private_key(65537, 2048)
WEAK_KEY = rsa.generate_private_key(65537, 1024)
RSA_MIDDLE = Made("rsa middle", ROOT, SIGNS, ca=True, key=RSA_KEY)
WEAK_MIDDLE = Made("weak middle", ROOT, SIGNS, ca=True, key=WEAK_KEY)


def leaf(issuer: Made = ROOT, *extensions: tuple[x509.ExtensionType, bool], **kw: Any) -> Made:
    given = extensions if any(isinstance(each, x509.SubjectAlternativeName) for each, _ in extensions) else ()
    return Made("leaf", issuer, *(given or (names(HOST), *extensions)), **{"ca": False, **kw})


def under(*extensions: tuple[x509.ExtensionType, bool], title: str = "bad middle", **kw: Any) -> list[Made]:
    """A good leaf below an authority with ``extensions``."""
    middle = Made(title, ROOT, *extensions, **{"ca": True, **kw})
    return [leaf(middle), middle]


def constrained(*, permitted: Any = None, excluded: Any = None, name_of_leaf: Any = HOST) -> list[Made]:
    middle = Made("narrow", ROOT, SIGNS, (x509.NameConstraints(permitted, excluded), True), ca=True)
    return [leaf(middle, names(name_of_leaf)), middle]


def long_path() -> list[Made]:
    short = Made("short", ROOT, SIGNS, ca=True, path_length=0)
    below = Made("below", short, SIGNS, ca=True)
    return [leaf(below), below, short]


def signed_with(oid_end: int, digest_info: str, algorithm: Any) -> list[Any]:
    """A leaf below ``RSA_MIDDLE`` whose signature uses another hash: the OIDs differ in the last byte."""
    plain, oid = leaf(RSA_MIDDLE), bytes.fromhex("2a864886f70d0101")
    sign = sign_weakly(digest_info, algorithm)
    return [Edited(plain, RSA_MIDDLE, oid + b"\x0b", oid + bytes((oid_end,)), sign), RSA_MIDDLE]


def edited(made: Made, old: bytes, new: bytes) -> list[Any]:
    return [Edited(made, ROOT, old, new)]


ADDRESS = x509.IPAddress(ip_address("192.0.2.1"))
POINT = leaf()
POINT_BYTES = POINT.key.public_key().public_numbers().y.to_bytes(32, "big")
# An address of 4 bytes as subject alternative name, and one that claims to be text of another kind.
ADDRESSED = leaf(ROOT, names(HOST, ADDRESS))
TWICE = leaf(
    ROOT,
    unknown(critical=False),
    (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.5"), b"\5\0"), False),
)
SHA1_INFO, MD5_INFO = "3021300906052b0e03021a05000414", "3020300c06082a864886f70d020505000410"

BAD = [
    # Who issued it
    ("stranger", [leaf(STRANGER)], HOST, "unknown_ca", "CN=stranger is not trusted"),
    ("stranger, sent along", [leaf(STRANGER), STRANGER], HOST, "unknown_ca", "CN=stranger is not trusted"),
    ("self-signed", [Made("leaf", None, names(HOST), ca=False)], HOST, "unknown_ca", "self-signed certificate of CN=leaf"),
    ("intermediate missing", [leaf(MIDDLE)], HOST, "unknown_ca", "CN=middle is not trusted"),
    ("wrong intermediate", [leaf(MIDDLE), RSA_MIDDLE], HOST, "unknown_ca", "CN=middle is not trusted"),
    ("intermediate of the same name", [leaf(MIDDLE), FORGED_MIDDLE], HOST, "bad_certificate", "wrong signature"),
    ("root of the same name", [leaf(OTHER_ROOT)], HOST, "unknown_ca", "though another of that name is"),
    ("issuer without CA", under(ca=False), HOST, "bad_certificate", "CN=bad middle is not that of an authority"),
    ("issuer without basic constraints", under(SIGNS, ca=None), HOST, "bad_certificate", "CN=bad middle is not that of an authority"),
    ("issuer may not sign", under(usage("digital_signature")), HOST, "bad_certificate", "may not sign certificates"),
    ("issuer for clients", under(SIGNS, purposes(Purpose.CLIENT_AUTH)), HOST, "unsupported_certificate", "CN=bad middle is that of an authority that is not meant"),
    ("issuer with a weak key", [leaf(WEAK_MIDDLE), WEAK_MIDDLE], HOST, "bad_certificate", "CN=weak middle has an RSA key of 1024 bits"),
    ("issuer expired", under(SIGNS, days=0.1), HOST, "certificate_expired", "CN=bad middle expired on"),
    ("issuer not yet valid", under(SIGNS, start=START + timedelta(days=9)), HOST, "certificate_expired", "CN=bad middle is not valid before"),
    ("issuer with unknown critical extension", under(SIGNS, unknown(critical=True)), HOST, "bad_certificate", "critical extension"),
    ("path too long", long_path(), HOST, "bad_certificate", "CN=short permits a path length of 0"),
    ("another leaf as issuer", [Made("low", MIDDLE, names(HOST), ca=False), MIDDLE], "b.example", "bad_certificate", "not for b.example"),
    # Name constraints
    ("not permitted", constrained(permitted=[x509.DNSName("b.example")]), HOST, "bad_certificate", "CN=narrow has name constraints"),
    ("excluded", constrained(excluded=[x509.DNSName("example")]), HOST, "bad_certificate", "CN=narrow has name constraints"),
    ("address not permitted", constrained(permitted=[x509.IPAddress(ip_network("10.0.0.0/8"))], name_of_leaf=ADDRESS), "192.0.2.1", "bad_certificate", "CN=narrow has name constraints"),
    ("address excluded", constrained(excluded=[x509.IPAddress(ip_network("192.0.2.0/24"))], name_of_leaf=ADDRESS), "192.0.2.1", "bad_certificate", "CN=narrow has name constraints"),
    ("wildcard over excluded", constrained(excluded=[x509.DNSName("b.a.example")], name_of_leaf="b.a.example"), "b.a.example", "bad_certificate", "CN=narrow has name constraints"),
    # Time
    ("expired", [leaf(days=0.1)], HOST, "certificate_expired", "CN=leaf expired on 2026-09-20"),
    ("not yet valid", [leaf(start=START + timedelta(days=9))], HOST, "certificate_expired", "CN=leaf is not valid before 2026-09-29"),
    # What it is for
    ("for clients", [leaf(ROOT, purposes(Purpose.CLIENT_AUTH))], HOST, "unsupported_certificate", "not meant for this use"),
    ("for mail", [leaf(ROOT, purposes(Purpose.EMAIL_PROTECTION))], HOST, "unsupported_certificate", "not meant for this use"),
    ("for anything", [leaf(ROOT, purposes(Purpose.ANY_EXTENDED_KEY_USAGE))], HOST, "unsupported_certificate", "not meant for this use"),
    ("key for encryption only", [leaf(ROOT, usage("key_encipherment"))], HOST, "unsupported_certificate", "may not sign (key usage)"),
    ("key that signs certificates", [leaf(ROOT, usage("digital_signature", "key_cert_sign"))], HOST, "bad_certificate", "keyCertSign"),
    ("an authority", [leaf(ca=True)], HOST, "bad_certificate", "cA must not be asserted"),
    ("unknown critical extension", [leaf(ROOT, unknown(critical=True))], HOST, "bad_certificate", "critical extension"),
    # Keys and signatures
    ("RSA of 1024 bits", [leaf(key=WEAK_KEY)], HOST, "bad_certificate", "CN=leaf has an RSA key of 1024 bits"),
    ("P-224", [leaf(key=ec.generate_private_key(ec.SECP224R1()))], HOST, "unsupported_certificate", "TLS 1.3 cannot use"),
    ("secp256k1", [leaf(key=ec.generate_private_key(ec.SECP256K1()))], HOST, "unsupported_certificate", "TLS 1.3 cannot use"),
    ("DSA", [leaf(key=dsa.generate_private_key(2048))], HOST, "unsupported_certificate", "TLS 1.3 cannot use"),
    ("signed with SHA-1", signed_with(5, SHA1_INFO, hashes.SHA1()), HOST, "bad_certificate", "CN=leaf is signed with a weak algorithm (sha1)"),
    ("signed with MD5", signed_with(4, MD5_INFO, hashes.MD5()), HOST, "bad_certificate", "CN=leaf is signed with a weak algorithm (md5)"),
    ("changed after it was signed", [Edited(leaf(MIDDLE), FORGED_MIDDLE, b"example", b"exbmple"), MIDDLE], "a.exbmple", "bad_certificate", "CN=leaf has a wrong signature"),
    # Names
    ("another name", [leaf()], "b.example", "bad_certificate", "is for a.example, not for b.example"),
    ("no name", [Made("leaf", ROOT, ca=False)], HOST, "bad_certificate", "is for no name"),
    ("common name only", [Made(HOST, ROOT, ca=False)], HOST, "bad_certificate", "is for no name"),
    ("a mail address", [leaf(ROOT, names(x509.RFC822Name("x@a.example")))], HOST, "bad_certificate", "is for no name"),
    ("wildcard for the domain itself", [leaf(ROOT, names("*.a.example"))], HOST, "bad_certificate", "is for *.a.example"),
    ("wildcard for two labels", [leaf(ROOT, names("*.example.org"))], "a.b.example.org", "bad_certificate", "not for a.b.example.org"),
    ("wildcard in a label", [leaf(ROOT, names("f*.example.org"))], "foo.example.org", "bad_certificate", "not for foo.example.org"),
    ("wildcard further right", [leaf(ROOT, names("a.*.example.org"))], "a.b.example.org", "bad_certificate", "not for a.b.example.org"),
    ("wildcard alone", [leaf(ROOT, names("*"))], "localhost", "bad_certificate", "not for localhost"),
    ("wildcard below the top", [leaf(ROOT, names("*.example"))], HOST, "bad_certificate", "is for *.example"),
    ("wildcard in an A-label", [leaf(ROOT, names("xn--*.example.org"))], "xn--bcher-kva.example.org", "bad_certificate", "not for xn--bcher"),
    ("host that is a wildcard", [leaf(ROOT, names("*.example.org"))], "*.example.org", "bad_certificate", "refused"),
    ("name with a null byte", [leaf(ROOT, names("a.example\0.evil.example"))], HOST, "bad_certificate", "is for a.example?.evil.example"),
    ("longer name", [leaf(ROOT, names("a.example.evil.example"))], HOST, "bad_certificate", "not for a.example"),
    ("address as a DNS name", [leaf(ROOT, names("192.0.2.1"))], "192.0.2.1", "bad_certificate", "not for 192.0.2.1"),
    ("another address", [leaf(ROOT, names(ADDRESS))], "192.0.2.2", "bad_certificate", "is for 192.0.2.1, not for 192.0.2.2"),
    ("mapped address", [leaf(ROOT, names(ADDRESS))], "::ffff:192.0.2.1", "bad_certificate", "not for ::ffff:192.0.2.1"),
    ("address for a name", [leaf(ROOT, names(ADDRESS))], HOST, "bad_certificate", "is for 192.0.2.1, not for a.example"),
    # What can be parsed only in part: fields are read when they are first looked at
    ("point not on the curve", edited(POINT, POINT_BYTES, bytes(32)), HOST, "bad_certificate", "cannot be read"),
    ("address of the wrong size", edited(ADDRESSED, b"\x87\x04\xc0\x00\x02\x01", b"\x87\x03\xc0\x00\x02\x81\x00"[:3] + b"\x00\x02\x81"), HOST, "bad_certificate", ""),
    ("extension twice", edited(TWICE, b"\x06\x03\x2a\x03\x05", b"\x06\x03\x2a\x03\x04"), HOST, "bad_certificate", "cannot be read"),
    ("name that is not ASCII", edited(leaf(), b"\x82\x09a.example", b"\x82\x09a.ex\xe4mple"), HOST, "bad_certificate", ""),
    ("month 13", edited(leaf(), b"260920000000Z", b"261320000000Z"), HOST, "bad_certificate", "cannot be"),
]  # fmt: skip


def verify(chain: Sequence[Any], host: str | None, trust: Any = None) -> None:
    encoded = [each.encoded for each in chain]
    roots = trust or Roots(load_certificates([ROOT.encoded]))
    if host is None:
        verify_client(encoded, load_certificates(encoded), roots, NOW)
    else:
        verify_server(encoded, load_certificates(encoded), host, roots, NOW)


@pytest.mark.parametrize(("what", "chain", "host", "alert", "reason"), BAD, ids=[row[0] for row in BAD])
def test_refused(what: str, chain: Sequence[Any], host: str, alert: str, reason: str) -> None:
    with pytest.raises(LocalAlert) as refused:
        verify(chain, host)

    assert alert == alert_name(refused.value.description), str(refused.value)
    assert reason in refused.value.reason
    assert refused.value.reason.isprintable() and "<" not in refused.value.reason
    # Nor when it was just refused and is seen again, nor with other certificates around it.
    with pytest.raises(LocalAlert):
        verify([*chain, BYSTANDER, RSA_MIDDLE], host)


GOOD = [
    ("one", [leaf()], HOST),
    ("upper case", [leaf(ROOT, names("A.EXAMPLE"))], HOST),
    ("host in upper case, with the final dot", [leaf()], "A.Example."),
    ("wildcard", [leaf(ROOT, names("*.example.org"))], "foo.example.org"),
    ("A-label", [leaf(ROOT, names("xn--bcher-kva.example"))], "xn--bcher-kva.example"),
    ("wildcard for an A-label", [leaf(ROOT, names("*.example.org"))], "xn--bcher-kva.example.org"),
    ("address", [leaf(ROOT, names(ADDRESS))], "192.0.2.1"),
    ("address in another notation", [leaf(ROOT, names(x509.IPAddress(ip_address("2001:db8::1"))))], "2001:DB8:0:0::1"),
    ("several names", [leaf(ROOT, names("b.example", HOST, ADDRESS))], HOST),
    ("intermediate", [leaf(MIDDLE), MIDDLE], HOST),
    ("intermediates in disorder", [leaf(MIDDLE), STRANGER, RSA_MIDDLE, MIDDLE], HOST),
    ("two intermediates of one name", [leaf(MIDDLE), FORGED_MIDDLE, MIDDLE], HOST),
    ("RSA", [leaf(RSA_MIDDLE, key=RSA_KEY), RSA_MIDDLE], HOST),
    ("Ed25519", [leaf(key=ed25519.Ed25519PrivateKey.generate())], HOST),
    ("permitted name", constrained(permitted=[x509.DNSName("example")]), HOST),
    ("key usage and purpose", [leaf(ROOT, usage("digital_signature"), purposes(Purpose.SERVER_AUTH))], HOST),
    ("unknown extension", [leaf(ROOT, unknown(critical=False))], HOST),
]  # fmt: skip


@pytest.mark.parametrize(("what", "chain", "host"), GOOD, ids=[row[0] for row in GOOD])
def test_accepted(what: str, chain: Sequence[Any], host: str) -> None:
    verify(chain, host)


BAD_CLIENTS = [
    ("for servers", [leaf(ROOT, purposes(Purpose.SERVER_AUTH))], "unsupported_certificate", "not meant for this use"),
    ("stranger", [leaf(STRANGER)], "unknown_ca", "CN=stranger is not trusted"),
    ("expired", [leaf(days=0.1)], "certificate_expired", "expired on"),
    ("weak key", [leaf(key=WEAK_KEY)], "bad_certificate", "RSA key"),
    ("key for encryption only", [leaf(ROOT, usage("key_encipherment"))], "unsupported_certificate", "key usage"),
    ("issuer without CA", under(ca=False), "bad_certificate", "not that of an authority"),
    ("signed with SHA-1", signed_with(5, SHA1_INFO, hashes.SHA1()), "bad_certificate", "sha1"),
    ("point not on the curve", edited(POINT, POINT_BYTES, bytes(32)), "bad_certificate", "cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "chain", "alert", "reason"), BAD_CLIENTS, ids=[row[0] for row in BAD_CLIENTS]
)
def test_refused_clients(what: str, chain: Sequence[Any], alert: str, reason: str) -> None:
    with pytest.raises(LocalAlert) as refused:
        verify(chain, None)

    assert alert == alert_name(refused.value.description), str(refused.value)
    assert reason in refused.value.reason


def test_internationalized_host(make_duo: Callable[..., Any], authority: Any) -> None:  # RFC 5890 §2.3.2.1
    chain = authority.issue(["xn--bcher-kva.example"])
    duo = make_duo({}, {"certs": chain}, {"server_name": "b\u00fccher.example"}).run()

    assert "xn--bcher-kva.example" == duo.server_info.server_name
    with pytest.raises(ValueError):
        make_duo(client_args={"server_name": "\u00fc" * 70 + ".example"})


@pytest.mark.parametrize(
    "row",
    [row for row in BAD if row[0] in ("point not on the curve", "extension twice", "name that is not ASCII")],
    ids=lambda row: row[0],
)
def test_fields_that_cannot_be_read_end_a_handshake_with_an_alert(
    make_duo: Callable[..., Any], row: Any
) -> None:
    """Such a certificate used to leave the handshake with a ValueError, as its fields are parsed late."""
    from qtls.constants import CERTIFICATE, COMPRESSED_CERTIFICATE
    from qtls.messages.certificate import Certificate

    encoded = row[1][0].encoded

    def tamper(sender: str, level: Any, raw: bytes) -> bytes:
        if raw[0] in (CERTIFICATE, COMPRESSED_CERTIFICATE):
            return Certificate([encoded]).encode()
        return raw

    for trust in (Roots(load_certificates([ROOT.encoded])), SpkiPins("A" * 43 + "="), Pinning(encoded)):
        with pytest.raises(LocalAlert):
            make_duo({"ca": trust}, client_args={"server_name": HOST}).run(tamper)
    with pytest.raises(LocalAlert):
        make_duo({"verify": False}, client_args={"server_name": HOST}).run(tamper)


class Pinning:
    """Trusts one certificate, whatever is in it."""

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded

    def roots(self) -> None:
        return None

    def trusts(self, certificate: bytes) -> bool:
        return certificate == self.encoded
