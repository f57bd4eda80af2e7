"""Names in certificates, RFC 9525 §6."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from qtls.adapters.self_signed import Authority
from qtls.names import address_of, matches, matches_dns_name, names_of


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("a.example", "a.example", True),
        ("A.Example", "a.eXample", True),
        ("a.example", "a.example.", True),
        ("a.example", "b.example", False),
        ("*.a.example", "x.a.example", True),
        ("*.a.example", "a.example", False),
        ("*.a.example", "x.y.a.example", False),
        ("*.a.example", ".a.example", False),
        ("*.example", "a.example", False),  # a whole top-level domain
        ("*", "example", False),
        ("*", "", False),
        ("", "", False),
        ("x*.a.example", "xy.a.example", False),  # partial wildcards are gone
        ("a.*.example", "a.b.example", False),
        ("*.*.example", "a.b.example", False),
    ],
)
def test_dns_names(pattern: str, name: str, expected: bool) -> None:
    assert expected is matches_dns_name(pattern, name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("a.example", None),
        ("1.2.3", None),
    ],
)
def test_addresses(text: str, expected: str | None) -> None:
    assert (None if expected is None else ip_address(expected)) == address_of(text)


def test_names_of_a_certificate(authority: Authority) -> None:
    leaf = authority.issue(["a.example", "*.b.example", "127.0.0.1", "::1"]).leaf

    assert (["a.example", "*.b.example"], [ip_address("127.0.0.1"), ip_address("::1")]) == names_of(leaf)
    for host in ("a.example", "x.b.example", "127.0.0.1", "::1", "[::1]"):
        assert matches(leaf, host)
    for host in ("b.example", "127.0.0.2", "a.example.evil"):
        assert not matches(leaf, host)


def test_the_common_name_does_not_count(authority: Authority) -> None:  # RFC 9525 §2
    assert ([], []) == names_of(authority.certificate)
    assert not matches(authority.certificate, "test authority")
