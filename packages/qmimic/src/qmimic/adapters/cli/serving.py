"""What `qmimic serve` and `qmimic demo` have in common: a certificate, and where it lies."""

from dataclasses import dataclass
from pathlib import Path

from qtls.adapters.files import load_certificate_chain
from qtls.adapters.self_signed import make_certificate
from qtls.certificates import CertificateChain

from .errors import Failure


@dataclass(frozen=True, slots=True)
class Identity:
    """A server's certificate; the two last are set for one that was made here."""

    chain: CertificateChain
    authority: Path | None = None
    spki_sha256: str | None = None


def load_identity(certificate: Path, key: Path | None) -> Identity:
    """The certificate of these files."""
    try:
        return Identity(load_certificate_chain(certificate, key))
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise Failure(f"{certificate}: {error}") from None


def make_identity(names: list[str], folder: Path) -> Identity:
    """A fresh certificate for `names`; what clients have to trust is written to `folder`."""
    made = make_certificate(names)
    authority = folder / "ca.pem"
    authority.write_bytes(made.ca_pem)
    return Identity(made.chain, authority, made.spki_sha256)
