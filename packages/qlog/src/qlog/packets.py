"""Packet headers, raw information and tokens as qlog objects.

Nothing is logged in full that a peer chose the length of, and no secret at all: bytes are told by their length
and at most a short prefix. quic-events-12 §8.
"""

from typing import Final

from qwire.constants import PacketType

PREFIX_SIZE: Final = 8  # bytes shown of a value, and only if it is at least twice as long
VALUE_SIZE: Final = 32  # bytes shown of a transport parameter that is not known
TEXT_SIZE: Final = 256  # characters of a text that a peer chose

PACKET_TYPES: Final = {
    PacketType.INITIAL: "initial",
    PacketType.HANDSHAKE: "handshake",
    PacketType.ZERO_RTT: "0RTT",
    PacketType.ONE_RTT: "1RTT",
    PacketType.RETRY: "retry",
    PacketType.VERSION_NEGOTIATION: "version_negotiation",
}
SPACES: Final = ("initial", "handshake", "application_data")
PACKET_TYPE_OF_SPACE: Final = ("initial", "handshake", "1RTT")


def header_of(
    packet_type: PacketType,
    packet_number: int | None,
    version: int,
    destination_cid: bytes,
    source_cid: bytes,
) -> dict[str, object]:
    """A PacketHeader. quic-events-12 §8.9; the connection ID of a 1-RTT packet is left out, as it allows."""
    header: dict[str, object] = {"packet_type": PACKET_TYPES[packet_type]}
    if packet_number is not None:
        header["packet_number"] = packet_number
    if packet_type is not PacketType.ONE_RTT:
        header["version"] = version_text(version)
        header["scid"] = source_cid.hex()
        header["dcid"] = destination_cid.hex()
    return header


def version_text(version: int) -> str:
    """A QuicVersion: 8 hexadecimal digits. quic-events-12 §8.1."""
    return f"{version:08x}"


def raw_of(data: bytes) -> dict[str, object]:
    """A RawInfo of bytes: their length, and the first ones of a long value. main-schema-14 §10."""
    raw: dict[str, object] = {"length": len(data)}
    if len(data) >= 2 * PREFIX_SIZE:
        raw["data"] = data[:PREFIX_SIZE].hex()
    return raw


def token_of(token: bytes) -> dict[str, object]:
    """A Token. quic-events-12 §8.10."""
    return {"raw": raw_of(token)}


def text_of(text: str) -> str:
    """A text, cut if it is long."""
    return text if len(text) <= TEXT_SIZE else text[:TEXT_SIZE] + "…"
