"""Certificate chains and key logs in files."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..certificates import CertificateChain

__all__ = ["KeyLogFile", "load_certificate_chain"]


def load_certificate_chain(
    certificates: str | os.PathLike[str],
    key: str | os.PathLike[str] | None = None,
    password: bytes | None = None,
) -> CertificateChain:
    """Read a PEM chain, leaf first, and its PEM private key; both may be in one file.

    Raises:
        OSError: a file cannot be read.
        ValueError: not PEM, no certificate, or a key that does not belong to the leaf.
    """
    with open(certificates, "rb") as file:
        chain = file.read()
    if key is None:
        return CertificateChain.from_pem(chain, chain, password)
    with open(key, "rb") as file:
        return CertificateChain.from_pem(chain, file.read(), password)


class KeyLogFile:
    """A line sink that appends to a file, as ``SSLKEYLOGFILE`` asks; use it as ``keylog`` of a configuration."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    def __call__(self, line: str) -> None:
        """Append one line; readers such as Wireshark see whole lines."""
        # 0o600: whoever reads this file reads the traffic.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("ascii") + b"\n")
        finally:
            os.close(descriptor)

    @classmethod
    def from_environment(cls) -> Callable[[str], None] | None:
        """The sink ``SSLKEYLOGFILE`` names, or None."""
        path = os.environ.get("SSLKEYLOGFILE")
        return cls(path) if path else None

    def __repr__(self) -> str:
        return f"KeyLogFile({self.path!r})"
