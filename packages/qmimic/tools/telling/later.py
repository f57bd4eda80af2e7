"""What can be measured on a client behind its first flight: in early data, and after the server's first datagram.

There are three parts: what a fresh connection says from the answer to its first request; what a resumed one says in 0-RTT,
its request included; and what that says from the answer to the end of the handshake. Needs the secrets of the connection.
Sizes that follow from the name of the server are counted without it. When things happened is left out: how fast certificates
are checked and pages asked for is the machine's, and what that does to their order is made equal by `pace`.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Literal

import quicvarint
from qmimic.capture import CapturedFlow
from qmimic.dissection import dissect_flow

from .asked import REQUEST
from .traits import Traits

Part = Literal["fresh", "resumed", "early"]

#: A datagram of this size was filled up.
FULL: Final = 1200
#: Datagrams that are described one by one.
EACH: Final = 5
CONTROL: Final = 2
KINDS: Final = {"initial": "ini", "handshake": "hs", "one_rtt": "1rtt", "zero_rtt": "0rtt"}


def later_traits(flow: CapturedFlow, part: Part = "fresh") -> Traits | None:
    """One part of a visit; None if it does not get that far, or cannot be read."""
    sent = said(flow, part)
    return None if sent is None else describe(sent, len(flow.about.get("host", "")))


def said(flow: CapturedFlow, part: Part = "fresh") -> list[dict[str, Any]] | None:
    """The client's datagrams in a part of a visit."""
    datagrams = dissect_flow(flow)["datagrams"]
    answered = next((at for at, item in enumerate(datagrams) if item["dir"] == "s"), None)
    asked = next((at for at, item in enumerate(datagrams) if is_own(item) and has_request(item)), None)
    if answered is None or asked is None or (asked < answered) != (part != "fresh"):
        return None
    if part == "early":
        return [item for item in datagrams[:answered] if is_early(item)]
    last = asked if part == "fresh" else confirmed_at(datagrams)
    if last is None:
        return None
    return [item for item in datagrams[answered : last + 1] if is_own(item)]


def confirmed_at(datagrams: Sequence[dict[str, Any]]) -> int | None:
    """Place of the client's datagram that acknowledges HANDSHAKE_DONE."""
    done: set[int] = set()
    for at, item in enumerate(datagrams):
        for packet in item["packets"]:
            if packet["type"] != "one_rtt":
                continue
            frames = packet.get("frames", [])
            if not is_own(item) and any(frame["frame"] == "handshake_done" for frame in frames):
                done.add(packet["number"])
            acks = [frame for frame in frames if frame["frame"] == "ack"] if is_own(item) else []
            if any(low <= number <= high for ack in acks for low, high in ack["ranges"] for number in done):
                return at
    return None


def is_early(datagram: dict[str, Any]) -> bool:
    return any(packet["type"] == "zero_rtt" for packet in datagram["packets"])


def is_own(datagram: dict[str, Any]) -> bool:
    return bool(datagram["dir"] == "c")


def has_request(datagram: dict[str, Any]) -> bool:
    return any(frame.get("stream_id") == REQUEST for frame in frames_of(datagram))


def frames_of(datagram: dict[str, Any]) -> list[dict[str, Any]]:
    return [frame for packet in datagram["packets"] for frame in packet.get("frames", [])]


def describe(datagrams: Sequence[dict[str, Any]], name_size: int) -> Traits:
    """The datagrams from the answer to the request."""
    found: Traits = {"count": len(datagrams)}
    words = [word_of(item) for item in datagrams]
    for word, count in Counter(words).items():
        found[f"has {word}"] = count
    for before, after in pairwise(words):
        found[f"order {before} > {after}"] = 1.0
    for index, item in enumerate(datagrams[:EACH]):
        found[f"{index}.word"] = words[index]
        found[f"{index}.size"] = size_of(item) - (name_size if has_request(item) else 0)
        found[f"{index}.packets"] = len(item["packets"])
    found.update(packet_traits([packet for item in datagrams for packet in item["packets"]]))
    found.update(stream_traits([frame for item in datagrams for frame in frames_of(item)], name_size))
    return found


def size_of(datagram: dict[str, Any]) -> int:
    """Bytes, as if every delay in an ACK took one: how long things took is the machine's."""
    delays = [frame["delay"] for frame in frames_of(datagram) if frame["frame"] == "ack"]
    is_full = datagram["size"] >= FULL
    return int(datagram["size"]) - (0 if is_full else sum(quicvarint.size(delay) - 1 for delay in delays))


