"""Chains with their keys: parsing, matching, pickling, and the throw-away ones."""

from __future__ import annotations

import hashlib
import pickle
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from qtls import CertificateChain, load_certificate_chain
from qtls.adapters.self_signed import Authority, make_certificate
from qtls.certificates import spki_sha256
from qtls.signatures import schemes_of


def test_pem_and_back(chain: CertificateChain) -> None:
    again = CertificateChain.from_pem(chain.certificate_pem(), chain.key_pem())

    assert chain == again
    assert hash(chain) == hash(again)
    assert chain.key_bytes() == again.key_bytes()
    assert chain == CertificateChain.from_pem(*[chain.certificate_pem() + chain.key_pem()] * 2)


def test_files(chain: CertificateChain, tmp_path: Path) -> None:
    certificate, key, both = tmp_path / "c.pem", tmp_path / "k.pem", tmp_path / "both.pem"
    certificate.write_bytes(chain.certificate_pem())
    key.write_bytes(chain.key_pem())
    both.write_bytes(chain.key_pem() + chain.certificate_pem())

    assert chain == load_certificate_chain(certificate, key) == load_certificate_chain(str(both))
    with pytest.raises(FileNotFoundError):
        load_certificate_chain(tmp_path / "missing.pem")
    with pytest.raises(ValueError, match="PEM"):
        load_certificate_chain(key, key)


def test_pickle_keeps_the_key(chain: CertificateChain) -> None:
    stapled = CertificateChain(chain.certificates, chain.key, ocsp_response=b"o", sct_list=b"s")
    again = pickle.loads(pickle.dumps(stapled))

    assert stapled == again != chain
    assert (b"o", b"s", chain.key_bytes()) == (again.ocsp_response, again.sct_list, again.key_bytes())


def test_refuses_what_does_not_fit(chain: CertificateChain, leaf_keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        CertificateChain((), chain.key)
    with pytest.raises(ValueError, match="does not belong"):
        CertificateChain(chain.certificates, leaf_keys["p256"])
    with pytest.raises(ValueError, match="does not belong"):
        CertificateChain(chain.certificates, leaf_keys["rsa"])
    with pytest.raises(ValueError, match="no signatures on curve secp256k1"):
        CertificateChain(chain.certificates, ec.generate_private_key(ec.SECP256K1()))
    key: Any = dsa.generate_private_key(2048)
    with pytest.raises(ValueError, match="no signatures with DSA"):
        schemes_of(key)


def test_key_is_not_shown(chain: CertificateChain) -> None:
    assert "CertificateChain('CN=server.example', 1 certificates)" == repr(chain)


def test_names(authority: Authority) -> None:
    chain = authority.issue(["a.example", "*.b.example"])

    assert chain.is_for("a.example") and chain.is_for("x.b.example")
    assert not chain.is_for("b.example")


def test_throw_away_certificate() -> None:
    made = make_certificate(["localhost", "127.0.0.1", "::1"])
    leaf = made.chain.leaf
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    key = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert timedelta(days=12) == lifetime  # Chromium pins nothing that lives longer than 14 days
    assert abs(datetime.now(UTC) - leaf.not_valid_before_utc) < timedelta(hours=2)
    assert b64encode(hashlib.sha256(key).digest()).decode() == made.spki_sha256 == spki_sha256(leaf)
    assert made.ca_pem.startswith(b"-----BEGIN CERTIFICATE-----")
