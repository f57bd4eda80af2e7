"""A certificate authority of the tests' own, and a leaf for the names of the loopback, as files."""

from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from qtls.adapters.self_signed import make_certificate


class Certificates(NamedTuple):
    """PEM files, and the hash of the leaf's public key as Chromium's command line takes it."""

    authority: Path
    chain: Path
    key: Path
    spki_hash: str


def make_certificates(folder: Path) -> Certificates:
    """Write a new authority, leaf and key into the folder."""
    made = make_certificate()
    leaf = made.chain.leaf.public_bytes(Encoding.PEM)
    files = Certificates(folder / "authority.pem", folder / "chain.pem", folder / "key.pem", made.spki_sha256)
    files.authority.write_bytes(made.ca_pem)
    files.chain.write_bytes(leaf + made.ca_pem)
    files.key.write_bytes(made.chain.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files
