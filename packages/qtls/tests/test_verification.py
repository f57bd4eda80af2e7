"""Verification of chains: what is accepted, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from qtls import LocalAlert
from qtls.adapters.self_signed import Authority
from qtls.constants import alert_name
from qtls.trust import Roots
from qtls.verification import load_certificates, verify_client, verify_server

NOW = 1_790_000_000.0
START = datetime.fromtimestamp(NOW, UTC) - timedelta(days=1)


class Node:
    """A certificate to sign others with."""

    def __init__(
        self,
        name: str,
        issuer: Node | None = None,
        *,
        names: Sequence[str] = (),
        ca: bool = True,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        days: float = 30,
        start: datetime = START,
        key: Any = None,
        path_length: int | None = None,
    ) -> None:
        self.key: Any = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        above = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(above.name)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .public_key(self.key.public_key())
            .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key()), critical=False
            )
        )
        if ca:
            builder = builder.add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False
            )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        self.certificate = builder.sign(above.key, hashes.SHA256())
        self.encoded = self.certificate.public_bytes(Encoding.DER)


def usage(*, sign: bool) -> tuple[x509.KeyUsage, bool]:
    return x509.KeyUsage(not sign, False, False, False, False, sign, sign, False, False), True


def verify(chain: Sequence[Node], root: Node, host: str = "a.example", now: float = NOW) -> None:
    encoded = [node.encoded for node in chain]
    verify_server(encoded, load_certificates(encoded), host, Roots([root.certificate]), now)


ROOT = Node("root", extensions=[usage(sign=True)])
INTERMEDIATE = Node("intermediate", ROOT, extensions=[usage(sign=True)])
LEAF = Node("leaf", INTERMEDIATE, names=["a.example"], ca=False)


def test_chain_with_an_intermediate() -> None:
    verify([LEAF, INTERMEDIATE], ROOT)
    verify([LEAF, INTERMEDIATE, ROOT], ROOT)
    verify([LEAF, Node("bystander"), INTERMEDIATE], ROOT)


def test_a_remembered_chain_is_still_checked_against_time_and_name() -> None:
    encoded = [LEAF.encoded, INTERMEDIATE.encoded]
    loaded = load_certificates(encoded)
    roots = Roots([ROOT.certificate])
    for _ in range(2):
        verify_server(encoded, loaded, "a.example", roots, NOW)
    for host, now, chain in (
        ("b.example", NOW, encoded),
        ("a.example", NOW + 40 * 86_400, encoded),
        ("a.example", NOW - 2 * 86_400, encoded),
        ("a.example", NOW, encoded[:1]),
    ):
        with pytest.raises(LocalAlert):
            verify_server(chain, load_certificates(chain), host, roots, now)
    with pytest.raises(LocalAlert, match="unknown_ca"):
        verify_server(encoded, loaded, "a.example", Roots([Node("other").certificate]), NOW)


def test_a_remembered_chain_ends_with_its_shortest_certificate() -> None:
    short = Node("short lived", ROOT, days=2, extensions=[usage(sign=True)])
    chain = [under(short), short]
    encoded = [node.encoded for node in chain]
    roots = Roots([ROOT.certificate])

    verify_server(encoded, load_certificates(encoded), "a.example", roots, NOW)
    with pytest.raises(LocalAlert, match="CN=short lived expired"):
        verify_server(encoded, load_certificates(encoded), "a.example", roots, NOW + 1.5 * 86_400)


def test_intermediate_as_trust_anchor() -> None:
    verify([LEAF], INTERMEDIATE)


def test_authority_without_key_usage() -> None:
    private = Node("private")

    verify([Node("leaf", private, names=["a.example"], ca=False)], private)


def test_named_certificate_is_its_own_authority() -> None:
    own = Node("own", names=["a.example"])

    verify([own], own)
    with pytest.raises(LocalAlert, match="name mismatch"):
        verify([own], own, "b.example")
    with pytest.raises(LocalAlert, match="expired"):
        verify([own], own, now=NOW + 31 * 86_400)


NARROW = Node(
    "narrow",
    ROOT,
    extensions=[usage(sign=True), (x509.NameConstraints([x509.DNSName("other.example")], None), True)],
)
NO_SIGNER = Node("no signer", ROOT, extensions=[usage(sign=False)])
NO_CA = Node("no authority", ROOT, ca=False, names=["x.example"])
SHORT = Node("short", ROOT, path_length=0, extensions=[usage(sign=True)])
BELOW_SHORT = Node("below", SHORT, extensions=[usage(sign=True)])
OLD = Node("old", ROOT, days=0.5, extensions=[usage(sign=True)])
FUTURE = START + timedelta(days=10)
CLIENT_USAGE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)


def under(issuer: Node, **kw: Any) -> Node:
    return Node("leaf", issuer, names=["a.example"], ca=False, **kw)


@pytest.mark.parametrize(
    ("chain", "host", "alert", "reason"),
    [
        pytest.param([LEAF], "a.example", "unknown_ca", "CN=intermediate is not trusted", id="intermediate missing"),
        pytest.param([LEAF, INTERMEDIATE], "b.example", "bad_certificate", "is for a.example, not for b.example", id="name"),
        pytest.param([LEAF, INTERMEDIATE], "127.0.0.1", "bad_certificate", "not for 127.0.0.1", id="address"),
        pytest.param([LEAF, INTERMEDIATE], "*.example", "bad_certificate", "name mismatch", id="no host name"),
        pytest.param([LEAF, INTERMEDIATE], "\u00e4.example", "bad_certificate", "name mismatch", id="not ASCII"),
        pytest.param([Node("self", names=["a.example"], ca=False)], "a.example", "unknown_ca", "self-signed", id="self-signed"),
        pytest.param([under(NARROW), NARROW], "a.example", "bad_certificate", "CN=narrow has name constraints", id="name constraints"),
        pytest.param([under(NO_SIGNER), NO_SIGNER], "a.example", "bad_certificate", "CN=no signer is that of an authority that may not sign", id="issuer may not sign"),
        pytest.param([under(NO_CA), NO_CA], "a.example", "bad_certificate", "CN=no authority is not that of an authority", id="issuer is no authority"),
        pytest.param([under(BELOW_SHORT), BELOW_SHORT, SHORT], "a.example", "bad_certificate", "CN=short permits a path length of 0", id="path too long"),
        pytest.param([under(OLD), OLD], "a.example", "certificate_expired", "CN=old expired on", id="intermediate expired"),
        pytest.param([under(ROOT, days=0.5)], "a.example", "certificate_expired", "CN=leaf expired on", id="expired"),
        pytest.param([under(ROOT, start=FUTURE)], "a.example", "certificate_expired", "not valid before", id="future"),
        pytest.param([under(ROOT, extensions=[CLIENT_USAGE])], "a.example", "unsupported_certificate", "not meant", id="usage"),
        pytest.param([Node("leaf", ROOT, ca=False)], "a.example", "bad_certificate", "is for no name", id="common name only"),
        pytest.param([under(ROOT, key=rsa.generate_private_key(65537, 1024))], "a.example", "bad_certificate", "RSA key", id="weak key"),
    ],
)  # fmt: skip
def test_refused_chains(chain: list[Node], host: str, alert: str, reason: str) -> None:
    with pytest.raises(LocalAlert) as refused:
        verify(chain, ROOT, host)

    assert alert == alert_name(refused.value.description), str(refused.value)
    assert reason in refused.value.reason
    assert "\n" not in refused.value.reason and "<" not in refused.value.reason


def test_clients() -> None:
    roots = Roots([ROOT.certificate])
    good = Node("client", ROOT, ca=False, names=["c.example"], extensions=[CLIENT_USAGE])
    verify_client([good.encoded], [good.certificate], roots, NOW)
    verify_client([good.encoded], [good.certificate], Roots([good.certificate]), NOW)
    with pytest.raises(LocalAlert, match="expired"):
        verify_client([good.encoded], [good.certificate], Roots([good.certificate]), NOW + 90 * 86_400)
    with pytest.raises(LocalAlert, match="unknown_ca"):
        verify_client([LEAF.encoded], [LEAF.certificate], roots, NOW)


def test_no_roots(authority: Authority) -> None:
    class Nothing:
        def roots(self) -> None:
            return None

        def trusts(self, certificate: bytes) -> bool:
            return False

    with pytest.raises(LocalAlert, match="unknown_ca: .* no roots are trusted"):
        verify_server([LEAF.encoded], [LEAF.certificate], "a.example", Nothing(), NOW)
    with pytest.raises(LocalAlert, match="unknown_ca: .* no roots are trusted"):
        verify_client([LEAF.encoded], [LEAF.certificate], Nothing(), NOW)


def test_bounds_of_a_chain() -> None:
    assert (LEAF.certificate,) == load_certificates([LEAF.encoded])
    with pytest.raises(LocalAlert, match="a chain of 17 certificates"):
        load_certificates([LEAF.encoded] * 17)
    with pytest.raises(LocalAlert, match="cannot be parsed"):
        load_certificates([LEAF.encoded, LEAF.encoded[:-1]])
