"""JA4 over QUIC: one readable part and two truncated SHA-256 hashes of the ClientHello.

Extension order does not count, the order of signature algorithms does.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from ..grease import is_tls_value
from .hello import ALPN, SERVER_NAME, ObservedHello

VERSION_NAMES: Final = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
NOTHING: Final = "000000000000"


@dataclass(frozen=True, slots=True)
class JA4:
    """`value` is the fingerprint, `raw` the same with the lists in place of their hashes."""

    value: str
    raw: str


def ja4(hello: ObservedHello) -> JA4:
    """The fingerprint of one ClientHello that came over QUIC."""
    suites = [value for value in hello.cipher_suites if not is_tls_value(value)]
    extensions = [value for value in hello.extension_ids if not is_tls_value(value)]
    versions = [value for value in hello.supported_versions if not is_tls_value(value)]
    version = VERSION_NAMES.get(max(versions, default=hello.legacy_version), "00")
    reach = "d" if SERVER_NAME in extensions else "i"
    head = f"q{version}{reach}{min(len(suites), 99):02}{min(len(extensions), 99):02}{alpn_part(hello)}"
    suite_list = listed(sorted(suites))
    extension_list = listed(sorted(value for value in extensions if value not in (SERVER_NAME, ALPN)))
    signatures = listed([value for value in hello.signature_algorithms if not is_tls_value(value)])
    tail = f"{extension_list}_{signatures}" if signatures else extension_list
    return JA4(
        f"{head}_{hashed(suite_list)}_{hashed(tail) if extension_list else NOTHING}",
        f"{head}_{suite_list}_{tail}",
    )


def alpn_part(hello: ObservedHello) -> str:
    """First and last character of the first ALPN name, in hexadecimal if they are not letters or digits."""
    if not hello.alpn or not hello.alpn[0]:
        return "00"
    name = hello.alpn[0]
    ends = bytes((name[0], name[-1]))
    if ends.isalnum():
        return ends.decode("ascii")
    return name.hex()[0] + name.hex()[-1]


def listed(values: list[int]) -> str:
    return ",".join(f"{value:04x}" for value in values)


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else NOTHING