def word_of(datagram: dict[str, Any]) -> str:
    """A datagram's packets and kinds of frames, without what the moment decides."""
    parts = []
    for packet in datagram["packets"]:
        if packet["type"] is None:
            parts.append("zeros")
            continue
        names = Counter(
            f"{frame['frame']}{frame['stream_id']}" if frame["frame"] == "stream" else str(frame["frame"])
            for frame in packet.get("frames", [])
        )
        inside = "+".join(f"{name}*{count}" if count > 1 else name for name, count in names.items())
        parts.append(f"{KINDS.get(packet['type'], packet['type'])}({inside})")
    return " ".join(parts)


def packet_traits(packets: Sequence[dict[str, Any]]) -> Traits:
    """Numbers, their sizes, spin bits, ACK frames."""
    found: Traits = {}
    for kind, word in KINDS.items():
        of_kind = [packet for packet in packets if packet["type"] == kind and "number" in packet]
        found[f"{word}.packets"] = len(of_kind)
        if not of_kind:
            continue
        found[f"{word}.first_number"] = of_kind[0]["number"] if word != "ini" else 0
        found[f"{word}.number_sizes"] = " ".join(str(packet["number_size"]) for packet in of_kind[:3])
        numbers = [packet["number"] for packet in of_kind]
        found[f"{word}.steps"] = max((after - before for before, after in pairwise(numbers)), default=1)
        acks = [frame for packet in of_kind for frame in packet.get("frames", []) if frame["frame"] == "ack"]
        found[f"{word}.acks"] = len(acks)
        found[f"{word}.ack_ranges"] = max((len(frame["ranges"]) for frame in acks), default=0)
        found[f"{word}.ack_delay_sent"] = any(frame["delay"] for frame in acks)
        found[f"{word}.ack_first_place"] = all(
            packet["frames"][0]["frame"] == "ack"
            for packet in of_kind
            if any(frame["frame"] == "ack" for frame in packet.get("frames", []))
        )
        found[f"{word}.token"] = any(packet.get("token") for packet in of_kind)
    short = [packet for packet in packets if packet["type"] == "one_rtt" and "spin" in packet]
    found["spins"] = sum(packet["spin"] for packet in short) / max(1, len(short))
    found["key_phase"] = sum(packet["key_phase"] for packet in short)
    return found


def stream_traits(frames: Sequence[dict[str, Any]], name_size: int) -> Traits:
    """STREAM frames, connection IDs, the Finished."""
    found: Traits = {}
    streams = [frame for frame in frames if frame["frame"] == "stream"]
    found["streams.order"] = " ".join(dict.fromkeys(str(frame["stream_id"]) for frame in streams))
    found["streams.lengths"] = sum(frame["has_length"] for frame in streams) / max(1, len(streams))
    found["streams.frames"] = len(streams)
    for frame in streams:
        size = len(frame["data"]) // 2
        number = frame["stream_id"]
        key = f"stream{number}@{'start' if frame['offset'] == 0 else 'later'}"
        if number == CONTROL or size < name_size:
            found[f"{key}.size"] = size
        else:
            # A name is compressed: how much of it there is to see differs with its letters.
            found[f"{key}.size"] = size - round(name_size * 0.75) if number != REQUEST else size
        found[f"{key}.fin"] = frame["fin"]
        found[f"{key}.has_length"] = frame["has_length"]
        if frame["offset"] == 0 and number != REQUEST:
            found[f"{key}.begins"] = frame["data"][:12]
    offered = [frame for frame in frames if frame["frame"] == "new_connection_id"]
    found["ids.offered"] = len(offered)
    for frame in offered[:1]:
        found["ids.first"] = frame["sequence_number"]
        found["ids.retire"] = frame["retire_prior_to"]
        found["ids.size"] = len(frame["connection_id"]) // 2
    padding = [frame["count"] for frame in frames if frame["frame"] == "padding"]
    found["padding.runs"] = len(padding)
    found["crypto.bytes"] = sum(len(frame["data"]) // 2 for frame in frames if frame["frame"] == "crypto")
    for frame in frames:
        name = frame["frame"]
        if name not in ("stream", "ack", "padding"):
            found[f"frame.{name}"] = float(found.get(f"frame.{name}", 0.0)) + 1
    return found
