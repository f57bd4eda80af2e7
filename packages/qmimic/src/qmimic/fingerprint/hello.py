"""A ClientHello as an observer sees it: every field and extension, in the order of the wire.

More tolerant than a server: what an extension says is kept even where no server would accept it. RFC 8446
§4.1.2.
"""

from typing import Final, final

from qwire.buffer import Reader
from qwire.errors import DecodeError

CLIENT_HELLO: Final = 1
RANDOM_SIZE: Final = 32
HOST_NAME: Final = 0

SERVER_NAME: Final = 0
SUPPORTED_GROUPS: Final = 10
EC_POINT_FORMATS: Final = 11
SIGNATURE_ALGORITHMS: Final = 13
ALPN: Final = 16
COMPRESS_CERTIFICATE: Final = 27
RECORD_SIZE_LIMIT: Final = 28
SUPPORTED_VERSIONS: Final = 43
PSK_KEY_EXCHANGE_MODES: Final = 45
KEY_SHARE: Final = 51
QUIC_TRANSPORT_PARAMETERS: Final = 57

# RFC 8446 limits a list of extensions to 65,535 bytes; at 4 bytes each this bound is never met by clients.
MAX_EXTENSIONS: Final = 256


@final
class ObservedHello:
    """A parsed ClientHello. Lists keep their order and their reserved values; an absent one is empty."""

    __slots__ = (
        "alpn",
        "certificate_compression",
        "cipher_suites",
        "compression_methods",
        "extensions",
        "groups",
        "key_shares",
        "legacy_version",
        "point_formats",
        "psk_modes",
        "random",
        "record_size_limit",
        "server_name",
        "session_id",
        "signature_algorithms",
        "supported_versions",
        "transport_parameters",
    )

    def __init__(self) -> None:
        self.legacy_version = 0
        self.random = b""
        self.session_id = b""
        self.cipher_suites: list[int] = []
        self.compression_methods = b""
        self.extensions: list[tuple[int, bytes]] = []
        self.server_name: str | None = None
        self.groups: list[int] = []
        self.point_formats = b""
        self.signature_algorithms: list[int] = []
        self.alpn: list[bytes] = []
        self.key_shares: list[tuple[int, bytes]] = []
        self.psk_modes = b""
        self.supported_versions: list[int] = []
        self.certificate_compression: list[int] = []
        self.record_size_limit: int | None = None
        self.transport_parameters: bytes | None = None

    def body(self, extension: int) -> bytes | None:
        """Body of the first extension with this id."""
        for identifier, body in self.extensions:
            if identifier == extension:
                return body
        return None

    @property
    def extension_ids(self) -> list[int]:
        return [identifier for identifier, _ in self.extensions]


def parse_client_hello(message: bytes) -> ObservedHello:
    """Read a ClientHello with its handshake header.

    Raises:
        DecodeError: truncated, not a ClientHello, or a length that contradicts another.
    """
    reader = Reader(message)
    if reader.read_uint8() != CLIENT_HELLO:
        raise DecodeError("not a ClientHello")
    if reader.read_uint24() != reader.remaining():
        raise DecodeError("ClientHello length differs from its bytes")
    hello = ObservedHello()
    hello.legacy_version = reader.read_uint16()
    hello.random = reader.read_bytes(RANDOM_SIZE)
    hello.session_id = reader.read_bytes(reader.read_uint8())
    hello.cipher_suites = uint16s(reader.read_bytes(reader.read_uint16()))
    hello.compression_methods = reader.read_bytes(reader.read_uint8())
    if reader.at_end():
        return hello
    if reader.read_uint16() != reader.remaining():
        raise DecodeError("length of extensions differs from their bytes")
    while not reader.at_end():
        if len(hello.extensions) >= MAX_EXTENSIONS:
            raise DecodeError(f"more than {MAX_EXTENSIONS} extensions")
        identifier = reader.read_uint16()
        body = reader.read_bytes(reader.read_uint16())
        hello.extensions.append((identifier, body))
        read_extension(hello, identifier, body)
    return hello


def read_extension(hello: ObservedHello, identifier: int, body: bytes) -> None:
    """Store what one extension says."""
    reader = Reader(body)
    if identifier == SERVER_NAME:
        hello.server_name = read_host_name(reader)
    elif identifier == SUPPORTED_GROUPS:
        hello.groups = uint16s(reader.read_bytes(reader.read_uint16()))
    elif identifier == EC_POINT_FORMATS:
        hello.point_formats = reader.read_bytes(reader.read_uint8())
    elif identifier == SIGNATURE_ALGORITHMS:
        hello.signature_algorithms = uint16s(reader.read_bytes(reader.read_uint16()))
    elif identifier == ALPN:
        names = Reader(reader.read_bytes(reader.read_uint16()))
        while not names.at_end():
            hello.alpn.append(names.read_bytes(names.read_uint8()))
    elif identifier == KEY_SHARE:
        shares = Reader(reader.read_bytes(reader.read_uint16()))
        while not shares.at_end():
            group = shares.read_uint16()
            hello.key_shares.append((group, shares.read_bytes(shares.read_uint16())))
    elif identifier == PSK_KEY_EXCHANGE_MODES:
        hello.psk_modes = reader.read_bytes(reader.read_uint8())
    elif identifier == SUPPORTED_VERSIONS:
        hello.supported_versions = uint16s(reader.read_bytes(reader.read_uint8()))
    elif identifier == COMPRESS_CERTIFICATE:
        hello.certificate_compression = uint16s(reader.read_bytes(reader.read_uint8()))
    elif identifier == RECORD_SIZE_LIMIT:
        hello.record_size_limit = reader.read_uint16()
    elif identifier == QUIC_TRANSPORT_PARAMETERS:
        hello.transport_parameters = body


def read_host_name(reader: Reader) -> str | None:
    """The first host name of a server_name body. RFC 6066 §3."""
    if reader.at_end():
        return None
    names = Reader(reader.read_bytes(reader.read_uint16()))
    while not names.at_end():
        kind = names.read_uint8()
        name = names.read_bytes(names.read_uint16())
        if kind == HOST_NAME:
            return name.decode("ascii", "backslashreplace")
    return None


def uint16s(data: bytes) -> list[int]:
    """Big-endian 16-bit integers, back to back.

    Raises:
        DecodeError: an odd number of bytes.
    """
    if len(data) % 2:
        raise DecodeError(f"{len(data)} bytes are not a list of 16-bit values")
    return [data[index] << 8 | data[index + 1] for index in range(0, len(data), 2)]


def pack_uint16s(values: list[int]) -> bytes:
    """The inverse of `uint16s`."""
    return b"".join(value.to_bytes(2, "big") for value in values)
