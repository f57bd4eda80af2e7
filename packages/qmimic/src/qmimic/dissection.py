"""A captured connection as plain values: datagrams, packets, frames, ClientHello, for people and for JSON."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from qtls import constants as tls
from qwire.constants import parameter_name
from qwire.dissect import DissectedPacket, dissect
from qwire.errors import DecodeError
from qwire.frames import Frame, StreamFrame
from qwire.transport_parameters import TransportParameters

from . import grease
from .capture import CapturedFlow
from .fingerprint import FlightCollector, ObservedHello, Perk, parse_client_hello, perk
from .keys import VERSIONS, FlowKeys

EXTENSION_NAMES: Final = {
    value: name.removeprefix("EXT_").lower() for name, value in vars(tls).items() if name.startswith("EXT_")
}


def dissect_flow(
    flow: CapturedFlow, secrets: Mapping[str, Mapping[str, bytes]] | None = None
) -> dict[str, Any]:
    """Everything that the keys of `flow` reveal.

    Args:
        secrets: of a key log: client random in hexadecimal → label → secret.
    """
    hellos = list(client_hellos(flow.client_payloads))
    known = dict(flow.secrets)
    for hello in hellos:
        known.update((secrets or {}).get(hello.random.hex(), {}))
    keys = FlowKeys(known)
    datagrams = []
    for datagram in flow.datagrams:
        keys.observe(datagram.data, datagram.from_client)
        packets = dissect(datagram.data, keys.client if datagram.from_client else keys.server)
        datagrams.append(
            {
                "t": datagram.time_ms,
                "dir": "c" if datagram.from_client else "s",
                "size": len(datagram.data),
                "packets": [packet_object(packet) for packet in packets],
            }
        )
    return {
        "about": flow.about,
        "client_hello": [hello_object(hello) for hello in hellos],
        "datagrams": datagrams,
    }


def perk_of(flow: CapturedFlow, secrets: Mapping[str, Mapping[str, bytes]] | None = None) -> Perk | None:
    """The HTTP/3 fingerprint of a connection whose keys are known; None without them.

    Args:
        secrets: of a key log: client random in hexadecimal → label → secret.
    """
    known = dict(flow.secrets)
    for hello in client_hellos(flow.client_payloads):
        known.update((secrets or {}).get(hello.random.hex(), {}))
    if not known:
        return None
    keys = FlowKeys(known)
    frames: dict[bool, list[StreamFrame]] = {True: [], False: []}
    for datagram in flow.datagrams:
        keys.observe(datagram.data, datagram.from_client)
        for packet in dissect(datagram.data, keys.client if datagram.from_client else keys.server):
            found = (frame for frame in packet.frames if isinstance(frame, StreamFrame))
            frames[datagram.from_client].extend(found)
    return perk(frames[True], frames[False])


def client_hellos(datagrams: Iterable[bytes]) -> Iterable[ObservedHello]:
    """The ClientHello of each first flight."""
    collector = FlightCollector(any_packet_number=True, versions=VERSIONS)
    for datagram in datagrams:
        flight = collector.receive(datagram)
        if flight is not None:
            try:
                yield parse_client_hello(flight.client_hello)
            except DecodeError:
                continue


def packet_object(packet: DissectedPacket) -> dict[str, Any]:
    """One packet; what is not known of it is left out."""
    item: dict[str, Any] = {
        "type": packet.packet_type.name.lower() if packet.packet_type else None,
        "size": packet.end - packet.start,
    }
    if packet.version:
        item["version"] = f"0x{packet.version:08x}"
    if packet.packet_type is not None:
        item["dcid"] = packet.destination_cid.hex()
        item["scid"] = packet.source_cid.hex()
    if packet.token:
        item["token"] = packet.token.hex()
    if packet.packet_number is not None:
        item["number"] = packet.packet_number
        item["number_size"] = packet.packet_number_size
        item["frames"] = [frame_object(frame) for frame in packet.frames]
    if packet.key_phase is not None:
        item["key_phase"] = int(packet.key_phase)
        item["spin"] = int(bool(packet.spin))
    if packet.supported_versions:
        item["versions"] = [f"0x{version:08x}" for version in packet.supported_versions]
    if packet.error:
        item["note"] = packet.error
    return item


def frame_object(frame: Frame) -> dict[str, Any]:
    """One frame: its name and its fields, bytes in hexadecimal."""
    item: dict[str, Any] = {"frame": frame_name(frame)}
    for name in frame.FIELDS:
        value = getattr(frame, name)
        item[name] = value.hex() if isinstance(value, bytes) else value
    return item


def frame_name(frame: Frame) -> str:
    """`AckFrame` → `ack`."""
    name = type(frame).__name__.removesuffix("Frame")
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def hello_object(hello: ObservedHello) -> dict[str, Any]:
    """A ClientHello in the order of the wire."""
    return {
        "random": hello.random.hex(),
        "server_name": hello.server_name,
        "alpn": [name.decode("latin-1") for name in hello.alpn],
        "cipher_suites": [tls.suite_name(value) for value in hello.cipher_suites],
        "groups": [tls.group_name(value) for value in hello.groups],
        "key_shares": [
            {"group": tls.group_name(group), "size": len(share)} for group, share in hello.key_shares
        ],
        "signature_algorithms": [f"0x{value:04x}" for value in hello.signature_algorithms],
        "extensions": [
            {"id": identifier, "name": extension_name(identifier), "size": len(body)}
            for identifier, body in hello.extensions
        ],
        "transport_parameters": parameter_objects(hello.transport_parameters),
    }


def extension_name(identifier: int) -> str:
    """The registered name, `grease`, or the number."""
    if grease.is_tls_value(identifier):
        return "grease"
    return EXTENSION_NAMES.get(identifier, f"0x{identifier:04x}")


def parameter_objects(body: bytes | None) -> list[dict[str, Any]] | None:
    """Transport parameters in the order of the wire; None when absent or malformed."""
    if body is None:
        return None
    try:
        parameters = TransportParameters.parse(body)
    except DecodeError:
        return None
    return [
        {
            "id": f"0x{entry.id:x}",
            "name": "grease" if grease.is_parameter(entry.id) else parameter_name(entry.id),
            "value": entry.value.hex(),
        }
        for entry in parameters.entries
    ]


def parse_key_log(text: str) -> dict[str, dict[str, bytes]]:
    """An NSS key log: client random in hexadecimal → label → secret. Lines that are none are passed over."""
    secrets: dict[str, dict[str, bytes]] = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 3 or line.startswith("#"):
            continue
        label, random, secret = fields
        try:
            secrets.setdefault(random.lower(), {})[label] = bytes.fromhex(secret)
        except ValueError:
            continue
    return secrets
