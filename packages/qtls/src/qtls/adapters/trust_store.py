"""The roots of this machine, of a file, or of a folder.

Contents are parsed once and kept until the file changes. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` come first, as with
OpenSSL; then the places where systems keep their bundle; then certifi, if it is installed.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import lru_cache
from typing import Final, TypeAlias

from ..trust import Roots, TrustStore, parse_pem, roots_from_pem

__all__ = ["Trust", "load_roots", "resolve_trust", "system_roots"]

Trust: TypeAlias = str | os.PathLike[str] | bytes | TrustStore | None

BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/tls/cacert.pem",  # OpenELEC
    "/etc/ssl/cert.pem",  # Alpine, macOS, FreeBSD
)


def resolve_trust(ca: Trust) -> TrustStore:
    """What ``ca`` stands for: a path, PEM or DER bytes, a trust store, or None for the roots of the system.

    Raises:
        OSError: a file cannot be read, or the system has no roots.
        ValueError: no certificate in it.
    """
    if ca is None:
        return system_roots()
    if isinstance(ca, bytes):
        return roots_from_pem(ca)
    if isinstance(ca, str | os.PathLike):
        return load_roots(ca)
    return ca


def load_roots(path: str | os.PathLike[str]) -> Roots:
    """The roots in a file (PEM bundle or DER) or in the files of a folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no certificate.
    """
    name = os.fspath(path)
    status = os.stat(name)
    return _load(name, status.st_mtime_ns, status.st_size)


def system_roots() -> Roots:
    """The roots this machine trusts.

    Raises:
        OSError: none were found, or a place named by the environment cannot be read.
    """
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        name = os.environ.get(variable)
        if name:
            return load_roots(name)
    for name in BUNDLES:
        if os.path.isfile(name):
            return load_roots(name)
    if sys.platform == "win32":
        return _windows_roots()
    try:
        certifi = importlib.import_module("certifi")
    except ModuleNotFoundError:
        raise FileNotFoundError("no trusted roots found: set SSL_CERT_FILE, or install certifi") from None
    where: str = certifi.where()
    return load_roots(where)


@lru_cache(maxsize=16)
def _load(name: str, modified_ns: int, size: int) -> Roots:
    if not os.path.isdir(name):
        with open(name, "rb") as file:
            return roots_from_pem(file.read())
    found = []
    for entry in sorted(os.scandir(name), key=lambda each: each.name):
        if entry.is_file() and entry.name.endswith((".pem", ".crt", ".cer", ".0")):
            with open(entry.path, "rb") as file:
                found.extend(parse_pem(file.read()))
    if not found:
        raise ValueError(f"no certificates in {name}")
    return Roots(found)


@lru_cache(maxsize=1)
def _windows_roots() -> Roots:
    from cryptography import x509

    enumerate_certificates = importlib.import_module("ssl").enum_certificates
    found = []
    for data, encoding, trust in enumerate_certificates("ROOT"):
        if encoding == "x509_asn" and (trust is True or "1.3.6.1.5.5.7.3.1" in trust):
            try:
                found.append(x509.load_der_x509_certificate(data))
            except ValueError:
                continue
    return Roots(found)
