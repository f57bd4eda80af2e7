"""Names in certificates and whether they match a host.

RFC 9525 §6, RFC 5280 §4.2.1.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from cryptography import x509

__all__ = ["Address", "address_of", "ascii_host", "matches", "matches_dns_name", "names_of"]

Address: TypeAlias = "IPv4Address | IPv6Address"


def address_of(name: str) -> Address | None:
    """``name`` as an IP address, in brackets or not, or None when it is a DNS name."""
    # An IPv6 address has a colon and an IPv4 address ends in a digit; to find out by parsing costs more than a hash.
    if ":" not in name and not name[-1:].isdigit():
        return None
    from ipaddress import ip_address

    try:
        return ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return None


def ascii_host(name: str) -> str:
    """A host name with its internationalized labels as A-labels, RFC 5890 §2.3.2.1.

    With the rules of Python's own name resolution (RFC 3490), so that the name that is resolved is the name verified.

    Raises:
        ValueError: it cannot be a host name.
    """
    return name if name.isascii() else name.encode("idna").decode("ascii")


def names_of(certificate: x509.Certificate) -> tuple[list[str], list[Address]]:
    """DNS names and addresses in the subject alternative names; the common name does not count (RFC 9525 §2).

    A certificate whose extensions cannot be read has no names.
    """
    from cryptography import x509  # takes longer to load than all of TLS, and hosts have names without it

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = [each for each in names.get_values_for_type(x509.IPAddress) if hasattr(each, "packed")]
        return names.get_values_for_type(x509.DNSName), addresses  # type: ignore[return-value]
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return [], []


def matches_dns_name(pattern: str, name: str) -> bool:
    """Whether a DNS name in a certificate covers a host name.

    A wildcard is the whole left-most label and stands for exactly one label. RFC 9525 §6.3.
    """
    pattern = pattern.rstrip(".").lower()
    name = name.rstrip(".").lower()
    if pattern == name:
        return bool(name)
    if not pattern.startswith("*.") or pattern.count(".") < 2:
        return False
    first, dot, rest = name.partition(".")
    return bool(first) and bool(dot) and rest == pattern[2:]


def matches(certificate: x509.Certificate, host: str) -> bool:
    """Whether a certificate names ``host``, a DNS name or an address."""
    dns_names, addresses = names_of(certificate)
    address = address_of(host)
    if address is not None:
        return address in addresses
    return any(matches_dns_name(pattern, host) for pattern in dns_names)
