"""Reserved values that are sent so that peers learn to ignore the unknown.

One rule for each kind of code point: how to draw one, how to recognise one. RFC 8701 (TLS), RFC 9000 §15
(versions) and §18.1 (transport parameters), RFC 9114 §7.2.4.1 and §7.2.8 (HTTP/3 settings and frames).
"""

from typing import Final

from .randomness import RandomBytes, below

#: What every TLS value of RFC 8701 is folded to in fingerprints.
CANONICAL: Final = 0x0A0A
#: What every reserved transport parameter id is folded to in fingerprints.
CANONICAL_PARAMETER: Final = 27

VERSION_MASK: Final = 0x0F0F0F0F
VERSION_PATTERN: Final = 0x0A0A0A0A
MAX_VARINT: Final = (1 << 62) - 1
PSK_MODES: Final = frozenset((0x0B, 0x2A, 0x49, 0x68, 0x87, 0xA6, 0xC5, 0xE4))  # RFC 8701 §2


def is_tls_value(value: int) -> bool:
    """Whether a cipher suite, group, extension or version is one of the sixteen of RFC 8701 §2."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


def tls_value(random: RandomBytes) -> int:
    """One of the sixteen 16-bit values of RFC 8701 §2."""
    return 0x0A0A + 0x1010 * below(random, 16)


def fold_tls(value: int) -> int:
    """`value`, or 0x0a0a for any reserved one."""
    return CANONICAL if is_tls_value(value) else value


def is_version(version: int) -> bool:
    """Whether a QUIC version has the form 0x?a?a?a?a."""
    return version & VERSION_MASK == VERSION_PATTERN


def version(random: RandomBytes) -> int:
    """A QUIC version that forces version negotiation: 0x?a?a?a?a."""
    return int.from_bytes(random(4), "big") & ~VERSION_MASK & 0xFFFFFFFF | VERSION_PATTERN


def is_parameter(parameter_id: int) -> bool:
    """Whether a transport parameter id has the form 31 * N + 27."""
    return parameter_id % 31 == 27


def parameter_id(random: RandomBytes, bits: int = 0) -> int:
    """A transport parameter id 31 * N + 27, uniform below 2^62, or with an N of this many random bits."""
    limit = 1 << bits if bits else (MAX_VARINT - 27) // 31 + 1
    return 31 * below(random, limit) + 27


def fold_parameter(parameter_id: int) -> int:
    """`parameter_id`, or 27 for any reserved one."""
    return CANONICAL_PARAMETER if is_parameter(parameter_id) else parameter_id


def is_http3(code: int) -> bool:
    """Whether an HTTP/3 setting, frame or stream type has the form 31 * N + 33."""
    return code >= 33 and code % 31 == 2


def http3_code(random: RandomBytes, bits: int = 32) -> int:
    """An HTTP/3 code 31 * N + 33 with a random N of `bits` bits."""
    return 31 * below(random, 1 << bits) + 33
